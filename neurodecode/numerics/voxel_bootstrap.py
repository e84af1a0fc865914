"""Bootstrap intervals of the median score over voxels, and of each region's mean.

Rows are drawn by unit of independence (a stimulus with its presentations, a block of scans) within
each held-out part, or whole parts are drawn. Voxels are never the unit: they are measured together.
A draw costs one matrix product per sum (voxel_scores.Sums).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from neurodecode.numerics.statistics import Interval, bootstrap_counts, read_interval
from neurodecode.numerics.voxel_scores import HeldOut, Metric, Sums, score_voxels, sum_parts

DRAWS_AT_ONCE = 50
FEWEST_UNITS = 3

Summary = Callable[[np.ndarray], np.ndarray]


def bootstrap_median(
    held: HeldOut, metric: Metric, n_bootstrap: int, seed: int, *, by_part: bool = False
) -> Interval:
    """Return the bootstrap interval of the median score over voxels.

    Units are resampled within each part. Where a part holds fewer than three units, or with
    ``by_part``, whole parts are resampled. Drawing units twice takes variance out of the measured
    responses, which biases R² downwards in every draw; the draws are therefore centred on the
    score itself (bias-corrected percentiles).

    Returns
    -------
    low, high : float
        NaN where there is but one part to resample.
    """
    draws, centre, n_units = bootstrap_scores(
        held, metric, lambda scores: np.array([_median(scores)]), n_bootstrap, seed,
        by_part=by_part,
    )  # fmt: skip
    if not len(draws):
        return float("nan"), float("nan")
    return read_interval(draws[:, 0] - _median(draws[:, 0]) + centre[0], n_units)


def bootstrap_scores(
    held: HeldOut,
    metric: Metric,
    summarize: Summary,
    n_bootstrap: int,
    seed: int,
    *,
    by_part: bool = False,
) -> tuple[np.ndarray, np.ndarray, int]:
    """Return what a summary of the voxels' scores is in every draw.

    Parameters
    ----------
    summarize : function of scores, shape (n_voxels,), to an array, shape (n_summaries,)
    by_part : bool
        Draw whole parts even where they hold enough units.

    Returns
    -------
    draws : array, shape (n_bootstrap, n_summaries)
        No rows where there is but one part to draw.
    observed : array, shape (n_summaries,)
    n_units : int
        Independent units drawn from.
    """
    rng = np.random.default_rng(seed)
    observed = summarize(score_voxels(held, metric))
    n_parts = int(held.parts.max()) + 1
    parts = [np.flatnonzero(held.parts == part) for part in range(n_parts)]
    units = [np.unique(held.units[rows], return_inverse=True)[1] for rows in parts]
    if by_part or min(int(unit.max()) + 1 for unit in units) < FEWEST_UNITS:
        return _draw_parts(held, metric, summarize, n_bootstrap, rng), observed, n_parts
    draws = []
    for start in range(0, n_bootstrap, DRAWS_AT_ONCE):
        size = min(DRAWS_AT_ONCE, n_bootstrap - start)
        drawn = [
            _draw_sums(held, rows, bootstrap_counts(int(u.max()) + 1, size, rng)[:, u])
            for rows, u in zip(parts, units, strict=True)
        ]
        for i in range(size):
            stacked = (np.stack([part[k][i] for part in drawn]) for k in range(4))
            draws.append(summarize(Sums(*stacked).score(metric)))
    return np.array(draws), observed, sum(int(u.max()) + 1 for u in units)


def count_units(units: np.ndarray, parts: np.ndarray) -> int:
    """Return the fewest units that any part holds."""
    return min(len(np.unique(units[parts == part])) for part in np.unique(parts))


def cut_units(n_rows: int, segments: Sequence[np.ndarray], block_rows: int) -> np.ndarray:
    """Return blocks of scans as units: whole blocks of each segment, the last of them longer.

    Examples
    --------
    >>> cut_units(7, [np.arange(5), np.array([6, 5])], 2)
    array([0, 0, 1, 1, 1, 2, 2])
    """
    units, n = np.zeros(n_rows, np.int64), 0
    for rows in segments:
        n_blocks = max(1, len(rows) // block_rows)
        units[rows] = n + np.minimum(np.arange(len(rows)) // block_rows, n_blocks - 1)
        n += n_blocks
    return units


def _draw_sums(
    held: HeldOut, rows: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the sums of one part under row counts (n_draws, n_rows); (n_draws, n_voxels) each."""
    x, y = held.predicted[rows].astype(np.float64), held.measured[rows].astype(np.float64)
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    shift = held.predicted[rows].mean(axis=0) - held.measured[rows].mean(axis=0)
    w = counts.astype(np.float64)
    n = w.sum(axis=1, keepdims=True)
    sx, sy = w @ x, w @ y
    xx, yy = w @ x**2 - sx**2 / n, w @ y**2 - sy**2 / n
    # Draws of one row over and over leave rounding error for variance.
    floor = 1e-12 * (x**2).sum(axis=0), 1e-12 * (y**2).sum(axis=0)
    xx, yy = np.where(xx > floor[0], xx, 0), np.where(yy > floor[1], yy, 0)
    return xx, yy, w @ (x * y) - sx * sy / n, n * ((sx - sy) / n + shift) ** 2


def _draw_parts(
    held: HeldOut,
    metric: Metric,
    summarize: Summary,
    n_bootstrap: int,
    rng: np.random.Generator,
) -> np.ndarray:
    sums = sum_parts(held)[0]
    n_parts = len(sums.xx)
    if n_parts < 2:
        return np.empty((0, 1))
    drawn = rng.integers(n_parts, size=(n_bootstrap, n_parts))
    return np.array(
        [
            summarize(Sums(sums.xx[k], sums.yy[k], sums.xy[k], sums.offset[k]).score(metric))
            for k in drawn
        ]
    )


def _median(scores: np.ndarray) -> float:
    return float(np.nanmedian(scores)) if np.isfinite(scores).any() else float("nan")
