"""HTML pages: values cannot become markup or break the page."""

from __future__ import annotations

import jinja2
import pytest

from genrelens import html


@pytest.fixture
def page(monkeypatch):
    """Return a function that renders a template given as text."""
    environment = html._environment().overlay(loader=jinja2.FunctionLoader(lambda name: name))
    monkeypatch.setattr(html, "_environment", lambda: environment)
    return html.render


def test_values_are_escaped(page):
    assert page("<b>{{ name }}</b>", name='<a> & "b"') == "<b>&lt;a&gt; &amp; &#34;b&#34;</b>"


def test_unprintable_characters_are_escaped(page):
    assert page("{{ name }}", name="a\x1bb\udcff\n") == r"a\x1bb\udcff\n"


def test_markup_of_the_templates_stays_markup(page):
    assert page("{% macro b(x) %}<b>{{ x }}</b>{% endmacro %}{{ b('<') }}") == "<b>&lt;</b>"


def test_a_missing_value_is_an_error(page):
    with pytest.raises(jinja2.UndefinedError):
        page("{{ name }}")


def test_a_line_cannot_break_within_a_percentage(page):
    assert page("{{ 0.834|percent }}, {{ 0.8345|percent(1) }}") == "83\xa0%, 83.5\xa0%"
