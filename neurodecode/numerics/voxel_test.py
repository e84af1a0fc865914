"""p-values of voxels that come in blocks: counted or from the tail, and over all of them.

Permutations are the same for every block, so that the maximum over voxels, the null of the median,
and, where clusters are asked for, whole null maps are put together block by block.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from neurodecode.numerics.nulls import Null
from neurodecode.numerics.statistics import correct_by_maximum, count_p
from neurodecode.numerics.tails import compute_tail_p
from neurodecode.numerics.voxel_scores import HeldOut, Metric, score_null, score_voxels

BLOCK_BYTES = 1 << 25  # of an array that holds all permutations of some voxels
MOST_FOR_MEDIAN = 25_000  # voxels, evenly spaced, whose null scores are kept for the median


@dataclass(frozen=True)
class VoxelTest:
    """Scores of all voxels, and what permuted predictions reach.

    Parameters
    ----------
    scores, p, p_max : arrays, shape (n_voxels,)
        p_max is family-wise, by the maximum statistic. NaN where a voxel has no score.
    null_mean : array, shape (n_voxels,)
        What permuted predictions reach on average.
    n_fitted : int
        Voxels whose p is from a fitted tail.
    maxima, medians : arrays, shape (n_permutations,)
        Over voxels; the median over 25,000 evenly spaced ones at most.
    maps : array of float32, shape (n_permutations, n_voxels), or None
    """

    scores: np.ndarray
    p: np.ndarray
    p_max: np.ndarray
    null_mean: np.ndarray
    n_fitted: int
    maxima: np.ndarray
    medians: np.ndarray
    maps: np.ndarray | None = None


def compute_voxel_test(
    blocks: Iterable[tuple[slice, HeldOut]],
    n_voxels: int,
    metric: Metric,
    null: Null,
    *,
    tail: bool = True,
    keep_maps: bool = False,
) -> VoxelTest:
    """Score voxels and permute their predictions, block by block.

    Parameters
    ----------
    blocks : iterable of (columns, HeldOut)
        Voxels in their order; each block is read when its turn comes.
    tail : bool
        Take small p-values from a generalised Pareto fit of the null's tail.
    keep_maps : bool
        Keep the null scores of all voxels, 4 bytes each, for corrections by clusters.
    """
    step = max(1, -(-n_voxels // MOST_FOR_MEDIAN))
    scores, p, null_mean = np.full((3, n_voxels), np.nan)
    maxima = np.full(null.n_permutations, -np.inf)
    thinned = np.full((null.n_permutations, -(-n_voxels // step)), np.nan, np.float32)
    maps = np.full((null.n_permutations, n_voxels), np.nan, np.float32) if keep_maps else None
    n_fitted = 0
    for columns, held in _divide(blocks, null.n_permutations):
        scores[columns] = score_voxels(held, metric)
        reached = score_null(held, metric, null)
        null_mean[columns] = reached.mean(axis=0)
        if tail:
            p[columns], fitted = compute_tail_p(reached, scores[columns])
            n_fitted += int(fitted.sum())
        else:
            p[columns] = count_p(reached, scores[columns])
        np.fmax(maxima, np.fmax.reduce(reached, axis=1), out=maxima)
        inside = np.arange(columns.start, columns.stop)
        kept = inside % step == 0
        thinned[:, inside[kept] // step] = reached[:, kept]
        if maps is not None:
            maps[:, columns] = reached
    known = np.isfinite(thinned).any(axis=0)
    medians = np.median(thinned[:, known], axis=1) if known.any() else np.full(len(maxima), np.nan)
    return VoxelTest(
        scores, p, correct_by_maximum(maxima, scores), null_mean, n_fitted, maxima,
        medians.astype(np.float64), maps,
    )  # fmt: skip


def iterate_null(held: HeldOut, metric: Metric, null: Null) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield the null scores of some voxels after others, as many as fit in memory."""
    for columns, some in _divide([(slice(0, held.predicted.shape[1]), held)], null.n_permutations):
        yield columns, score_null(some, metric, null)


def _divide(
    blocks: Iterable[tuple[slice, HeldOut]], n_permutations: int
) -> Iterator[tuple[slice, HeldOut]]:
    """Cut blocks of voxels so that all permutations of one fit in memory."""
    for columns, held in blocks:
        n = held.predicted.shape[1]
        size = max(1, BLOCK_BYTES // (8 * max(n_permutations, len(held.predicted))))
        for start in range(0, n, size):
            some = slice(start, min(start + size, n))
            yield (
                slice(columns.start + some.start, columns.start + some.stop),
                held.take_voxels(some),
            )
