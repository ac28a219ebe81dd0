"""The page, in a real browser in front of a real server."""

from __future__ import annotations

import csv
import json
import re
import struct
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="needs the extra web")
pytest.importorskip("httpx", reason="needs httpx")

import httpx

import synth
import tiny
from browser import Visit, chromium, clip, playwright
from genrelens.prediction import format_percent
from serving import server

expect = playwright.expect
HALVES = np.concatenate([tiny.sound("chords", 4, seed=1), tiny.sound("noise", 4, seed=1)])
WAV = synth.write(HALVES, tiny.RATE)  # four seconds of chords, four of noise
NAME = "halves.wav"
CLIP = clip(NAME, WAV)
BAD = clip("notes.mp3", b"no music at all " * 100)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with server(model, tmp_path_factory.mktemp("uploads"), "--max-upload", "1M") as running:
        yield running.url


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        expect.set_options(timeout=30_000)
        yield started


@pytest.fixture
def enter(browser: Any, site: str) -> Iterator[Callable[..., Visit]]:
    """Open the page in a new window; afterwards nothing may have gone wrong on it."""
    visits: list[Visit] = []

    def opened(**options: Any) -> Visit:
        visits.append(Visit(browser, site, **options))
        return visits[-1]

    yield opened
    for visit in visits:
        complaints, strangers = visit.complaints, visit.strangers
        visit.close()
        assert complaints == []
        assert strangers == []


@pytest.fixture
def visit(enter: Callable[..., Visit]) -> Visit:
    return enter()


@pytest.fixture
def answered(visit: Visit) -> Visit:
    """The page with the result of one clip."""
    visit.choose(CLIP)
    visit.card(NAME).get_by_text("The predicted genre is:").wait_for()
    return visit


def ask(site: str, content: bytes = WAV, name: str = NAME) -> Any:
    """What the API says of a clip."""
    answer = httpx.post(f"{site}/v1/classify?timeline=true", files={"file": (name, content)})
    assert answer.status_code == 200
    return answer.json()


def bars(card: Any) -> list[tuple[str, str]]:
    rows = card.get_by_role("list", name="Genres").get_by_role("listitem")
    return list(zip(
        rows.locator(".label").all_text_contents(), rows.locator(".percent").all_text_contents(),
        strict=True,
    ))  # fmt: skip


def position(card: Any) -> float:
    return float(card.locator("audio").evaluate("(audio) => audio.currentTime"))


# --------------------------------------------------------------------- clips and answers


def test_page_says_what_it_is_for(visit: Visit) -> None:
    page = visit.page
    expect(page).to_have_title("Classifying Music By Genre Using Neural Networks")
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "Classifying Music By Genre Using Neural Networks"
    )
    expect(page.get_by_text("Enter a music clip to classify it:")).to_be_visible()
    expect(page.get_by_text("They know chords, clicks and noise.")).to_be_visible()
    expect(page.get_by_text("Up to 1 MiB each.")).to_be_visible()
    expect(page.get_by_role("link", name="The API")).to_have_attribute("href", "/docs")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(0, 0, 0)"


def test_chosen_file_gets_the_answer_of_the_api(answered: Visit, site: str) -> None:
    card, said = answered.card(NAME), ask(site)
    expect(card.locator(".verdict")).to_have_text(f"The predicted genre is: {said['genre']}")
    shown = [(label, format_percent(p)) for label, p in said["probabilities"].items()]
    assert bars(card) == shown
    widths = card.locator(".bars .bar").evaluate_all("(all) => all.map((bar) => bar.style.width)")
    expected = [100 * p for p in said["probabilities"].values()]
    np.testing.assert_allclose([float(w.rstrip("%")) for w in widths], expected, rtol=1e-4)
    spoken = answered.page.locator("#announcements")
    expect(spoken).to_contain_text(f"The predicted genre is: {said['genre']}, {shown[0][1]}.")


