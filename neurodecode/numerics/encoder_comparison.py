"""Two encoders' predictions of the same responses: swapped block by block, drawn again in pairs.

If neither predicts better, a block of scans (or all trials of a stimulus) might as well have been
predicted by the other: swapping the two within blocks permutes their difference (the paired
permutation test of Fisher 1935, on blocks). Sums of squares and products are additive over blocks,
so that the differences of all swaps of all voxels are matrix products of swaps and sums.

For r, predictions are standardised within each part first: r does not depend on their scale, but a
mixture of two scales would.

Where folds train each other's models, differences vary together by chance as scores do
(voxel_scores.py), and those of swaps are widened as null scores are. Ridge on 10 to 40 columns of
noise on either side, 4 folds, 3,000 voxels with and without signal that both know: 8 to 16 % had
p < 0.05 in r without it (R²: 6 to 11 %). Where the signal is strong it is more than is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from neurodecode.numerics.statistics import (
    Interval,
    number_groups,
    read_interval,
    standardize_columns,
)
from neurodecode.numerics.voxel_bootstrap import bootstrap_scores
from neurodecode.numerics.voxel_scores import HeldOut, Metric, score_voxels

BLOCK_BYTES = 1 << 25


@dataclass(frozen=True)
class Pair:
    """Predictions of two encoders, and the responses of the same rows.

    Parameters
    ----------
    first, second : HeldOut
        With equal responses, parts and units; units are what is swapped.
    """

    first: HeldOut
    second: HeldOut

    def take_voxels(self, columns: slice | np.ndarray) -> Pair:
        """Return some of the voxels."""
        return Pair(self.first.take_voxels(columns), self.second.take_voxels(columns))

    def compare(self, metric: Metric) -> np.ndarray:
        """Return the score of the first minus that of the second, per voxel."""
        return score_voxels(self.first, metric) - score_voxels(self.second, metric)


@dataclass(frozen=True)
class SwapTest:
    """Differences of all voxels, and what swaps reach.

    Parameters
    ----------
    difference, p, p_max : arrays, shape (n_voxels,)
        Two-sided; p_max is family-wise, by the largest absolute difference of each swap.
    """

    difference: np.ndarray
    p: np.ndarray
    p_max: np.ndarray


def draw_swaps(n_units: int, n_permutations: int, seed: int) -> np.ndarray:
    """Return which units are swapped, shape (n_swaps, n_units), the first of them none.

    All swaps are made where there are no more of them than twice ``n_permutations``.
    """
    if n_units <= np.log2(2 * n_permutations):
        return ((np.arange(2**n_units)[:, None] >> np.arange(n_units)) & 1).astype(bool)
    swaps = np.random.default_rng(seed).random((n_permutations + 1, n_units)) < 0.5
    swaps[0] = False
    return swaps


def swap_units(pair: Pair, metric: Metric, swaps: np.ndarray) -> np.ndarray:
    """Return the difference in scores when the predictions of some units are swapped.

    Parameters
    ----------
    swaps : array of bool, shape (n_swaps, n_units)
        Units are those of the pair, numbered in the order of their first row.

    Returns
    -------
    differences : array, shape (n_swaps, n_voxels)
    """
    units = number_groups(pair.first.units)
    signs = swaps.astype(np.float64)
    return _swap_r(pair, units, signs) if metric == "r" else _swap_r2(pair, units, signs)


def compute_swap_test(
    blocks: Iterable[tuple[slice, Pair]],
    n_voxels: int,
    metric: Metric,
    swaps: np.ndarray,
    stretch: float = 1.0,
) -> SwapTest:
    """Test the difference of all voxels, which come in blocks.

    Parameters
    ----------
    stretch : float
        By which the differences of swaps are widened (nulls.CROSSED, or 1).
    """
    difference, p = np.full((2, n_voxels), np.nan)
    maxima = np.zeros(len(swaps))
    size = max(1, BLOCK_BYTES // (8 * len(swaps)))
    for columns, pair in blocks:
        for start in range(0, columns.stop - columns.start, size):
            some = pair.take_voxels(slice(start, start + size))
            difference_here = some.compare(metric)
            reached = np.abs(swap_units(some, metric, swaps))
            reached[1:] *= stretch
            place = slice(columns.start + start, columns.start + start + len(difference_here))
            difference[place] = difference_here
            p[place] = _count(reached, np.abs(difference_here))
            np.fmax(maxima, np.fmax.reduce(reached, axis=1), out=maxima)
    observed = np.abs(difference)
    ordered = np.sort(maxima)
    hits = len(ordered) - np.searchsorted(ordered, observed - 1e-9, side="left")
    return SwapTest(difference, p, np.where(np.isfinite(observed), hits / len(ordered), np.nan))


def compute_summary_p(
    pair: Pair,
    metric: Metric,
    summarize: Callable[[np.ndarray], np.ndarray],
    swaps: np.ndarray,
    stretch: float = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Return summaries of the differences (median, means of regions), and their two-sided p."""
    observed = summarize(pair.compare(metric))
    reached = np.stack([summarize(row) for row in swap_units(pair, metric, swaps)])
    reached[1:] *= stretch
    return observed, _count(np.abs(reached), np.abs(observed))


