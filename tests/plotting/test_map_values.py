"""What a map shows of its scores: thresholds, fading, shares of the ceiling."""

from __future__ import annotations

import numpy as np
import pytest

from neurodecode.core.artifacts import Scores, Space
from neurodecode.core.errors import DataError
from neurodecode.plotting.map_values import MapValues, ShowRule, choose_values
from tests.plotting.plotting_data import make_map

SPACE = Space(kind="surface", mesh="fsaverage5", vertices=np.arange(5))
NAN = float("nan")


def make(**changes: object) -> Scores:
    return make_map(np.array([0.5, 0.2, -0.4, NAN, 0.1]), SPACE, **changes)


def choose(scores: Scores, ceiling: Scores | None = None, **rule: object) -> MapValues:
    return choose_values(scores, ShowRule(**rule), "here", ceiling)  # type: ignore[arg-type]


def test_nearness_to_corrected_p_is_a_share_of_its_logarithm() -> None:
    scores = make(q=np.array([0.001, 0.05, 0.05**0.5, 0.001, NAN]))
    shown = choose(scores)
    assert shown.passes.tolist() == [True, False, False, False, False]
    np.testing.assert_allclose(shown.opacity, [1, 1, 0.25, 0, 0])
    assert choose(scores, below_threshold="hide").opacity.tolist() == [1, 0, 0, 0, 0]
    assert choose(scores, q_threshold=1.0).passes.tolist() == [True, True, True, False, False]


def test_colours_reach_what_passes_or_all_there_is() -> None:
    assert choose(make(), value_threshold=0.3).drawn.tolist() == [0.5, -0.4]
    assert choose(make(), value_threshold=9.0).drawn.tolist() == [0.5, 0.2, -0.4, 0.1]


def test_the_farther_of_two_thresholds_counts() -> None:
    scores = make(q=np.array([0.001, 0.001, 0.05**0.5, 0.001, 0.5]))
    shown = choose(scores, value_threshold=0.4)
    assert shown.passes.tolist() == [True, False, False, False, False]
    np.testing.assert_allclose(
        shown.opacity, [1, 0.25, 0.25, 0, min(0.25, np.log(0.5) / np.log(0.05)) ** 2]
    )
    assert "q < 0.05" in shown.rule
    assert "|r| ≥ 0.4" in shown.rule
    assert "No threshold" in choose(make()).rule


def test_shares_of_the_ceiling_and_what_exceeds_it() -> None:
    shown = choose(
        make(ceiling=np.array([0.4, 0.1, 0.8, 0.9, NAN])), divide_by_ceiling=True, ceiling_min=0.1
    )
    np.testing.assert_allclose(shown.values, [1.25, NAN, -0.5, NAN, NAN])
    assert shown.passes.tolist() == [True, False, True, False, False]
    words = " ".join(shown.notes)
    assert "2 of 4 values have a lower one" in words
    assert "1 shares exceed 1 (the largest is 1.25)" in words
    assert "noise ceiling" in shown.label
    undivided = choose(make(ceiling=np.full(5, 0.6)))
    assert "not divided" in " ".join(undivided.notes)


@pytest.mark.parametrize(
    ("changes", "ceiling", "words"),
    [
        ({}, None, "carry no noise ceiling"),
        ({"scale": "accuracy", "ceiling": np.ones(5)}, None, "units of accuracy"),
        ({}, {"scale": "r2"}, "r and r² never mix"),
        ({"ceiling": np.full(5, 0.05)}, None, "none of the 4 values"),
    ],
)
def test_ceilings_that_cannot_be_divided_by(
    changes: dict[str, object], ceiling: dict[str, object] | None, words: str
) -> None:
    given = None if ceiling is None else make(**ceiling)
    with pytest.raises(DataError, match=words):
        choose(make(**changes), given, divide_by_ceiling=True)


def test_a_ceiling_of_its_own_step_is_used() -> None:
    ceiling = make_map(np.full(5, 0.5), SPACE)
    shown = choose(make(), ceiling, divide_by_ceiling=True)
    np.testing.assert_allclose(shown.values, [1, 0.4, -0.8, NAN, 0.2])
    with pytest.raises(DataError, match="has 4 values"):
        choose(make(), make_map(np.full(4, 0.5), SPACE), divide_by_ceiling=True)
