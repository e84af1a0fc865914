"""Single-trial betas: least squares all or separate, the response that fits, and shrinkage.

all       one model with a column per trial. Close trials share their variance badly, and the
          betas of neighbours come out anticorrelated.
separate  one model per trial: its column, and one of all other trials (Mumford et al. 2012,
          NeuroImage 59:2636), or one of the others of each trial type (Turner et al. 2012,
          Journal of Neurophysiology 107:1).
ridge     least squares all, shrunk to a fraction of its length (numerics/fractional_ridge.py), as
          in GLMsingle (Prince et al. 2022, eLife 11:e77599). There the fraction is of all runs at
          once; here of each run, so that nothing crosses its edge.

All are matrices on the products of trials and data; no model is fitted trial by trial.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neurodecode.numerics.fractional_ridge import Rotation, fit_fractional_ridge
from neurodecode.numerics.single_trial_design import RunDesign


def make_separate_operator(gram: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return the matrix that turns products into betas by least squares separate.

    Parameters
    ----------
    gram : array, shape (n_trials, n_trials)
        Products of the trials' columns, nuisance projected out.
    groups : array of int, shape (n_trials,)
        Other trials of one group share a column; all 0 for one column of all others.

    Returns
    -------
    operator : array, shape (n_trials, n_trials)
        ``operator @ (trials.T @ data)`` are the betas.
    """
    n = len(gram)
    operator = np.empty((n, n))
    for trial in range(n):
        rest = np.arange(n) != trial
        sums = [rest & (groups == g) for g in np.unique(groups[rest])]
        merge = np.stack([~rest, *sums], axis=1).astype(np.float64)
        # pinv: others that all lie outside the scans, or depend on the trial, change nothing
        operator[trial] = np.linalg.pinv(merge.T @ gram @ merge, hermitian=True)[0] @ merge.T
    return operator


def score_hrfs(
    designs: Sequence[RunDesign], data: Sequence[np.ndarray], *, cross_validated: bool
) -> np.ndarray:
    """Return how well each response of the library explains each voxel, as R².

    Parameters
    ----------
    designs : sequence of RunDesign
    data : sequence of arrays, shape (n_scans, n_voxels)
        Of each run.
    cross_validated : bool
        Each run predicted from the betas of the others: the mean beta of its stimulus, or, of a
        stimulus not shown in them, the mean beta of all. Else by least squares all on the run
        itself, which is what GLMsingle compares; with nearly as many trials as scans it tells
        little.

    Returns
    -------
    r2 : array, shape (n_hrfs, n_voxels)
        Of the variance left by the nuisance, over all runs; NaN where none is left.
    """
    n_hrfs, n_voxels = len(designs[0].trials), data[0].shape[1]
    n_conditions = 1 + max(int(d.conditions.max(initial=-1)) for d in designs)
    r2 = np.empty((n_hrfs, n_voxels))
    for hrf in range(n_hrfs):
        products, squares = zip(*(d.read(hrf, y) for d, y in zip(designs, data, strict=True)),
                                strict=True)  # fmt: skip
        betas = [_solve(d.grams[hrf], c) for d, c in zip(designs, products, strict=True)]
        if cross_validated:
            betas = _predict_betas(designs, betas, n_conditions)
        explained = np.zeros(n_voxels)
        for design, c, beta in zip(designs, products, betas, strict=True):
            explained += (beta * (2 * c - design.grams[hrf] @ beta)).sum(axis=0)
        total = sum(squares)
        r2[hrf] = explained / np.where(total > 1e-12 * sum((y**2).sum(axis=0) for y in data),
                                       total, np.nan)  # fmt: skip
    return r2


def _predict_betas(
    designs: Sequence[RunDesign], betas: Sequence[np.ndarray], n_conditions: int
) -> list[np.ndarray]:
    """Return each run's betas as the other runs predict them."""
    sums = [
        _sum_conditions(d.conditions, b, n_conditions) for d, b in zip(designs, betas, strict=True)
    ]
    counts = [np.bincount(d.conditions, minlength=n_conditions) for d in designs]
    total, n_total = np.sum(sums, axis=0), np.sum(counts, axis=0)
    predicted = []
    for design, own, count in zip(designs, sums, counts, strict=True):
        rest, n_rest = total - own, n_total - count
        mean = rest.sum(axis=0) / max(1, n_rest.sum())
        known = (n_rest > 0)[design.conditions][:, None]
        of_condition = (rest / np.maximum(n_rest, 1)[:, None])[design.conditions]
        predicted.append(np.where(known, of_condition, mean))
    return predicted


