"""Candidate weights of feature spaces (bands), drawn from the simplex.

Dupré la Tour, Eickenberg, Nunez-Elizalde and Gallant 2022, NeuroImage 264, 119728, section 2.3.5:
weights γ come from Dirichlet distributions of several concentrations, and each is tried with every
alpha; log(γ / α) are himalaya's ``deltas``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neurodecode.core.errors import DataError

CONCENTRATIONS = (0.1, 1.0)


def make_band_weights(
    n_bands: int,
    n_candidates: int,
    concentrations: Sequence[float] = CONCENTRATIONS,
    seed: int = 0,
) -> np.ndarray:
    """Return candidate weights: the centre, the corners, then random ones.

    The centre is plain ridge; a corner is the model of one band alone, which no draw is.

    Parameters
    ----------
    n_bands : int
    n_candidates : int
        In all; fewer than 1 + n_bands leave corners out. One band has one candidate.
    concentrations : sequence of float
        Of the Dirichlet distributions, taken in turn. 1 is uniform; below, most of the weight
        lies on one band.
    seed : int

    Returns
    -------
    weights : array of float64, shape (n_candidates, n_bands)
        Each row sums to one.

    Examples
    --------
    >>> make_band_weights(2, 3)
    array([[0.5, 0.5],
           [1. , 0. ],
           [0. , 1. ]])
    """
    if n_bands < 1 or n_candidates < 1 or not len(concentrations) or min(concentrations) <= 0:
        raise DataError(
            f"band weights: {n_bands} bands, {n_candidates} candidates, concentrations "
            f"{list(concentrations)}. Allowed: one or more of each, and positive concentrations."
        )
    centre = np.full((1, n_bands), 1 / n_bands)
    if n_bands == 1:
        return centre
    fixed = np.concatenate([centre, np.eye(n_bands)])[:n_candidates]
    rng = np.random.default_rng(seed)
    drawn = np.empty((n_candidates - len(fixed), n_bands))
    for i in range(len(drawn)):
        drawn[i] = rng.dirichlet(np.full(n_bands, concentrations[i % len(concentrations)]))
    return np.concatenate([fixed, drawn])


def check_band_weights(weights: np.ndarray, n_bands: int) -> np.ndarray:
    """Return given candidates as float64, or raise DataError if they are none.

    Parameters
    ----------
    weights : array, shape (n_candidates, n_bands)
        Zero or more; only their ratios matter beside the alphas, so that they need not sum to one.
    """
    weights = np.atleast_2d(np.asarray(weights, np.float64))
    fits = weights.ndim == 2 and weights.shape[1] == n_bands and len(weights) > 0
    if not fits or not np.isfinite(weights).all() or (weights < 0).any():
        raise DataError(
            f"band weights: an array of shape {weights.shape} for {n_bands} bands. Allowed: finite "
            "numbers of zero or more, one row per candidate and one column per band."
        )
    empty = np.flatnonzero(weights.sum(axis=1) == 0)
    if len(empty):
        raise DataError(
            f"band weights: candidate {empty[0]} gives no band any weight. Allowed: one positive "
            "weight or more. Drop it."
        )
    return weights
