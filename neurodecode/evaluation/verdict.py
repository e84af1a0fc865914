"""The rule by which an audit decides. No stage.

A claim is above its controls if it beats every one of them. Such an intersection-union test (Berger
1982, Technometrics 24(4)) keeps the level of its parts: with each comparison at 5 % or less, a
claim that is no better than one of its controls passes in at most 5 % of cases, however many
controls there are, and nothing need be corrected for their number. Claims are judged in an order
fixed before anything is seen: the first of the scores, and only if that is above, its fellow within
a category. No other claim is judged, so that none is picked for having come out well.

Controls are of two kinds. Shuffled brains, random and mean embeddings do without the brain: who is
above them reads it. The training item nearest to what was decoded reads the brain, too: who is
above it does more than copy. The verdict keeps the two apart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from neurodecode.numerics.statistics import compute_p

ALPHA = 0.05
FEWEST_UNITS = 10  # below, 95 % intervals of skewed differences leave out the truth too often
SHUFFLED, EXCHANGED, NEAREST = "shuffled_brain", "exchanged_truth", "nearest_training"
CEILINGS = ("true_features",)  # what a generator can do at best: nothing to be above of
ROUNDING = 1e-12  # scores that are equal may differ by so much
NAN = float("nan")

Outcome = Literal["beaten", "not beaten", "untold", "ceiling"]
State = Literal["above", "not above", "untold"]
Verdict = Literal[
    "identifies images",
    "identifies items",
    "identifies categories only",
    "above its controls",
    "no better than the nearest training item",
    "not above its controls",
    "cannot be told",
]


@dataclass(frozen=True)
class Comparison:
    """A claim beside one control.

    Parameters
    ----------
    control : str
        Its kind.
    value, low, high : float
        The control's own value; of a null its mean, without an interval.
    diff, diff_low, diff_high : float
        Result minus control, with its paired interval.
    null_sd, null_n, p : float
        Of a null.
    n_units : int
        Units of independence that the interval rests on.
    outcome : {"beaten", "not beaten", "untold", "ceiling"}
    why : str
        What makes it untold.
    """

    control: str
    value: float
    low: float = NAN
    high: float = NAN
    diff: float = NAN
    diff_low: float = NAN
    diff_high: float = NAN
    null_sd: float = NAN
    null_n: int = 0
    p: float = NAN
    n_units: int = 0
    outcome: Outcome = "untold"
    why: str = ""

    @property
    def name(self) -> str:
        """The control's kind for reading."""
        return self.control.replace("_", " ")


@dataclass(frozen=True)
class Judged:
    """A claim and all its comparisons.

    Parameters
    ----------
    claim : str
    value, low, high : float
    lower_is_better : bool
    comparisons : tuple of Comparison
    """

    claim: str
    value: float
    low: float
    high: float
    lower_is_better: bool
    comparisons: tuple[Comparison, ...]

    def list_controls(self, outcome: Outcome) -> list[Comparison]:
        """Return the comparisons with one outcome."""
        return [c for c in self.comparisons if c.outcome == outcome]

    @property
    def read(self) -> State:
        """Above if every control without the brain is beaten; one that is not decides."""
        found = [c.outcome for c in self.comparisons if c.control != NEAREST]
        return _join([outcome for outcome in found if outcome != "ceiling"])

    @property
    def copied(self) -> State:
        """Above if better than the nearest training item, or never held against it."""
        found = [c.outcome for c in self.comparisons if c.control == NEAREST]
        return _join(found) if found else "above"


def _join(outcomes: list[Outcome]) -> State:
    if "not beaten" in outcomes:
        return "not above"
    return "untold" if "untold" in outcomes or not outcomes else "above"


