"""What a map shows of its scores: thresholds, opacity, shares of the ceiling, and the words for it.

Below its threshold a value is hidden, or fades with the square of how near it comes, with a line
drawn where it passes: Taylor et al. 2023, "Highlight results, don't hide them: Enhance
interpretation, reduce biases and improve reproducibility", NeuroImage 274, 120138. Where the
threshold is one of corrected p, nearness is log q / log threshold; there is no statistic of one
kind that every null has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from neurodecode.core.artifacts import Scores
from neurodecode.core.errors import DataError

UNITS = {"r": "r", "r2": "r²", "accuracy": "accuracy", "similarity": "similarity",
         "distance": "distance", "weight": "a.u."}  # fmt: skip
Below = Literal["fade", "hide"]


@dataclass(frozen=True)
class ShowRule:
    """What is shown, and how strongly; a stage of plotting documents these as its settings."""

    q_threshold: float | None = 0.05
    value_threshold: float | None = None
    below_threshold: Below = "fade"
    divide_by_ceiling: bool = False
    ceiling_min: float = 0.1


@dataclass(frozen=True, eq=False)
class MapValues:
    """What a map shows.

    Parameters
    ----------
    values : array of float64, shape (n,)
        In the unit of ``label``; NaN where there is none.
    passes : array of bool, shape (n,)
        Beyond the threshold.
    opacity : array of float64 in [0, 1], shape (n,)
        1 where a value passes.
    q : array of float64, shape (n,), or None
    rule : str
        The threshold in words.
    label : str
        What the values are, with their unit.
    chance : float or None
    notes : tuple of str
        Sentences for the caption.
    """

    values: np.ndarray
    passes: np.ndarray
    opacity: np.ndarray
    q: np.ndarray | None
    rule: str
    label: str
    chance: float | None
    notes: tuple[str, ...]

    @property
    def drawn(self) -> np.ndarray:
        """Values that colours must reach: those that pass; where none does, all there are."""
        return self.values[self.passes if self.passes.any() else np.isfinite(self.values)]


def choose_values(
    scores: Scores, rule: ShowRule, where: str, ceiling: Scores | None = None
) -> MapValues:
    """Return what a map shows of scores.

    Parameters
    ----------
    ceiling : Scores or None
        Noise ceilings of the same targets; None takes those inside the scores.
    where : str
        The stage, for messages.

    Raises
    ------
    DataError
        Values are to be divided by a ceiling that is absent, of other length, or in another unit.
    """
    values = np.asarray(scores.values, np.float64)
    unit, chance = UNITS[scores.scale], find_chance(scores)
    label = scores.metric if unit in scores.metric.lower().split() else f"{scores.metric} ({unit})"
    notes: list[str] = []
    ceilings = _read_ceilings(scores, ceiling, where)
    if rule.divide_by_ceiling:
        values = _divide(scores, values, ceilings, rule.ceiling_min, notes, where)
        label, unit = f"{label} / noise ceiling", "share of the ceiling"
        chance = 0.0 if chance is not None and abs(chance) < 1e-9 else None
    given = np.isfinite(values)
    passes, nearness, rules = given.copy(), np.ones(len(values)), []
    q = None if scores.q is None else np.asarray(scores.q, np.float64)
    if rule.q_threshold is not None and q is not None:
        near = _compute_nearness(q, rule.q_threshold)
        passes, nearness = passes & (q < rule.q_threshold), np.minimum(nearness, near)
        rules.append(f"q < {rule.q_threshold:g} (corrected over all targets)")
    if rule.value_threshold is not None:
        size = np.where(given, np.abs(values), 0.0)
        passes = passes & (size >= rule.value_threshold)
        nearness = np.minimum(nearness, np.clip(size / rule.value_threshold, 0, 1))
        rules.append(f"|{unit}| ≥ {rule.value_threshold:g}")
    faded = nearness**2 if rule.below_threshold == "fade" else np.zeros(len(values))
    opacity = np.where(passes, 1.0, np.where(given, faded, 0.0))
    if not rules:
        words = "No threshold"
        if scores.scale != "weight":
            words += ": values that may be chance are shown, too"
    elif rule.below_threshold == "hide":
        words = f"Shown where {' and '.join(rules)}"
    else:
        words = (
            f"In full colour and outlined where {' and '.join(rules)}, fading with the square of "
            "how near a value comes to that"
        )
    if ceilings is not None and not rule.divide_by_ceiling:
        inside = ceilings[passes & np.isfinite(ceilings)]
        if len(inside):
            notes.append(
                f"Median noise ceiling of what passes: {np.median(inside):.3g}, in the same unit; "
                "values are not divided by it."
            )
    if scores.scale == "weight":
        notes += scores.notices  # how far weights can be interpreted at all
    return MapValues(values, passes, opacity, q, words, label, chance, tuple(notes))


def _compute_nearness(q: np.ndarray, threshold: float) -> np.ndarray:
    """Return log q / log threshold, held within 0 and 1; 0 where there is no q."""
    if threshold >= 1:
        return np.where(q < 1, 1.0, 0.0)
    known = np.where(np.isfinite(q), np.clip(q, 1e-300, 1), 1.0)
    return np.clip(np.log(known) / np.log(threshold), 0, 1)


def _read_ceilings(scores: Scores, ceiling: Scores | None, where: str) -> np.ndarray | None:
    if ceiling is None:
        return None if scores.ceiling is None else np.asarray(scores.ceiling, np.float64)
    if ceiling.scale != scores.scale or ceiling.over != scores.over:
        raise DataError(
            f"{where}: the ceiling is {UNITS[ceiling.scale]} over {ceiling.over}, the score "
            f"{UNITS[scores.scale]} over {scores.over}. r and r² never mix. Make both in one unit."
        )
    if len(ceiling.values) != len(scores.values):
        raise DataError(
            f"{where}: the ceiling has {len(ceiling.values)} values, the score "
            f"{len(scores.values)}. Make it from the same responses."
        )
    return np.asarray(ceiling.values, np.float64)


def _divide(
    scores: Scores,
    values: np.ndarray,
    ceilings: np.ndarray | None,
    least: float,
    notes: list[str],
    where: str,
) -> np.ndarray:
    """Return shares of the ceiling, NaN where that is too low; say how many, and what exceeds 1."""
    if scores.scale not in ("r", "r2"):
        raise DataError(
            f"{where}: divide_by_ceiling: the scores are in units of {UNITS[scores.scale]}. "
            "Allowed: r and r², whose ceilings are shares. Leave divide_by_ceiling out."
        )
    if ceilings is None:
        raise DataError(
            f"{where}: divide_by_ceiling: the scores carry no noise ceiling. Give one: make it "
            "with evaluation.noise_ceiling and hand it to evaluation.encoding or to this step as "
            "'ceiling'."
        )
    given = np.isfinite(values)
    usable = given & (ceilings > least)
    if not usable.any():
        highest = np.nanmax(ceilings) if np.isfinite(ceilings).any() else float("nan")
        raise DataError(
            f"{where}: divide_by_ceiling: none of the {given.sum()} values has a ceiling above "
            f"ceiling_min, {least:g}; the highest is {highest:.3g}. Lower ceiling_min, or show the "
            "values undivided."
        )
    shares = np.where(usable, values / np.where(usable, ceilings, 1.0), np.nan)
    notes.append(
        f"Divided by the noise ceiling, in {UNITS[scores.scale]} like the values, where it is "
        f"above {least:g}; {int((given & ~usable).sum()):,} of {int(given.sum()):,} values have a "
        "lower one and are left out."
    )
    over = shares > 1
    if over.any():
        notes.append(
            f"{int(over.sum()):,} shares exceed 1 (the largest is {np.nanmax(shares):.3g}): there "
            "the ceiling was estimated too low, or the score by luck too high."
        )
    return shares


def find_chance(scores: Scores) -> float | None:
    """Return the chance level of the first claim that is not a control, or None."""
    for name, chance in zip(scores.summary["name"], scores.summary["chance"], strict=True):
        if not str(name).startswith("control: "):
            return float(chance) if np.isfinite(chance) else None
    return None
