"""The design of one run for single-trial betas: a column per trial, and what is taken out with it.

Every function here deals with one run, and nothing crosses its edge. What is taken out (drift,
confounds, events of no interest, noise components) is projected out of trials and data alike, which
gives the betas of the joint fit (Frisch and Waugh 1933).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neurodecode.numerics.hrf_library import HrfShape, make_hrf_library

CUT_OFF = 0.1  # of the longest response: of a trial with less than this, betas are mostly noise
EMPTY = 1e-6  # of the longest column, after what is taken out


@dataclass(frozen=True)
class RunDesign:
    """What one run holds, for each response of the library.

    Parameters
    ----------
    trials : array, shape (n_hrfs, n_scans, n_trials)
        Nuisance projected out.
    nuisance : array, shape (n_hrfs, n_scans, n_nuisance)
        Orthonormal columns.
    grams : array, shape (n_hrfs, n_trials, n_trials)
    conditions : array of int, shape (n_trials,)
        Stimulus of each trial, numbered over all runs.
    kinds : array of int, shape (n_trials,)
        Trial type of each.
    """

    trials: np.ndarray
    nuisance: np.ndarray
    grams: np.ndarray
    conditions: np.ndarray
    kinds: np.ndarray

    def read(self, hrf: int, data: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return products with the trials, (n_trials, n_voxels), and squares that are left.

        Parameters
        ----------
        hrf : int
        data : array, shape (n_scans, n_voxels)
        """
        taken = self.nuisance[hrf].T @ data
        return self.trials[hrf].T @ data, (data**2).sum(axis=0) - (taken**2).sum(axis=0)


def make_run_design(
    times_s: np.ndarray,
    onsets_s: np.ndarray,
    durations_s: np.ndarray,
    conditions: np.ndarray,
    kinds: np.ndarray,
    shapes: Sequence[HrfShape],
    nuisance: np.ndarray,
    others: Sequence[tuple[np.ndarray, np.ndarray]] = (),
) -> RunDesign:
    """Return the design of one run.

    Parameters
    ----------
    times_s : array, shape (n_scans,)
        On the clock of the onsets.
    onsets_s, durations_s : arrays, shape (n_trials,)
        Seconds.
    conditions, kinds : arrays of int, shape (n_trials,)
    shapes : sequence of HrfShape
    nuisance : array, shape (n_scans, n_nuisance)
        Drift with a constant, confounds, noise components.
    others : sequence of (onsets_s, durations_s)
        Kinds of events of no interest, a column of each with the same response as the trials.
    """
    lags = times_s[:, None] - onsets_s
    columns = make_hrf_library(lags, tuple(shapes), durations_s)
    extra = [
        make_hrf_library(times_s[:, None] - onsets, tuple(shapes), durations).sum(axis=2)
        for onsets, durations in others
    ]
    bases = []
    for hrf in range(len(shapes)):
        both = np.column_stack([nuisance, *(one[hrf] for one in extra)])
        bases.append(_orthonormalize(both))
    # Events of no interest may depend on each other for one response alone; columns of zeros keep
    # the bases of one width.
    width = max(basis.shape[1] for basis in bases)
    taken = np.stack([np.pad(b, ((0, 0), (0, width - b.shape[1]))) for b in bases])
    trials = columns - taken @ (taken.transpose(0, 2, 1) @ columns)
    return RunDesign(trials, taken, trials.transpose(0, 2, 1) @ trials, conditions, kinds)


def find_cut_off(
    times_s: np.ndarray,
    onsets_s: np.ndarray,
    durations_s: np.ndarray,
    shapes: Sequence[HrfShape],
) -> np.ndarray:
    """Return the trials whose response the scans hardly see, by any response of the library.

    Parameters
    ----------
    times_s : array, shape (n_scans,)
    onsets_s, durations_s : arrays, shape (n_trials,)
    shapes : sequence of HrfShape

    Returns
    -------
    trials : array of int
        Whose column is shorter than a tenth of the longest.
    """
    columns = make_hrf_library(times_s[:, None] - onsets_s, tuple(shapes), durations_s)
    lengths = np.sqrt((columns**2).sum(axis=1))
    short = lengths < CUT_OFF * lengths.max(axis=1, keepdims=True)
    return np.flatnonzero((short | (lengths == 0)).any(axis=0))


def find_hidden(design: RunDesign) -> np.ndarray:
    """Return the trials whose response lies in what is taken out."""
    lengths = np.sqrt(np.diagonal(design.grams, axis1=1, axis2=2))
    return np.flatnonzero((lengths <= EMPTY * lengths.max(axis=1, keepdims=True)).any(axis=0))


def measure_dependence(design: RunDesign) -> float:
    """Return the largest condition number of the trials of a run over all responses."""
    return float(max(np.linalg.cond(gram) for gram in design.grams) ** 0.5)


def find_noise_components(design: RunDesign, data: np.ndarray, n_components: int) -> np.ndarray:
    """Return the principal components over time of voxels that do not respond.

    Kay et al. 2013 (GLMdenoise), Frontiers in Neuroscience 7:247: voxels are scaled to unit length,
    so that none outweighs the others.

    Parameters
    ----------
    design : RunDesign
        Its nuisance is taken out first.
    data : array, shape (n_scans, n_voxels)
        Of the voxels that do not respond.
    n_components : int

    Returns
    -------
    components : array, shape (n_scans, n_components)
        Orthonormal, the strongest first.
    """
    data = np.asarray(data, np.float64)
    left = data - design.nuisance[0] @ (design.nuisance[0].T @ data)
    length = np.sqrt((left**2).sum(axis=0))
    unit = left[:, length > 0] / length[length > 0]
    values, vectors = np.linalg.eigh(unit @ unit.T)
    order = np.argsort(-values, kind="stable")[:n_components]
    vectors = vectors[:, order]
    return vectors * np.where(vectors[np.abs(vectors).argmax(axis=0), range(len(order))] < 0, -1, 1)


def count_components(medians: np.ndarray) -> int:
    """Return how many noise components to take out: the fewest that gain nearly all there is.

    Parameters
    ----------
    medians : array, shape (1 + n_components,)
        R² across runs with 0, 1, ... components taken out.

    Returns
    -------
    n : int
        The first to reach 95 % of the largest gain (GLMdenoise's rule); 0 where none gains.

    Examples
    --------
    >>> count_components(np.array([0.10, 0.15, 0.199, 0.20, 0.18]))
    2
    """
    gains = medians - medians[0]
    return int(np.argmax(gains >= 0.95 * gains.max()))


def _orthonormalize(columns: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis of columns; those that depend on others add nothing."""
    length = np.sqrt((columns**2).sum(axis=0))
    scaled = columns / np.where(length > 0, length, 1.0)
    left, values, _ = np.linalg.svd(scaled, full_matrices=False)
    return left[:, values > 1e-8 * values.max(initial=0.0)]