def test_dropped_files_are_classified(visit: Visit) -> None:
    clicks = clip("clicks.wav", synth.write(tiny.sound("clicks", 2), tiny.RATE))
    visit.drop(CLIP, clicks)
    expect(visit.card("clicks.wav").locator(".verdict strong")).to_have_text("clicks")
    expect(visit.card(NAME).locator(".bars")).to_be_visible()
    expect(visit.page.get_by_text("Drop the clips to classify them")).to_be_hidden()


def test_one_bad_file_does_not_stop_the_rest(visit: Visit, tmp_path: Path) -> None:
    noise = clip("noise.flac", synth.write(tiny.sound("noise", 2), tiny.RATE, "FLAC"))
    visit.choose(CLIP, BAD, noise)
    expect(visit.card("noise.flac").locator(".verdict strong")).to_have_text("noise")
    expect(visit.card(BAD["name"]).locator(".error")).to_contain_text("is not audio")
    expect(visit.page.locator("article h3")).to_have_text([NAME, BAD["name"], "noise.flac"])
    expect(visit.card(BAD["name"]).get_by_role("button", name="again")).to_have_count(0)

    with visit.page.expect_download() as download:
        visit.page.get_by_role("button", name="All as CSV").click()
    download.value.save_as(tmp_path / "all.csv")
    with (tmp_path / "all.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == [NAME, BAD["name"], "noise.flac"]
    assert rows[2]["genre"] == "noise"
    assert "is not audio" in rows[1]["error"]
    assert rows[1]["noise"] == ""

    visit.page.get_by_role("button", name="Remove all").click()
    expect(visit.page.get_by_role("article")).to_have_count(0)


def test_example_is_fetched_and_classified(visit: Visit) -> None:
    visit.page.get_by_role("button", name="Disco groove").click()
    expect(visit.card("disco-groove.ogg").locator(".verdict")).to_be_visible()


def test_form_without_a_file_asks_for_one(visit: Visit) -> None:
    visit.page.get_by_role("button", name="Classify", exact=True).click()
    expect(visit.page.get_by_role("alert")).to_have_text("Choose a music clip first.")
    expect(visit.page.get_by_label("Enter a music clip")).to_be_focused()
    visit.choose(CLIP)
    expect(visit.page.locator("#complaint")).to_be_empty()


def test_short_clip_is_to_be_trusted_less(visit: Visit) -> None:
    visit.choose(clip("short.wav", synth.write(tiny.sound("noise", 0.1), tiny.RATE)))
    expect(visit.card("short.wav").get_by_text("shorter than the network listens")).to_be_visible()


def test_file_names_are_words_and_never_markup(visit: Visit) -> None:
    name = "<img src=x onerror=alert(1)>.wav"
    visit.choose(clip(name, WAV), clip(name.replace("wav", "mp3"), BAD["buffer"]))
    expect(visit.page.locator("article h3").first).to_have_text(name)
    expect(visit.page.locator(".error").last).to_contain_text("This file is not audio")
    expect(visit.page.locator("#announcements")).to_contain_text(
        "<img src=x onerror=alert(1)>.mp3:"
    )
    expect(visit.page.locator(".verdict")).to_be_visible()
    expect(visit.page.locator("img")).to_have_count(0)


def test_percentages_are_written_as_on_the_command_line(visit: Visit) -> None:
    rng = np.random.default_rng(0)
    values = [0.8512, 0.99996, 0.999949, 1.0, 0.1, 0.0999995, 1e-11, 9.9e-12, 0.0]
    values += (10 ** rng.uniform(-12, 0, 300)).tolist()
    written = visit.page.evaluate(
        """async (values) => {
          const { formatPercent } = await import("/static/numbers.js");
          return values.map(formatPercent);
        }""",
        values,
    )
    assert written == [format_percent(value) for value in values]


# ---------------------------------------------------------------- player, timeline, picture


def test_playing_moves_the_playhead(answered: Visit) -> None:
    card = answered.card(NAME)
    playhead = card.locator(".playhead")
    assert playhead.evaluate("(line) => line.style.left") == "0%"
    card.get_by_role("button", name=f"Play {NAME}").click()
    answered.page.wait_for_function(
        "() => parseFloat(document.querySelector('.playhead').style.left) > 4"
    )
    card.get_by_role("button", name=f"Pause {NAME}").click()
    expect(card.get_by_role("button", name=f"Play {NAME}")).to_be_visible()
    share = float(playhead.evaluate("(line) => line.style.left").rstrip("%")) / 100
    assert share == pytest.approx(position(card) / 8, abs=0.02)


def test_click_on_the_timeline_seeks(answered: Visit) -> None:
    card = answered.card(NAME)
    slider = card.get_by_role("slider", name="Position in the clip")
    box = slider.bounding_box()
    slider.click(position={"x": 0.75 * box["width"], "y": 10})
    assert position(card) == pytest.approx(6, abs=0.05)
    expect(slider).to_have_attribute("aria-valuetext", re.compile("^[56] seconds: noise, "))
    expect(card.locator(".player .readout")).to_contain_text("noise")
    card.locator(".picture").click(position={"x": 0.25 * box["width"], "y": 10})
    assert position(card) == pytest.approx(2, abs=0.05)
    expect(card.locator(".player .readout")).to_contain_text("chords")


def test_keyboard_seeks(answered: Visit) -> None:
    card, keyboard = answered.card(NAME), answered.page.keyboard
    slider = card.get_by_role("slider")
    slider.focus()
    for keys, expected in [
        (["ArrowRight"] * 3, 3), (["ArrowLeft"], 2), (["PageUp"], 8), (["Home"], 0), (["End"], 8),
    ]:  # fmt: skip
        for key in keys:
            keyboard.press(key)
        assert position(card) == pytest.approx(expected, abs=0.05)
    expect(slider).to_have_attribute("aria-valuenow", "8.00")
    card.get_by_text("The timeline in words").click()
    card.locator(".runs button").nth(1).press("Enter")
    assert position(card) == pytest.approx(4, abs=0.32)  # a segment


def test_timeline_names_the_genres_of_the_api(answered: Visit, site: str) -> None:
    said = ask(site)
    runs = [said["timeline"][0]["genre"]]
    for segment in said["timeline"]:
        if segment["genre"] != runs[-1]:
            runs.append(segment["genre"])
    assert {"chords", "noise"} <= set(runs)
    card = answered.card(NAME)
    assert card.locator(".block .long").all_text_contents() == runs
    titles = card.locator(".block").evaluate_all("(all) => all.map((block) => block.title)")
    assert titles[0].startswith(f"{runs[0]}, 0:00 ")
    looks = card.locator(".block").evaluate_all(
        """(all) => all.map((block) => {
          const { backgroundColor, backgroundImage } = getComputedStyle(block);
          return [block.textContent, backgroundColor, backgroundImage].join();
        })"""
    )
    assert len(set(looks)) == len(set(runs))  # one look for each genre,
    patterns = {look.split(",", 1)[0]: look.split(")", 1)[1] for look in looks}
    assert len(set(patterns.values())) == len(patterns)  # and not by its colour alone


def test_long_timeline_is_drawn_coarsely(visit: Visit) -> None:
    runs = visit.page.evaluate(
        """async () => {
          const { joinRuns } = await import("/static/timeline.js");
          const timeline = Array.from({ length: 1000 }, (_, i) => {
            const rock = i % 2 ? 0.9 : 0.3; // alternates, but is rock on average
            return { start: i, end: i + 1, probabilities: i < 500 ? [rock, 1 - rock] : [0, 1] };
          });
          return joinRuns({ labels: ["rock", "pop"], timeline, duration: 1000 });
        }"""
    )
    assert runs == [
        {"genre": "rock", "start": 0, "end": 500}, {"genre": "pop", "start": 500, "end": 1000},
    ]  # fmt: skip


def test_spectrogram_is_drawn_as_the_network_saw_it(answered: Visit, site: str) -> None:
    url = f"{site}/v1/classify?spectrogram=true"
    picture = httpx.post(url, files={"file": (NAME, WAV)}).json()["spectrogram"]
    canvas = answered.card(NAME).get_by_role("img", name="Mel spectrogram of halves.wav")
    expect(canvas).to_have_attribute("aria-label", re.compile(r"16 bands from .* over 0:0[78]"))
    pixels = canvas.evaluate(
        """(canvas) => {
          const { width, height } = canvas;
          const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
          return { width, height, data: [...data] };
        }"""
    )
    assert (pixels["width"], pixels["height"]) == (picture["columns"], picture["bands"])
    rgba = np.reshape(pixels["data"], (picture["bands"], picture["columns"], 4))
    brightness = rgba[..., :3] @ [0.2126, 0.7152, 0.0722]
    encoded = np.frombuffer(b64decode(picture["data"]), np.uint8)
    seen = encoded.reshape(picture["columns"], picture["bands"]).T[::-1]  # the lowest band below
    order = np.argsort(seen.ravel(), kind="stable")
    assert (np.diff(brightness.ravel()[order]) > -2).all()  # the louder, the brighter
    assert answered.card(NAME).locator(".axis-y").all_inner_texts()[0].split("\n")[0] == "2 kHz"
    assert answered.card(NAME).locator(".axis-x span").all_inner_texts()[-1] == "0:08"


def test_what_the_browser_cannot_play_still_has_a_timeline(visit: Visit) -> None:
    visit.choose(clip("halves.aiff", synth.write(HALVES, tiny.RATE, "AIFF")))
    card = visit.card("halves.aiff")
    expect(card.get_by_text("Your browser cannot play this kind of file.")).to_be_visible()
    expect(card.get_by_role("button", name="Play")).to_have_count(0)
    card.get_by_role("slider").press("End")
    expect(card.get_by_role("slider")).to_have_attribute("aria-valuenow", "8.00")
    assert card.locator(".playhead").evaluate("(line) => line.style.left") == "100%"


# --------------------------------------------------------------------------- microphone


def test_recording_from_the_microphone(visit: Visit) -> None:
    page = visit.page
    page.get_by_role("button", name="Record", exact=True).click()
    expect(page.get_by_role("timer")).to_have_text("0:01")
    page.wait_for_function("() => document.querySelector('meter').value > 0.1")  # it beeps
    page.get_by_role("button", name="Stop and classify").click()
    card = page.get_by_role("article", name=re.compile(r"^recording-\d{4}-.*\.(webm|m4a|ogg)$"))
    expect(card.locator(".verdict")).to_be_visible()
    card.get_by_role("button", name="Play recording").click()
    expect(card.get_by_role("button", name="Pause recording")).to_be_visible()
    expect(card.locator(".player .clock")).to_have_text(re.compile("^0:01 / 0:0[1-9]$"))
    expect(page.get_by_role("button", name="Record", exact=True)).to_be_visible()


def test_recording_can_be_discarded(visit: Visit) -> None:
    visit.page.get_by_role("button", name="Record", exact=True).click()
    visit.page.get_by_role("button", name="Discard").click()
    expect(visit.page.get_by_role("button", name="Record", exact=True)).to_be_focused()
    expect(visit.page.get_by_role("article")).to_have_count(0)


def refusal(name: str) -> str:
    return (
        "navigator.mediaDevices.getUserMedia = () =>"
        f" Promise.reject(new DOMException('no', '{name}'));"
    )


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (refusal("NotAllowedError"), "The browser did not allow the microphone."),
        (refusal("NotFoundError"), "There is no microphone."),
        (refusal("NotReadableError"), "Does another program use it?"),
        ("Object.defineProperty(window, 'isSecureContext', { value: false });", "https://"),
        ("delete window.MediaRecorder;", "This browser cannot record."),
    ],
)
def test_microphone_that_cannot_be_used(
    enter: Callable[..., Visit], script: str, words: str
) -> None:
    visit = enter(script=script)
    visit.page.get_by_role("button", name="Record", exact=True).click()
    expect(visit.page.get_by_role("alert")).to_contain_text(words)
    expect(visit.page.get_by_role("button", name="Record", exact=True)).to_be_enabled()


