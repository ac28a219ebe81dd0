"""The static site as visitors use it: without a server, without a network, after an update."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from genrelens.web import site
from support.browser import Visit, expect
from support.page_clips import clip
from support.site_clips import WAVS
from support.static_site import evaluate_after_reloads, file_server, offline_ready, runtime


def test_the_page_classifies_on_this_computer(local: Visit) -> None:
    local.choose(clip("rock.wav", WAVS["rock"]()))
    card = local.card("rock.wav")
    expect(card.get_by_text("The predicted genre is: rock")).to_be_visible()
    expect(local.page.get_by_text("Nothing leaves this computer")).to_be_visible()
    expect(local.page.get_by_text("This server classifies")).to_be_hidden()
    assert local.page.title() == "Classifying Music By Genre Using Neural Networks"
    methods = local.page.evaluate(
        "performance.getEntriesByType('resource').map((entry) => entry.name)"
    )
    assert not [name for name in methods if "v1/classify" in name]


def test_an_example(local: Visit) -> None:
    local.page.get_by_role("button", name="Trance", exact=True).click()
    expect(local.card("trance.ogg").get_by_text("electronic").first).to_be_visible()


def test_the_site_works_without_a_network(local: Visit) -> None:
    offline_ready(local)
    local.context.set_offline(True)
    local.page.reload()
    assert local.page.evaluate("navigator.onLine") is False
    local.page.get_by_role("button", name="Punk chords", exact=True).click()
    expect(local.card("punk-chords.ogg").get_by_text("predicted genre is: punk")).to_be_visible()
    assert local.page.evaluate("crossOriginIsolated")  # then the network can use several threads


def test_the_site_can_be_installed(local: Visit, static_site: Path) -> None:
    """All that a browser requires: a manifest with icons, and a service worker."""
    manifest = local.page.evaluate(
        "fetch(document.querySelector('link[rel=manifest]').href).then((each) => each.json())"
    )
    assert manifest["start_url"] == manifest["scope"] == "./"
    for icon in manifest["icons"]:
        assert next(static_site.glob(f"*/{icon['src']}")).stat().st_size > 100
    offline_ready(local)
    local.page.wait_for_function("navigator.serviceWorker.controller.state === 'activated'")


def test_a_new_version_replaces_the_old_one(
    browser: Any, static_site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is loaded during one visit, and the next one has it."""
    folder = tmp_path / "site"
    shutil.copytree(next(static_site.iterdir()), folder)
    with file_server(folder) as server:
        visit = Visit(browser, server)
        offline_ready(visit)
        assert visit.page.evaluate("fetch('v1/examples').then((each) => each.json())") != []
        monkeypatch.setattr(site, "_examples", list)
        monkeypatch.setattr(site, "list_examples", lambda _: [])
        site.write_site(folder, runtime())
        visit.page.reload()
        evaluate_after_reloads(
            visit.page,
            """async () => {
              const registration = await navigator.serviceWorker.ready;
              await registration.update();
              const worker = registration.installing ?? registration.waiting;
              while (worker && worker.state === "installing") {
                await new Promise((resolve) => setTimeout(resolve, 50));
              }
            }""",
        )
        visit.page.reload()
        visit.page.wait_for_url(server)
        expect(visit.page.get_by_role("button", name="Trance")).to_have_count(0)
        assert (
            evaluate_after_reloads(visit.page, "fetch('v1/examples').then((each) => each.json())")
            == []
        )
        names = evaluate_after_reloads(visit.page, "caches.keys()")
        visit.close()
    assert not (folder / "examples" / "trance.ogg").exists()
    assert len(names) == 1
