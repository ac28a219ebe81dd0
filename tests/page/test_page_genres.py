"""Several genres, recordings that change, noise, and the choice of genres."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from support.browser import Visit, expect
from support.page_clips import CHANGES, CLIP, NAME, SEVERAL, ask, respond_with

pytestmark = pytest.mark.slow

NINE = ["classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock"]
SIXTEEN = ["ambient", "blues", "electronic", "folk", "latin", "punk", "rnb", *NINE]


def answered_with(visit: Visit, **changes: Any) -> Any:
    """Return the card of a clip with this response."""
    respond_with(visit, **changes)
    visit.choose(CLIP)
    card = visit.card(NAME)
    card.locator(".verdict").wait_for()
    return card


def chips(card: Any, caption: str) -> list[str]:
    found = card.get_by_role("list", name=caption, exact=True).get_by_role("listitem")
    return [" ".join(text.split()) for text in found.all_inner_texts()]


def test_styles_hang_below_the_genres_that_apply(visit: Visit) -> None:
    card = answered_with(visit, **SEVERAL)
    expect(card.locator(".verdict")).to_have_text("The predicted genre is: electronic")
    assert chips(card, "Genres") == ["electronic > house 71 %, techno 62 %", "pop"]
    assert chips(card, "Styles") == ["hard rock 60 %", "female vocalist 55 %"]
    colour = "(key) => getComputedStyle(key).backgroundColor"
    keys = card.locator(".chip .key").evaluate_all(f"(all) => all.map({colour})")
    assert keys == card.locator(".bars .key").evaluate_all(f"(all) => all.map({colour})")[:2]
    assert keys[0] == "rgb(30, 225, 225)"  # whatever the other genres are


def test_a_style_does_not_repeat_a_genre_beside_a_sure_one(visit: Visit) -> None:
    styles = [
        {"name": name, "probability": 0.8, "applies": True, "parent": None}
        for name in ("Rock", "elec-tronic", "lounge")
    ]
    card = answered_with(visit, **SEVERAL | {"styles": styles})
    assert chips(card, "Styles") == ["lounge 80 %"]


def test_one_genre_without_styles_is_not_repeated(answered: Visit) -> None:
    expect(answered.card(NAME).locator(".tags")).to_have_count(0)


def test_a_recording_that_changes(visit: Visit, tmp_path: Path) -> None:
    card = answered_with(visit, **CHANGES)
    expect(card.locator(".verdict")).to_have_text("Changes: rock, pop")
    expect(card.locator(".verdict strong")).to_have_text(["rock", "pop"])
    expect(visit.page.locator("#announcements")).to_contain_text(f"{NAME}: Changes: rock, pop.")
    assert chips(card, "Genres") == ["rock > hard rock 60 %"]
    expect(card.locator(".bars:not(.sure)")).to_be_visible()
    colours = "(all) => all.map((one) => getComputedStyle(one).color)"
    assert len(set(card.locator(".verdict strong").evaluate_all(colours))) == 2
    with visit.page.expect_download() as download:
        card.get_by_role("button", name="CSV").click()
    download.value.save_as(tmp_path / "changes.csv")
    [row] = csv.DictReader((tmp_path / "changes.csv").read_text("utf-8").splitlines())
    fields = (row["verdict"], row["genres"], row["changes"], row["snr"])
    assert fields == ("changes", "rock|pop", "rock|pop", "-4.6")


@pytest.mark.parametrize(
    ("snr", "noisy", "note"),
    [
        (-4.6, True, "too noisy to be sure: the music is about 5 dB quieter than the noise."),
        (6.2, False, "This clip is noisy: the music is about 6 dB louder than the noise."),
        (0.3, False, "This clip is noisy: the music is about as loud as the noise."),
        (25.0, False, ""),
        (None, False, ""),
    ],
)
def test_noise_is_noted(visit: Visit, snr: float | None, noisy: bool, note: str) -> None:
    card = answered_with(visit, snr=snr, noisy=noisy)
    notes = card.locator(".notes .note")
    if note:
        expect(notes).to_contain_text(note)
    else:
        expect(notes).to_have_count(0)


def test_headline_and_timeline_have_one_probability(visit: Visit, site: str) -> None:
    """A section that is the whole clip has the probability of the clip."""
    card = answered_with(visit, **SEVERAL)
    readout = card.locator(".player .readout")
    expect(readout).to_have_text("electronic, 60 %")
    card.get_by_role("slider").press("End")
    expect(readout).to_have_text("electronic, 60 %")
    expect(card.locator(".bars .percent").first).to_have_text("60 %")
    expect(card.locator(".share")).to_have_text("60 %")
    respond_with(visit)  # the response of the server
    visit.page.get_by_role("button", name=f"Remove {NAME}").click()
    visit.choose(CLIP)
    section = ask(site)["sections"][0]
    expect(visit.card(NAME).locator(".player .readout")).to_have_text(
        f"{section['genre']}, {100 * section['probability']:.0f} %"
    )


# ---------------------------------------------------------------------- choice of genres


def test_no_choice_if_the_model_has_other_genres(visit: Visit) -> None:
    visit.page.get_by_text("The genres are chords, clicks and noise.").wait_for()
    expect(visit.page.locator("#choice")).to_be_hidden()


def test_the_chosen_genres_are_sent(visit: Visit) -> None:
    models = json.dumps([{"labels": SIXTEEN}])
    visit.page.route("**/v1/models", lambda route: route.fulfill(body=models))
    visit.page.reload()
    visit.page.get_by_text("Options", exact=True).click()
    choice = visit.page.get_by_role("combobox", name="Genres", exact=True)
    options = ["all 16", "the ten of GTZAN", "the nine of 2018"]
    expect(choice.get_by_role("option")).to_have_text(options)
    respond_with(visit, **SEVERAL)
    sent = []
    for option in options:
        choice.select_option(option)
        with visit.page.expect_request("**/v1/classify*") as request:
            visit.choose(CLIP)
        sent.append(parse_qs(urlsplit(request.value.url).query).get("genres"))
    assert sent == [None, [",".join(["blues", *NINE])], [",".join(NINE)]]
