"""What voxels are selected by: reliability across repeats, or how well features predict them.

Reliability is the mean Pearson correlation, across stimuli, between any two repeats of them
(split-half reliability without averaging; as in Tarhan and Konkle 2020, who correlate halves).
The encoding score is that of voxelwise ridge on rows held out within those given.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from neurodecode.core.errors import DataError
from neurodecode.numerics.inner_folds import assign_folds
from neurodecode.numerics.ridge import RidgeOptions, fit_ridge_cv, predict_nested
from neurodecode.numerics.voxel_scores import HeldOut, Metric, score_voxels

MIN_STIMULI = MIN_ROWS = 3  # a correlation across two is ±1 whatever the voxel does


def compute_reliability(responses: np.ndarray, ids: np.ndarray, where: str = "") -> np.ndarray:
    """Return each voxel's mean correlation, across stimuli, between two repeats of them.

    Parameters
    ----------
    responses : array, shape (n_samples, n_voxels)
    ids : array of str, shape (n_samples,)
        Stimulus of each sample; the order of rows numbers the repeats.

    Returns
    -------
    reliability : array of float64, shape (n_voxels,)
        Mean over all pairs of repeats that three stimuli or more have; 0 for constant voxels.

    Raises
    ------
    DataError
        Fewer than three stimuli are repeated.

    Examples
    --------
    >>> ids = np.array(["a", "b", "c", "a", "b", "c"])
    >>> voxels = np.array([[1.0, 1], [2, 2], [3, 3], [1, 3], [2, 2], [3, 1]])
    >>> compute_reliability(voxels, ids).round(6).tolist()
    [1.0, -1.0]
    """
    _, item = np.unique(ids, return_inverse=True)
    item = item.ravel()
    order = np.argsort(item, kind="stable")
    starts = np.flatnonzero(np.r_[True, item[order][1:] != item[order][:-1]])
    counts = np.diff(np.r_[starts, len(order)])
    n_repeats = int(counts.max(initial=0))
    total, n_pairs = np.zeros(responses.shape[1]), 0
    for a, b in combinations(range(n_repeats), 2):
        both = starts[counts > b]
        if len(both) < MIN_STIMULI:
            continue
        total += _correlate_columns(responses[order[both + a]], responses[order[both + b]])
        n_pairs += 1
    if not n_pairs:
        raise DataError(
            f"{where or 'reliability'}: {int((counts > 1).sum())} of {len(counts)} stimuli are "
            f"shown more than once. Allowed: {MIN_STIMULI} repeated stimuli or more. Select by "
            "variance or roi instead, or split so that the training part holds repeats."
        )
    return total / n_pairs


def _correlate_columns(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a = np.asarray(a, np.float64) - a.mean(axis=0, dtype=np.float64)
    b = np.asarray(b, np.float64) - b.mean(axis=0, dtype=np.float64)
    length = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    return (a * b).sum(axis=0) / np.where(length > 0, length, np.inf)


def score_by_encoding(
    features: np.ndarray,
    responses: np.ndarray,
    groups: np.ndarray,
    *,
    alphas: Sequence[float],
    n_folds: int,
    metric: Metric,
    seed: int,
) -> np.ndarray:
    """Return how well each voxel is predicted from features, by cross-validation of these rows.

    Each fold is predicted by ridge fitted to the others. With several alphas each voxel takes the
    best by these same folds, which makes scores slightly optimistic, for all voxels alike.

    Parameters
    ----------
    features : array, shape (n_samples, n_features)
    responses : array, shape (n_samples, n_voxels)
    groups : array, shape (n_samples,)
        Rows of one group are held out together.
    alphas : sequence of float
        Positive, in units of the sum of squares of the features.
    metric : {"r", "r2"}
        Pearson's r within each fold, averaged by Fisher's z; or R², 1 minus the residual over the
        total sum of squares, both summed over folds, each about the fold's own mean.

    Returns
    -------
    scores : array of float64, shape (n_voxels,)
        NaN for voxels that are constant; r is 0 where the best prediction is a constant.

    Raises
    ------
    DataError
        An inner fold holds fewer than three rows.
    """
    folds = assign_folds(groups, n_folds, seed)
    least = int(np.bincount(folds).min())
    if least < MIN_ROWS:
        raise DataError(
            f"encoding score: an inner fold holds {least} of the {len(folds)} rows. Allowed: "
            f"{MIN_ROWS} or more, for a score within each. Lower n_inner_folds ({n_folds})."
        )
    options = RidgeOptions(
        scoring="r2" if metric == "r2" else "correlation", constant_targets="predict"
    )
    best: float | np.ndarray = float(alphas[0])
    if len(set(alphas)) > 1:
        best = fit_ridge_cv(features, responses, folds, alphas, options).best_alphas
    predicted = predict_nested(features, responses, folds, best, options)
    scores = score_voxels(HeldOut(predicted, responses, folds, groups), metric)
    return np.where(np.isnan(scores) & (np.ptp(responses, axis=0) > 0), 0.0, scores)