def estimate_betas(
    designs: Sequence[RunDesign],
    data: Sequence[np.ndarray],
    hrf_of_voxel: np.ndarray,
    *,
    separate: bool,
    by_kind: bool = False,
) -> list[np.ndarray]:
    """Return least-squares betas of each run, (n_trials, n_voxels) each.

    Parameters
    ----------
    designs : sequence of RunDesign
    data : sequence of arrays, shape (n_scans, n_voxels)
    hrf_of_voxel : array of int, shape (n_voxels,)
    separate : bool
        Least squares separate, else all.
    by_kind : bool
        Of separate: the others of each trial type in a column of their own.
    """
    betas = [np.empty((d.trials.shape[2], len(hrf_of_voxel))) for d in designs]
    for hrf in np.unique(hrf_of_voxel):
        voxels = np.flatnonzero(hrf_of_voxel == hrf)
        for design, y, into in zip(designs, data, betas, strict=True):
            products = design.trials[hrf].T @ y[:, voxels]
            if separate:
                kinds = design.kinds if by_kind else np.zeros_like(design.kinds)
                into[:, voxels] = make_separate_operator(design.grams[hrf], kinds) @ products
            else:
                into[:, voxels] = _solve(design.grams[hrf], products)
    return betas


def estimate_ridge_betas(
    designs: Sequence[RunDesign],
    data: Sequence[np.ndarray],
    hrf_of_voxel: np.ndarray,
    fractions: np.ndarray,
) -> list[np.ndarray]:
    """Return ridge betas of each run at each fraction, (n_fractions, n_trials, n_voxels) each.

    Parameters
    ----------
    designs, data, hrf_of_voxel
        As estimate_betas takes them.
    fractions : array, shape (n_fractions,)
        Of the length of least squares, within each run.
    """
    n_voxels = len(hrf_of_voxel)
    betas = [np.empty((len(fractions), d.trials.shape[2], n_voxels)) for d in designs]
    for hrf in np.unique(hrf_of_voxel):
        voxels = np.flatnonzero(hrf_of_voxel == hrf)
        for design, y, into in zip(designs, data, betas, strict=True):
            rotation = Rotation.of(design.trials[hrf])
            into[:, :, voxels] = fit_fractional_ridge(rotation, y[:, voxels], fractions)[0]
    return betas


def choose_fractions(
    designs: Sequence[RunDesign],
    shrunk: Sequence[np.ndarray],
    unshrunk: Sequence[np.ndarray],
) -> np.ndarray:
    """Choose, for each voxel, the fraction whose betas predict those of other runs best.

    Each run is left out in turn: the mean shrunk beta of a stimulus over the other runs against
    its unshrunk betas in this one, squared error, both without the mean over the run's trials.

    Parameters
    ----------
    designs : sequence of RunDesign
    shrunk : sequence of arrays, shape (n_fractions, n_trials, n_voxels)
    unshrunk : sequence of arrays, shape (n_trials, n_voxels)

    Returns
    -------
    chosen : array of int, shape (n_voxels,)
        Index of the fraction; the largest of equals.

    Raises
    ------
    ValueError
        No stimulus is shown in two runs.
    """
    n_conditions = 1 + max(int(d.conditions.max(initial=-1)) for d in designs)
    centred = [b - b.mean(axis=1, keepdims=True) for b in shrunk]
    targets = [b - b.mean(axis=0) for b in unshrunk]
    counts = np.stack([np.bincount(d.conditions, minlength=n_conditions) for d in designs])
    if not ((counts > 0).sum(axis=0) > 1).any():
        raise ValueError("no stimulus is shown in two runs")
    errors = []
    for fraction in range(len(shrunk[0])):
        sums = [
            _sum_conditions(d.conditions, b[fraction], n_conditions)
            for d, b in zip(designs, centred, strict=True)
        ]
        total, error = np.sum(sums, axis=0), np.zeros(shrunk[0].shape[2])
        for design, own, count, target in zip(designs, sums, counts, targets, strict=True):
            n_rest = counts.sum(axis=0) - count
            tested = n_rest[design.conditions] > 0
            at = design.conditions[tested]
            predicted = (total[at] - own[at]) / n_rest[at][:, None]
            error += ((predicted - target[tested]) ** 2).sum(axis=0)
        errors.append(error)
    return len(errors) - 1 - np.argmin(np.stack(errors)[::-1], axis=0)


def rescale_betas(shrunk: np.ndarray, full: np.ndarray) -> np.ndarray:
    """Bring the shrunk betas of a run back to the scale and mean of least squares.

    By the straight line that brings them closest (GLMsingle's autoscaling): shrinkage then
    changes their pattern alone.

    Parameters
    ----------
    shrunk, full : arrays, shape (n_trials, n_voxels)
    """
    centred, mean = shrunk - shrunk.mean(axis=0), full.mean(axis=0)
    spread = (centred**2).sum(axis=0)
    slope = (centred * (full - mean)).sum(axis=0) / np.where(spread > 0, spread, np.inf)
    return slope * centred + mean


def _solve(gram: np.ndarray, products: np.ndarray) -> np.ndarray:
    """Return least squares; of trials that depend on each other, the shortest solution."""
    return np.linalg.pinv(gram, rcond=1e-10, hermitian=True) @ products


def _sum_conditions(conditions: np.ndarray, betas: np.ndarray, n_conditions: int) -> np.ndarray:
    sums = np.zeros((n_conditions, betas.shape[1]))
    np.add.at(sums, conditions, betas)
    return sums
