"""Scores of predicted responses per voxel, with their null and the interval of their median.

Everything is expressed in sums of products within held-out parts, so that a permutation costs one
product and a bootstrap draw one matrix product per sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from neurodecode.core.progress import track
from neurodecode.numerics.statistics import (
    Interval,
    average_fisher_z,
    bootstrap_counts,
    list_exchangeable,
    read_interval,
    shuffle_units,
)

Metric = Literal["r", "r2"]
DRAWS_AT_ONCE = 50


@dataclass(frozen=True)
class HeldOut:
    """Predicted and measured responses of held-out rows.

    Parameters
    ----------
    predicted, measured : arrays, shape (n_rows, n_voxels)
        NaN in all rows of a part where a voxel was not selected.
    parts : array of int, shape (n_rows,)
        Fold or run within which a score is taken, from 0.
    units : array of int, shape (n_rows,)
        Unit of independence.
    """

    predicted: np.ndarray
    measured: np.ndarray
    parts: np.ndarray
    units: np.ndarray


@dataclass(frozen=True)
class Sums:
    """Sums of squares and products about the means of each part, (n_parts, n_voxels) each."""

    xx: np.ndarray
    yy: np.ndarray
    xy: np.ndarray
    offset: np.ndarray  # n (mean predicted - mean measured)²

    def score(self, metric: Metric, xy: np.ndarray | None = None) -> np.ndarray:
        """Return scores per voxel, (n_voxels,), with other products if they are given."""
        cross = self.xy if xy is None else xy
        if metric == "r":
            length = np.sqrt(self.xx * self.yy)
            r = cross / np.where(length > 0, length, np.nan)
            return average_fisher_z(np.clip(r, -1, 1))
        known = np.isfinite(self.yy)
        total = np.where(known, self.yy, 0).sum(axis=0)
        left = self.xx + self.yy - 2 * cross + self.offset
        residual = np.where(known, left, 0).sum(axis=0)
        return 1 - residual / np.where(total > 0, total, np.nan)


def score_voxels(held: HeldOut, metric: Metric) -> np.ndarray:
    """Return r (Fisher mean over parts) or R² (sums of squares over parts) of each voxel.

    Returns
    -------
    scores : array, shape (n_voxels,)
        NaN where a voxel is constant, or nowhere selected.
    """
    return _sum_parts(held)[0].score(metric)


def _sum_parts(held: HeldOut) -> tuple[Sums, np.ndarray, np.ndarray]:
    """Return the sums, and predictions and measurements centred within their part."""
    n_parts = int(held.parts.max()) + 1
    x, y = held.predicted.astype(np.float64), held.measured.astype(np.float64)
    shape = (n_parts, x.shape[1])
    xx, yy, xy, offset = (np.zeros(shape) for _ in range(4))
    for part in range(n_parts):
        rows = np.flatnonzero(held.parts == part)
        means = x[rows].mean(axis=0), y[rows].mean(axis=0)
        # A constant column minus its mean is rounding error, not variance.
        x[rows] = np.where(np.ptp(x[rows], axis=0) == 0, 0, x[rows] - means[0])
        y[rows] = np.where(np.ptp(y[rows], axis=0) == 0, 0, y[rows] - means[1])
        xx[part], yy[part] = (x[rows] ** 2).sum(axis=0), (y[rows] ** 2).sum(axis=0)
        xy[part] = (x[rows] * y[rows]).sum(axis=0)
        offset[part] = len(rows) * (means[0] - means[1]) ** 2
    return Sums(xx, yy, xy, offset), x, y


@dataclass(frozen=True)
class Null:
    """What exchanged predictions reach.

    Parameters
    ----------
    n_at_least : array of int, shape (n_voxels,)
        Permutations that reach the observed score or more.
    maxima, medians : arrays, shape (n_permutations,)
        Over voxels.
    """

    n_at_least: np.ndarray
    maxima: np.ndarray
    medians: np.ndarray


def permute_scores(
    held: HeldOut, metric: Metric, n_permutations: int, seed: int, observed: np.ndarray
) -> Null:
    """Exchange the predictions of units within parts and score again."""
    sums, x, y = _sum_parts(held)
    rng = np.random.default_rng(seed)
    places = list_exchangeable(held.units, held.parts)
    at_least = np.zeros(x.shape[1], np.int64)
    maxima, medians = np.full((2, n_permutations), np.nan)
    parts = [np.flatnonzero(held.parts == part) for part in range(len(sums.xx))]
    for i in track(range(n_permutations), "permutations"):
        moved = x[shuffle_units(places, len(x), rng)]
        xy = np.stack([np.einsum("ij,ij->j", moved[rows], y[rows]) for rows in parts])
        scores = sums.score(metric, xy)
        at_least += scores >= observed - 1e-12
        if np.isfinite(scores).any():
            maxima[i], medians[i] = np.nanmax(scores), np.nanmedian(scores)
    return Null(at_least, maxima, medians)


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
    rng = np.random.default_rng(seed)
    n_parts = int(held.parts.max()) + 1
    parts = [np.flatnonzero(held.parts == part) for part in range(n_parts)]
    units = [np.unique(held.units[rows], return_inverse=True)[1] for rows in parts]
    least = min(int(unit.max()) + 1 for unit in units)
    if by_part or least < 3:
        return _bootstrap_parts(held, metric, n_bootstrap, rng)
    draws = []
    for start in range(0, n_bootstrap, DRAWS_AT_ONCE):
        size = min(DRAWS_AT_ONCE, n_bootstrap - start)
        drawn = [
            _draw_sums(held, rows, bootstrap_counts(int(u.max()) + 1, size, rng)[:, u])
            for rows, u in zip(parts, units, strict=True)
        ]
        for i in range(size):
            stacked = (np.stack([part[k][i] for part in drawn]) for k in range(4))
            draws.append(_median(Sums(*stacked).score(metric)))
    shift = _median(score_voxels(held, metric)) - np.nanmedian(draws)
    return read_interval(np.array(draws) + shift, sum(int(u.max()) + 1 for u in units))


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


def _bootstrap_parts(
    held: HeldOut, metric: Metric, n_bootstrap: int, rng: np.random.Generator
) -> Interval:
    sums = _sum_parts(held)[0]
    n_parts = len(sums.xx)
    if n_parts < 2:
        return float("nan"), float("nan")
    drawn = rng.integers(n_parts, size=(n_bootstrap, n_parts))
    medians = [
        _median(Sums(sums.xx[k], sums.yy[k], sums.xy[k], sums.offset[k]).score(metric))
        for k in drawn
    ]
    return read_interval(np.array(medians), n_parts)


def _median(scores: np.ndarray) -> float:
    return float(np.nanmedian(scores)) if np.isfinite(scores).any() else float("nan")
