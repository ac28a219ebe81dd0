"""The page of the API."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support.browser import Visit, expect
from support.page_clips import BAD, CLIP, NAME

pytestmark = pytest.mark.slow


@pytest.fixture(params=["dark", "light"])
def docs(request: pytest.FixtureRequest, enter: Callable[..., Visit]) -> Visit:
    visit = enter(color_scheme=request.param)
    visit.page.get_by_role("link", name="API").click()
    visit.page.get_by_role("heading", name="POST /v1/classify").wait_for()
    return visit


def test_axe_finds_nothing(docs: Visit) -> None:
    pytest.importorskip("axe_playwright_python", reason="needs axe-playwright-python")
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(docs.page)
    assert found.violations_count == 0, found.generate_report()
    assert len(found.response["passes"]) > 10


def test_operations_and_documents_are_described(docs: Visit) -> None:
    heads = docs.page.locator(".operation > h2").all_inner_texts()
    assert [" ".join(head.split()) for head in heads] == [
        "POST /v1/classify",
        "GET /v1/models",
        "GET /v1/limits",
        "GET /v1/examples",
        "GET /healthz",
    ]
    row = docs.page.locator("#schema-Section tr", has=docs.page.get_by_text("verdict", exact=True))
    expect(row).to_contain_text('"genre", "not sure", "not music", "silence"')
    docs.page.locator("#classify").get_by_role("link", name="PredictionDocument").click()
    expect(docs.page.locator("#schema-PredictionDocument")).to_be_in_viewport()


def test_requests_can_be_tried(docs: Visit) -> None:
    classify = docs.page.locator("#classify")
    classify.locator("input[type=file]").set_input_files([CLIP])
    classify.get_by_label("timeline").check()
    classify.get_by_role("button", name="Send classify").click()
    response = classify.get_by_role("status")
    expect(response).to_contain_text("200 OK")
    expect(response).to_contain_text(f'"path": "{NAME}"')
    expect(response).to_contain_text('"sections":')
    classify.locator("input[type=file]").set_input_files([BAD])
    classify.get_by_role("button", name="Send classify").click()
    expect(response).to_contain_text("422")
    expect(response).to_contain_text("is not audio")
