"""Shared by the tests of training."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module", autouse=True)
def no_curves() -> Iterator[None]:
    """Do not draw training curves, which takes longer than training on tiny clips.

    The session's run ``trained`` starts before this fixture, so its curves are drawn.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("genrelens.plots.plot_curves", lambda *_: None)
        yield