# ------------------------------------------------------------------- what can go wrong


def test_too_large_a_file_is_not_even_sent(visit: Visit) -> None:
    visit.page.get_by_text("Up to 1 MiB each.").wait_for()
    visit.choose(clip("large.wav", bytes(3 * 2**19)))
    expect(visit.card("large.wav").locator(".error")).to_have_text(
        "The recording has 1.5 MiB; this server accepts 1 MiB at most."
    )
    assert not any("classify" in url for url in visit.requests)


def test_busy_server_is_asked_again(visit: Visit) -> None:
    tries: list[str] = []

    def answer(route: Any) -> None:
        tries.append(route.request.method)
        if len(tries) == 1:
            route.fulfill(status=429, headers={"Retry-After": "2"}, body="{}")
        else:
            route.continue_()

    visit.page.route("**/v1/classify*", answer)
    visit.choose(CLIP)
    card = visit.card(NAME)
    expect(card.get_by_text("The server is busy; next try in 2 s")).to_be_visible()
    expect(card.locator(".verdict")).to_be_visible()
    assert tries == ["POST", "POST"]


def test_broken_line_can_be_tried_again(visit: Visit) -> None:
    visit.page.route("**/v1/classify*", lambda route: route.abort(), times=1)
    visit.choose(CLIP)
    card = visit.card(NAME)
    expect(card.locator(".error")).to_contain_text("The server cannot be reached")
    card.get_by_role("button", name=f"Try {NAME} again").click()
    expect(card.locator(".verdict")).to_be_visible()


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (502, "<h1>Bad gateway</h1>", "The server answered with an error (502 Bad Gateway)."),
        (413, "", "The recording is larger than this server accepts."),
        (504, "", "The server did not finish in time."),
        (422, json.dumps({"detail": f"{NAME}: is too long"}), "This file is too long."),
    ],
)
def test_errors_are_sentences(visit: Visit, status: int, body: str, words: str) -> None:
    visit.page.route("**/v1/classify*", lambda route: route.fulfill(status=status, body=body))
    visit.choose(CLIP)
    expect(visit.card(NAME).locator(".error")).to_have_text(words)
    expect(visit.page.locator("#announcements")).to_contain_text(words)


