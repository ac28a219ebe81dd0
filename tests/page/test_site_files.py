"""Files that the engine in the browser refuses, corrects or stops."""

from __future__ import annotations

import numpy as np
import pytest

from support import synth
from support.browser import Visit
from support.site_clips import WAVS
from support.static_site import classify


def test_a_file_that_is_no_recording(engine_page: Visit) -> None:
    sentence = "Your browser cannot decode this file."
    for content in (b"no music at all " * 100, b"RIFF\0\0\0\0WAVEfmt ", b"OggS", b"fLaC", b"\xff"):
        assert classify(engine_page, content)["error"].startswith(sentence)
    assert classify(engine_page, b"")["error"] == "This file is empty."


def test_samples_that_are_not_finite(engine_page: Visit) -> None:
    y = synth.noise(4, 16_000)
    y[16_000] = np.nan
    found = classify(engine_page, synth.write(y, 16_000, subtype="FLOAT"))
    assert found == {"error": "This file contains the sample NaN at 1.00 s; full scale is 1."}


def test_a_wav_file_that_is_cut_off(engine_page: Visit) -> None:
    content = WAVS["rock"]()
    found = classify(engine_page, content[: len(content) // 2], "cut.wav")["document"]
    assert found["notes"] == ["cut.wav: the header states 10.0 s, 5.0 s were decoded"]
    assert found["duration"] == pytest.approx(5, abs=0.01)


@pytest.mark.parametrize("name", ["a\nb.wav", "\u202egnp.wav", "<b>.wav", 300 * "x"])
def test_odd_names(engine_page: Visit, name: str) -> None:
    assert classify(engine_page, WAVS["two seconds"](), name)["document"]["path"] == name


def test_a_recording_can_be_cancelled(engine_page: Visit) -> None:
    """The next recording is classified all the same."""
    outcome = engine_page.page.evaluate(
        """async () => {
          const address = new URL("static/engine/client.js", document.baseURI);
          const { LocalEngine } = await import(address);
          const engine = (window.engine ??= new LocalEngine());
          const head = await (await fetch("examples/trance.ogg")).blob();
          const abort = new AbortController();
          const cancelled = engine
            .classify(new File([head], "a.ogg"), { signal: abort.signal })
            .catch((error) => error.name);
          setTimeout(() => abort.abort(), 10);
          const next = engine.classify(new File([head], "b.ogg"));
          return [await cancelled, (await next).genre];
        }"""
    )
    assert outcome == ["AbortError", "electronic"]