def compare_with_refits(null: np.ndarray, value: float, *, lower_is_better: bool) -> Comparison:
    """Compare a claim with the same claim of refits on shuffled brains.

    p = (1 + #{null at least as good}) / (1 + n) (Phipson and Smyth 2010).

    Parameters
    ----------
    null : array, shape (n_refits,)
        NaN, a refit that gave no value, counts as one at least as good.

    Examples
    --------
    >>> compare_with_refits(np.linspace(0.4, 0.6, 19), 0.7, lower_is_better=False).outcome
    'beaten'
    >>> compare_with_refits(np.linspace(0.4, 0.6, 18), 0.7, lower_is_better=False).outcome
    'untold'
    """
    known = null[np.isfinite(null)]
    p = compute_p(np.where(np.isfinite(null), null, value), value, lower_is_better=lower_is_better)
    mean = float(known.mean()) if len(known) else NAN
    outcome, why = _judge_p(p, len(null))
    return Comparison(
        SHUFFLED,
        mean,
        diff=value - mean,
        null_sd=float(known.std(ddof=1)) if len(known) > 1 else NAN,
        null_n=len(null),
        p=p,
        outcome=outcome,
        why=why,
    )


def compare_with_exchanges(
    value: float, null_mean: float, null_sd: float, p: float, *, null_n: int
) -> Comparison:
    """Compare a claim within a category with exchanges of the truth inside it, the models fixed.

    What knows the category and nothing else may pass shuffled brains, which know not even that;
    under these exchanges it does as well as with the truth. They are exact within a fold; across
    folds nearly so, since each fold's model has seen the others' truth.
    """
    outcome, why = _judge_p(p, null_n)
    return Comparison(
        EXCHANGED,
        null_mean,
        diff=value - null_mean,
        null_sd=null_sd,
        null_n=null_n,
        p=p,
        outcome=outcome,
        why=why,
    )


def compare_with_control(comparison: Comparison, *, lower_is_better: bool) -> Comparison:
    """Judge a comparison by the paired interval of its difference; ceilings are not judged.

    Examples
    --------
    >>> beside = Comparison("prior_only", 0.5, diff=0.1, diff_low=0.02, diff_high=0.2, n_units=40)
    >>> compare_with_control(beside, lower_is_better=False).outcome
    'beaten'
    """
    bound = -comparison.diff_high if lower_is_better else comparison.diff_low
    if comparison.control in CEILINGS:
        return replace(comparison, outcome="ceiling")
    if not np.isfinite(bound):
        return replace(comparison, why="there is no interval of the difference")
    if comparison.n_units < FEWEST_UNITS:
        why = f"{comparison.n_units} independent units are fewer than {FEWEST_UNITS}"
        return replace(comparison, why=why)
    return replace(comparison, outcome="beaten" if bound > ROUNDING else "not beaten")


def _judge_p(p: float, n: int) -> tuple[Outcome, str]:
    if not n:
        return "untold", "none were run"
    if not np.isfinite(p):
        return "untold", "there is no value"
    if 1 / (n + 1) > ALPHA:
        return "untold", f"{n} cannot bring p below {1 / (n + 1):.2g}, 19 or more can"
    return ("beaten" if p <= ALPHA else "not beaten"), ""


def decide(of: str, first: Judged, within: Judged | None) -> Verdict:
    """Return the verdict.

    Showing the training item nearest to what was decoded reads the brain, too. Who equals it has
    generated nothing, but may well have identified something: it is told apart from the controls
    that do without the brain.

    Parameters
    ----------
    of : str
        What was scored: "image" or anything else.
    first : Judged
        The first claim.
    within : Judged or None
        Its fellow among candidates of one category.
    """
    if first.read != "above":
        return "cannot be told" if first.read == "untold" else "not above its controls"
    if within is not None and within.read == "not above":
        return "identifies categories only"
    if first.copied == "untold":
        return "cannot be told"
    if first.copied == "not above":
        return "no better than the nearest training item"
    if within is None or "untold" in (within.read, within.copied) or within.copied == "not above":
        return "above its controls"
    return "identifies images" if of == "image" else "identifies items"