def test_cancelled_clip_is_gone_and_the_keyboard_goes_on(visit: Visit) -> None:
    held: list[Any] = []
    visit.page.route("**/v1/classify*", lambda route: held.append(route))
    visit.choose(CLIP, clip("second.wav", WAV))
    expect(visit.card(NAME).get_by_text("Uploading")).to_be_visible()
    visit.page.get_by_role("button", name=f"Cancel {NAME}").click()
    expect(visit.card(NAME)).to_have_count(0)
    expect(visit.page.get_by_role("heading", name="second.wav")).to_be_focused()
    visit.page.get_by_role("button", name="Cancel second.wav").click()
    expect(visit.page.get_by_label("Enter a music clip")).to_be_focused()
    expect(visit.page.get_by_role("heading", name="Results")).to_be_hidden()
    visit.page.unroute("**/v1/classify*")
    visit.choose(CLIP)  # the queue is free again
    expect(visit.card(NAME).locator(".verdict")).to_be_visible()


def test_upload_shows_how_far_it_is(visit: Visit) -> None:
    cdp = visit.context.new_cdp_session(visit.page)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 40_000}
    cdp.send("Network.emulateNetworkConditions", slow)
    visit.choose(CLIP)  # 128 kB
    expect(visit.card(NAME).get_by_text(re.compile("^Uploading, [1-9]"))).to_be_visible()
    value = visit.card(NAME).get_by_role("progressbar").evaluate("(bar) => bar.value")
    assert 0 < value <= 1
    expect(visit.card(NAME).locator(".verdict")).to_be_visible()