def bootstrap_differences(
    pair: Pair,
    metric: Metric,
    summarize: Callable[[np.ndarray], np.ndarray],
    n_bootstrap: int,
    seed: int,
    *,
    by_part: bool,
) -> list[Interval]:
    """Return the interval of each summary of the differences, both encoders on the same draws."""
    n = pair.first.predicted.shape[1]
    both = HeldOut(
        np.concatenate([pair.first.predicted, pair.second.predicted], axis=1),
        np.concatenate([pair.first.measured, pair.second.measured], axis=1),
        pair.first.parts,
        pair.first.units,
    )
    draws, centre, n_units = bootstrap_scores(
        both, metric, lambda scores: summarize(scores[:n] - scores[n:]), n_bootstrap, seed,
        by_part=by_part,
    )  # fmt: skip
    if not len(draws):
        return [(float("nan"), float("nan"))] * len(centre)
    return [
        read_interval(column - np.nanmedian(column) + middle, n_units)
        for column, middle in zip(draws.T, centre, strict=True)
    ]


def _count(reached: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Share of swaps that reach what was observed; the first swap is what was observed."""
    hits = (reached >= observed - 1e-9).sum(axis=0)
    return np.where(np.isfinite(observed), hits / len(reached), np.nan)


def _swap_r(pair: Pair, units: np.ndarray, swaps: np.ndarray) -> np.ndarray:
    n_parts = int(pair.first.parts.max()) + 1
    total = np.zeros((2, len(swaps), pair.first.predicted.shape[1]))
    known = np.zeros(total.shape[2])
    for part in range(n_parts):
        rows = np.flatnonzero(pair.first.parts == part)
        a, b, y = (
            standardize_columns(v[rows].astype(np.float64))
            for v in (pair.first.predicted, pair.second.predicted, pair.first.measured)
        )
        which, code = np.unique(units[rows], return_inverse=True)
        swap = swaps[:, which]
        gained = [
            swap @ _sum_units(second - first, code, len(which))
            for first, second in ((a, b), (a**2, b**2), (a * y, b * y))
        ]
        n = len(rows)
        here = np.isfinite(a).all(axis=0) & np.isfinite(b).all(axis=0) & np.isfinite(y).all(axis=0)
        known += here
        for side, (one, sign) in enumerate(((a, 1.0), (b, -1.0))):
            mean = one.sum(axis=0) + sign * gained[0]
            square = (one**2).sum(axis=0) + sign * gained[1] - mean**2 / n
            cross = (one * y).sum(axis=0) + sign * gained[2]  # y has mean 0 and length 1
            with np.errstate(divide="ignore", invalid="ignore"):
                r = cross / np.sqrt(np.maximum(square, 0))
            z = np.arctanh(np.clip(r, -1 + 1e-12, 1 - 1e-12))
            total[side] += np.where(here, z, 0)
    first, second = np.tanh(total / np.where(known > 0, known, np.nan))
    return first - second


def _swap_r2(pair: Pair, units: np.ndarray, swaps: np.ndarray) -> np.ndarray:
    y = pair.first.measured.astype(np.float64)
    gained = (pair.second.predicted - y) ** 2 - (pair.first.predicted - y) ** 2
    gained = np.where(np.isfinite(gained), gained, 0)
    total = np.zeros(y.shape[1])
    for part in range(int(pair.first.parts.max()) + 1):
        inside = y[pair.first.parts == part]
        centred = inside - inside.mean(axis=0)
        total += np.where(np.isfinite(centred), centred**2, 0).sum(axis=0)
    by_unit = _sum_units(gained, units, int(units.max()) + 1)
    return (1 - 2 * swaps) @ by_unit / np.where(total > 0, total, np.nan)


def _sum_units(values: np.ndarray, code: np.ndarray, n_units: int) -> np.ndarray:
    sums = np.zeros((n_units, values.shape[1]))
    np.add.at(sums, code, values)
    return sums
