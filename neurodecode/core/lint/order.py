"""Rules about time: neighbours on both sides of a split, blocks, places that give labels away.

The leakage check cannot see these: no step has looked at a test row. But what a test row shares
with the training rows beside it (an overlapping response, drift, sleepiness) can stand for what it
shows. Block designs decoded across time alone: Li et al. 2021, The perils and pitfalls of block
design for EEG classification experiments, IEEE TPAMI 43(1), 316-333.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurodecode.core.lint.findings import Found
from neurodecode.core.lint.sides import PLACES, Sides

# A haemodynamic response is back at its baseline after about 15 s, and mostly over after 10.
OVERLAP_S = 10.0
# Rows at the edge of a stretch held out within a run: fewer than these are told, not warned of.
FEW_NEIGHBOURS = 0.2
# How far from a random order: 4 standard deviations take one random design in 30,000 for blocks,
# and stretches half as long again as expected are more than a slight correction of a sequence.
RANDOM_Z = -4.0
LONGER = 1.5
# Fewer rows of a category can fall into one run by accident.
MIN_ROWS = 4
CONFINED = 0.5


def temporal_neighbours(sides: Sides) -> Found:
    """Test rows beside training rows of the same run."""
    window, in_seconds, what = _choose_window(sides)
    if window <= 0:
        return None
    near, n = sides.count(lambda fitted, test: _find_gaps(sides, fitted, in_seconds)[test] < window)
    if not near:
        return None
    span = f"{window:g} s" if in_seconds else f"{int(window) - 1:,} rows"
    lead = f"{near:,} of {n:,} test rows lie within {span} of a training row of their run"
    if what == "epochs":
        return "warning", (
            f"{lead}, and epochs are that long: both hold the same recorded samples. "
            "Split by run, or leave the rows between out."
        )
    if what == "series":
        severe = near >= FEW_NEIGHBOURS * n
        return "warning" if severe else "note", (
            f"{lead}: scans that close measure the same response. Split by run, or leave rows "
            "between the sides out."
        )
    return "note", (
        f"{lead}, and without categories it is unknown whether the order was random. If it was "
        "not, what is alike in time is decoded as if it were alike in content."
    )


def _choose_window(sides: Sides) -> tuple[float, bool, str]:
    """Return how near is too near (rows nearer than this), whether in seconds, and of what."""
    responses, timed = sides.responses, sides.timeline.onset_s is not None
    if responses is not None and responses.sfreq is not None and len(responses.data.shape) == 3:
        return (responses.data.shape[2] / responses.sfreq if timed else 0.0), True, "epochs"
    if responses is not None and responses.t_r is not None and _is_series(sides, responses.t_r):
        if timed:
            return OVERLAP_S, True, "series"
        return float(np.ceil(OVERLAP_S / responses.t_r)) + 1, False, "series"
    if sides.categories is not None or not timed:  # the order of categories tells more
        return 0.0, True, ""
    return OVERLAP_S, True, "trials"


def _is_series(sides: Sides, t_r: float) -> bool:
    """Tell scans from trials: rows without onsets, or no further apart than scans are."""
    line = sides.timeline
    if line.onset_s is None:
        return True
    same_run = np.diff(line.place[line.order]) == 0
    steps = np.diff(line.onset_s[line.order])[same_run]
    return len(steps) > 0 and float(np.median(steps)) < 1.5 * t_r


def _find_gaps(sides: Sides, fitted: np.ndarray, in_seconds: bool) -> np.ndarray:
    """Return the distance of each row to the nearest fitted row of its run, in s or rows."""
    line = sides.timeline
    order, place = line.order, line.place[line.order]
    at = line.onset_s[order] if in_seconds and line.onset_s is not None else np.arange(len(order))
    at = np.asarray(at, np.float64)
    gaps = np.full(len(order), np.inf)
    trained = np.flatnonzero(fitted[order])
    if len(trained):
        after = np.searchsorted(trained, np.arange(len(order)))
        for neighbour in (after - 1, after):
            inside = (neighbour >= 0) & (neighbour < len(trained))
            row = trained[np.clip(neighbour, 0, len(trained) - 1)]
            gap = np.where(inside & (place[row] == place), np.abs(at[row] - at), np.inf)
            gaps = np.minimum(gaps, gap)
    back = np.empty_like(gaps)
    back[order] = gaps
    return back


def block_design(sides: Sides) -> Found:
    """A label that stays the same over long stretches of a run."""
    for noun, labels in (("category", sides.categories), ("stimulus", sides.shown)):
        if labels is None:
            continue
        found = measure_stretches(labels[sides.timeline.order], _place_in_order(sides))
        if found is None or found.z > RANDOM_Z or found.mean < LONGER * found.expected:
            continue
        block = np.empty(len(labels), np.int64)
        block[sides.timeline.order] = found.block
        inside, n = sides.count(
            lambda fitted, test, block=block, labels=labels: (  # type: ignore[misc]
                np.isin(block[test], np.unique(block[fitted & (labels != "")]))
                & (labels[test] != "")
            )
        )
        return _word_blocks(sides, noun, found, inside, n)
    return None


def _word_blocks(sides: Sides, noun: str, found: Stretches, inside: int, n: int) -> Found:
    figures = (
        f"{noun} stays the same over {found.mean:.1f} rows on average "
        f"({found.expected:.1f} expected in random order)"
    )
    if not inside:
        return "note", f"{figures}. No such block lies on both sides of the split."
    figures += f", and {inside:,} of {n:,} test rows lie in a block of which other rows train"
    if sides.timeline.onset_s is None:
        return "warning", (
            f"{figures}. The rows have no onset_s, so that it is not known whether they come in "
            f"the order of time or were sorted. In time, whatever drifts tells each {noun}: give "
            "onset_s and run, or split by block (column:NAME)."
        )
    return "warning", (
        f"{figures}: whatever drifts tells each {noun}. Split by run, or by block (column:NAME)."
    )


def _place_in_order(sides: Sides) -> np.ndarray:
    return sides.timeline.place[sides.timeline.order]


@dataclass(frozen=True, eq=False)
class Stretches:
    """Stretches of equal labels, and those of the same labels in random order.

    Parameters
    ----------
    block : array of int, shape (n_rows,)
        Number of each row's stretch.
    n_rows, n_stretches : int
        Of rows with a label.
    n_expected, variance : float
        Of the number of stretches in random order.
    """

    block: np.ndarray
    n_rows: int
    n_stretches: int
    n_expected: float
    variance: float

    @property
    def mean(self) -> float:
        """Rows in a stretch, on average."""
        return self.n_rows / self.n_stretches

    @property
    def expected(self) -> float:
        """Rows in a stretch in random order."""
        return self.n_rows / self.n_expected

    @property
    def z(self) -> float:
        """How many standard deviations the number of stretches lies off; below 0 in blocks."""
        return float((self.n_stretches - self.n_expected) / np.sqrt(self.variance))


def measure_stretches(labels: np.ndarray, place: np.ndarray) -> Stretches | None:
    """Compare the stretches of equal labels with those of the same labels in random order.

    The number of stretches R of n labels in random order, n_k of each kind, has (Wald and
    Wolfowitz 1940; for several kinds Mood 1940), with S2 = sum n_k² and S3 = sum n_k³::

        E[R]   = 1 + (n² - S2) / n
        Var[R] = (S2 (S2 + n (n + 1)) - 2 n S3 - n³) / (n² (n - 1))

    Parameters
    ----------
    labels : array of str, shape (n_rows,)
        In order; "" for rows without one, which end a stretch and are not counted.
    place : array of int, shape (n_rows,)
        Stretches end with a run, and labels are exchanged within their run.

    Returns
    -------
    stretches : Stretches or None
        None where no run holds several labels in more than one possible order.

    Examples
    --------
    >>> found = measure_stretches(np.array(list("aaaabbbb")), np.zeros(8, int))
    >>> float(found.mean), round(float(found.expected), 2), round(float(found.z), 2)
    (4.0, 1.6, -2.29)
    """
    if not len(labels):
        return None
    codes = np.unique(labels, return_inverse=True)[1].ravel()
    starts = np.r_[True, (codes[1:] != codes[:-1]) | (place[1:] != place[:-1])]
    block = np.cumsum(starts)
    n_rows = n_stretches = 0
    expected = variance = 0.0
    for one in np.unique(place):
        inside = (place == one) & (labels != "")
        counts = np.bincount(codes[inside]).astype(np.float64)
        n, s2, s3 = counts.sum(), (counts**2).sum(), (counts**3).sum()
        if n < 2:
            continue
        expected += 1 + (n * n - s2) / n
        variance += (s2 * (s2 + n * (n + 1)) - 2 * n * s3 - n**3) / (n * n * (n - 1))
        n_rows += int(n)
        n_stretches += len(np.unique(block[inside]))
    if variance <= 1e-9:
        return None
    return Stretches(block, n_rows, n_stretches, expected, variance)


def confined_categories(sides: Sides) -> Found:
    """Categories that occur in one run (or session, or subject) only, which both sides hold."""
    values = sides.categories
    if values is None:
        return None
    names, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    counted = (counts >= MIN_ROWS) & (names != "")
    rows = counted[codes.ravel()]
    for level in reversed(PLACES):
        place = sides.number_places(level)
        n_places = int(place.max(initial=0)) + 1
        if n_places < 2 or not rows.any():
            continue
        table = np.zeros((len(names), n_places))
        np.add.at(table, (codes.ravel(), place), 1)
        alone = (table > 0).sum(axis=1) == 1
        share = float(counts[counted & alone].sum() / counts[counted].sum())
        # the chance that all of a category's rows fall into one place
        sizes = np.bincount(place[rows], minlength=n_places) / rows.sum()
        by_luck = (sizes[None] ** counts[counted][:, None]).sum(axis=1)
        expected = float((by_luck * counts[counted]).sum() / counts[counted].sum())
        if share < CONFINED or share < 2 * expected:
            continue
        both, n = sides.count(
            lambda fitted, test, place=place: np.isin(  # type: ignore[misc]
                place[test], np.unique(place[fitted])
            )
        )
        if both:
            return "warning", (
                f"{share:.0%} of the rows are of a category that occurs in one {level} only, and "
                f"for {both:,} of {n:,} test rows that {level} also trains: whatever sets it "
                f"apart tells the category. Split by {level}, or compare within it."
            )
    return None