# ---------------------------------------------------------------------------- downloads


@pytest.fixture
def downloads(answered: Visit, tmp_path: Path) -> Callable[[str], bytes]:
    def get(kind: str) -> bytes:
        button = answered.card(NAME).get_by_role("button", name=kind, exact=True)
        with answered.page.expect_download() as download:
            button.click()
        assert download.value.suggested_filename == f"halves.genres.{kind.lower()}"
        download.value.save_as(tmp_path / kind)
        return (tmp_path / kind).read_bytes()

    return get


def test_results_can_be_downloaded(downloads: Callable[[str], bytes], site: str) -> None:
    said = ask(site)
    assert json.loads(downloads("JSON")) == said
    rows = list(csv.DictReader(downloads("CSV").decode().splitlines()))
    assert list(rows[0]) == ["path", "genre", *said["labels"], "duration", "model", "error"]
    assert rows[0]["genre"] == said["genre"]
    assert {label: float(rows[0][label]) for label in said["labels"]} == said["probabilities"]
    png = downloads("PNG")
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    assert (width, height) == (1200, 454)


# -------------------------------------------------------------------------- for everyone


def test_axe_finds_nothing(enter: Callable[..., Visit]) -> None:
    pytest.importorskip("axe_playwright_python", reason="needs axe-playwright-python")
    from axe_playwright_python.sync_playwright import Axe

    def check(visit: Visit, moment: str) -> None:
        found = Axe().run(visit.page)
        assert found.violations_count == 0, f"{moment}: {found.generate_report()}"
        assert len(found.response["passes"]) > 10

    visit = enter()
    visit.page.get_by_role("button", name="Rock riff").wait_for()
    check(visit, "at the start")
    visit.choose(CLIP)
    visit.card(NAME).locator(".verdict").wait_for()
    visit.card(NAME).get_by_text("The timeline in words").click()
    check(visit, "with a result")
    visit.choose(BAD)
    visit.card(BAD["name"]).locator(".error").wait_for()
    check(visit, "with an error")


