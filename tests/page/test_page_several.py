"""Several clips: the table, comparison, duplicates, folders, and results after a reload."""

from __future__ import annotations

import re

import pytest

from support import synth, tiny
from support.browser import Visit, expect
from support.page_clips import BAD, CLIP, NAME, WAV, clip

pytestmark = pytest.mark.slow

CLICKS = clip("clicks.wav", synth.write(tiny.sound("clicks", 4), tiny.RATE))
NOISE = clip("noise.wav", synth.write(tiny.sound("noise", 2), tiny.RATE))


@pytest.fixture
def several(visit: Visit) -> Visit:
    """The page with three results and an error."""
    visit.choose(NOISE, CLIP, CLICKS, BAD)
    expect(visit.page.locator("tr[data-state=done]")).to_have_count(3)
    expect(visit.page.locator("tr[data-state=failed]")).to_have_count(1)
    return visit


def names(visit: Visit) -> list[str]:
    return visit.page.locator("tbody .name").all_inner_texts()


def test_one_clip_has_no_table(answered: Visit) -> None:
    expect(answered.page.locator("#overview")).to_be_hidden()


def test_the_table_has_a_row_for_each_clip(several: Visit) -> None:
    rows = several.page.locator("tbody tr")
    expect(rows.nth(0).locator(".answer")).to_have_text(re.compile("^(not sure: )?noise$"))
    expect(rows.nth(0).locator(".percent")).to_have_text(re.compile(r"^\d+ %$"))
    expect(rows.nth(1).locator(".mini-timeline .block")).to_have_count(2)
    expect(rows.nth(3).locator(".answer")).to_contain_text("is not audio")
    expect(several.page.get_by_text("4 clips", exact=True)).to_be_visible()


def test_rows_are_sorted_up_down_and_back(several: Visit) -> None:
    at_first = names(several)
    head = several.page.get_by_role("columnheader", name="Clip")
    sort = several.page.get_by_role("button", name="Clip", exact=True)
    ascending = sorted(at_first)
    for expected, order in [
        (ascending, "ascending"),
        (ascending[::-1], "descending"),
        (at_first, "none"),
    ]:
        sort.click()
        assert names(several) == expected
        expect(head).to_have_attribute("aria-sort", order)


@pytest.mark.parametrize(("text", "found"), [("CLICKS", ["clicks.wav"]), ("halv", [NAME])])
def test_rows_are_filtered_by_name_and_genre(several: Visit, text: str, found: list[str]) -> None:
    several.page.get_by_label("Filter").fill(text)
    assert names(several) == found
    expect(several.page.get_by_text("1 of 4 clips")).to_be_visible()
    several.page.get_by_label("Filter").fill("")
    assert len(names(several)) == 4


def test_a_row_shows_its_card_and_two_can_be_compared(several: Visit) -> None:
    page = several.page
    page.get_by_role("button", name="clicks.wav", exact=True).click()
    expect(page.get_by_role("article")).to_have_count(1)
    expect(page.get_by_role("heading", name="clicks.wav")).to_be_focused()
    page.get_by_role("button", name=f"Compare {NAME}").click()
    shown = page.get_by_role("article")
    expect(shown.locator("h3")).to_have_text([NAME, "clicks.wav"])
    boxes = [shown.nth(index).bounding_box() for index in (0, 1)]
    assert boxes[0]["y"] == boxes[1]["y"]
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
    page.get_by_role("button", name="Compare clicks.wav").click()  # its text is "Close"
    expect(shown.locator("h3")).to_have_text([NAME])


def test_a_clip_with_the_same_content_is_not_classified_again(visit: Visit) -> None:
    visit.choose(CLIP, clip("copy.wav", WAV))
    expect(visit.page.locator("tr[data-state=done]")).to_have_count(2)
    expect(visit.page.locator("tbody .hint")).to_have_text(f"same content as {NAME}")
    assert sum("classify" in url for url in visit.requests) == 1
    visit.page.get_by_role("button", name="copy.wav", exact=True).click()
    expect(visit.card("copy.wav").get_by_text(f"same content as {NAME}")).to_be_visible()


def test_results_survive_a_reload_and_the_way_back(several: Visit) -> None:
    page = several.page
    several.card(NAME).locator(".spectrogram").wait_for()
    for leave in (page.reload, lambda: (page.goto(f"{several.address}/docs"), page.go_back())):
        leave()
        expect(page.locator("tr[data-state=done]")).to_have_count(3)
        card = several.card(NAME)
        expect(card.locator(".verdict")).to_be_visible()
        expect(card.get_by_text("Choose the clip again to play it.")).to_be_visible()
        card.get_by_role("slider").press("End")
        expect(card.get_by_role("slider")).to_have_attribute("aria-valuenow", "8.00")
    assert sum("classify" in url for url in several.requests) == 4
    page.get_by_role("button", name="Remove all").click()
    page.reload()
    expect(page.get_by_role("article")).to_have_count(0)


_DROP = """(names) => {
  const file = (name) => ({
    isFile: true, name, file: (resolve) => resolve(new File([name], name)),
  });
  const folder = (name, children) => ({
    isDirectory: true,
    name,
    createReader: () => {
      const parts = [children, []];
      return { readEntries: (resolve) => resolve(parts.shift()) };
    },
  });
  const entry = folder("album", [folder("cd 2", names.map(file)), file("cover.jpg")]);
  const event = new Event("drop", { cancelable: true });
  const items = [{ webkitGetAsEntry: () => entry }];
  event.dataTransfer = { types: ["Files"], items, files: [] };
  window.dispatchEvent(event);
}"""


def test_the_audio_files_of_a_dropped_folder_are_classified(visit: Visit) -> None:
    visit.page.get_by_text("Up to 1 MiB each.").wait_for()
    visit.page.evaluate(_DROP, ["b.mp3", "a.flac", "notes.txt"])
    expect(visit.page.locator("tbody tr")).to_have_count(2)
    assert names(visit) == ["a.flac", "b.mp3"]
    visit.page.evaluate(_DROP, ["notes.txt"])
    expect(visit.page.get_by_role("alert")).to_have_text("There is no audio file in this folder.")


@pytest.mark.parametrize(
    "name",
    [
        "<img src=x onerror=alert(1)>.wav",
        "\u202eגנרה מוזיקה\u202c.wav",
        "n" * 296 + ".wav",
        'it\'s "quoted" \\ $(id) `id`.wav',
    ],
)
def test_hostile_names_are_text(visit: Visit, name: str) -> None:
    visit.choose(clip(name, WAV), CLICKS)
    expect(visit.page.locator("tr[data-state=done]")).to_have_count(2)
    shown = name.replace("\u202e", "").replace("\u202c", "")  # they would hide the extension
    expect(visit.page.locator("tbody .name").first).to_have_text(shown)
    expect(visit.page.locator("article:visible h3")).to_have_text(shown)
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 1280
    expect(visit.page.locator("img:not(.brand img)")).to_have_count(0)
