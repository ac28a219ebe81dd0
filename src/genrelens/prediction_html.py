"""A prediction as HTML for notebooks, without scripts and external resources."""

from __future__ import annotations

import html
from collections.abc import Sequence

from genrelens.percentages import percent, percent_significant
from genrelens.segmentation import Section

__all__ = ["prediction_html"]

# Text uses the colour of the notebook, except on a filled background.
_BAR = "background:#4a8bd0;height:0.8em;min-width:1px"
_GROUNDS = ("#cfe3f7", "#fbe0b8", "#d5efd0", "#f6d3dc", "#e3d7f4", "#cdeeee", "#efe6b4", "#e8d8c8")
_NO_GENRE = "#d6d6d6"


def prediction_html(
    source: str,
    headline: str,
    *,
    genres: Sequence[tuple[str, float]],
    several: Sequence[str],
    styles: Sequence[str],
    sections: Sequence[Section],
    duration: float,
) -> str:
    """Return the answer, a bar for each genre, and the timeline as HTML. All text is escaped.

    Args:
        source: name of the recording.
        headline: the answer.
        genres: genres with their probabilities, the most probable first.
        several: the genres that apply; shown if there are two or more.
        styles: the styles that apply.
        sections: sections of the timeline, in order.
        duration: length of the recording in seconds.

    """
    parts = [
        f"<div>{html.escape(source)} ({duration:.1f} s)</div>",
        f"<div><strong>{html.escape(headline)}</strong></div>",
        *([_bars(genres)] if genres else []),
        *([f"<div>Genres: {html.escape(', '.join(several))}</div>"] if several[1:] else []),
        *([f"<div>Styles: {html.escape(', '.join(styles))}</div>"] if styles else []),
        _timeline(sections, duration),
    ]
    return f'<div style="max-width:40em">{"".join(parts)}</div>'


def _bars(genres: Sequence[tuple[str, float]]) -> str:
    rows = "".join(
        f"<div>{html.escape(label)}</div>"
        f'<div style="text-align:right">{percent_significant(probability)}</div>'
        f'<div style="{_BAR};width:{100 * probability:.2f}%"></div>'
        for label, probability in genres
    )
    layout = "display:grid;grid-template-columns:max-content max-content 1fr;gap:0.1em 1em"
    return f'<div style="{layout};align-items:center;margin:0.5em 0">{rows}</div>'


def _timeline(sections: Sequence[Section], duration: float) -> str:
    """Draw a block for each section, with a width in proportion to its length."""
    genres = sorted({section.genre for section in sections if section.verdict == "genre"})
    grounds = {genre: _GROUNDS[i % len(_GROUNDS)] for i, genre in enumerate(genres)}
    blocks = []
    for section in sections:
        is_genre = section.verdict == "genre"
        name = html.escape(section.genre if is_genre else section.verdict)
        ground = grounds[section.genre] if is_genre else _NO_GENRE
        times = f"{_clock(section.start)} to {_clock(section.end)}"
        share = f" {percent(section.probability)}" if is_genre else ""
        left, width = (
            100 * seconds / (duration or 1)
            for seconds in (section.start, section.end - section.start)
        )
        blocks.append(
            f'<div title="{name}{share}, {times}" style="position:absolute;left:{left:.2f}%;'
            f"width:{width:.2f}%;background:{ground};color:#123;box-sizing:border-box;"
            f'padding:0 0.3em;overflow:hidden;white-space:nowrap">{name}</div>'
        )
    return f'<div style="position:relative;height:1.6em">{"".join(blocks)}</div>'


def _clock(seconds: float) -> str:
    """Return a time as minutes and seconds, for instance ``1:05``."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02}"