def test_everything_can_be_reached_by_keyboard(visit: Visit) -> None:
    page = visit.page
    page.get_by_role("button", name="Rock riff").wait_for()
    page.get_by_label("Enter a music clip").set_input_files([CLIP])
    page.get_by_label("Enter a music clip").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=NAME)).to_be_focused()
    visit.card(NAME).locator(".verdict").wait_for()
    reached = []
    for _ in range(8):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(
            "document.activeElement.getAttribute('aria-label') ?? document.activeElement.innerText"
        ))  # fmt: skip
    assert reached == [
        f"Remove {NAME}", f"Play {NAME}", "Position in the clip", reached[3], "JSON", "CSV", "PNG",
        "The API",
    ]  # fmt: skip
    assert reached[3].startswith("The timeline in words")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


@pytest.mark.parametrize("width", [320, 360, 390])  # 320 is 1280 pixels at a zoom of 400 %
def test_narrow_window_never_scrolls_sideways(enter: Callable[..., Visit], width: int) -> None:
    visit = enter(viewport={"width": width, "height": 740}, has_touch=True, is_mobile=True)
    visit.page.get_by_role("button", name="Rock riff").wait_for()
    name = "averylongfilenamewithoutanyspaces" * 4 + ".wav"
    for step in (lambda: None, lambda: visit.choose(clip(name, WAV), BAD)):
        step()
        if visit.page.get_by_role("article").count():
            visit.card(name).locator(".verdict").wait_for()
            visit.card(BAD["name"]).locator(".error").wait_for()
        extent = visit.page.evaluate("document.documentElement.scrollWidth")
        assert extent <= width


def test_nothing_moves_for_who_wants_it_still(enter: Callable[..., Visit]) -> None:
    for motion, expected in [("reduce", "none"), ("no-preference", "grow")]:
        visit = enter(reduced_motion=motion)
        visit.choose(CLIP)
        bar = visit.card(NAME).locator(".bars .bar").first
        bar.wait_for()
        assert bar.evaluate("(bar) => getComputedStyle(bar).animationName") == expected


def test_without_javascript_the_form_gives_the_plain_answer(browser: Any, site: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site)
    expect(page.locator("button:visible")).to_have_text(["Classify"])
    # Playwright's way of switching scripts off does not make the browser show <noscript>.
    assert "curl --form file=@song.mp3" in page.locator("noscript").inner_html()
    page.get_by_label("Enter a music clip").set_input_files([CLIP])
    page.get_by_role("button", name="Classify", exact=True).click()
    page.wait_for_url("**/v1/classify*")
    assert json.loads(page.locator("body").inner_text())["genre"] == ask(site)["genre"]
    context.close()
