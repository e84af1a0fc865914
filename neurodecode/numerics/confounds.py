"""Confounds and drift out of time series, in one projection.

Everything that is to be removed forms one matrix: a constant, drift, frequencies, confounds. What
is left of a signal is its residual in least squares on all of it at once. Taken out one after the
other, each step brings back into the signal what an earlier one removed (Lindquist, Geuter, Wager,
Caffo 2019, Human Brain Mapping 40, 2358-2376). Band-pass is regression on cosines, too (Hallquist,
Hwang, Luna 2013, NeuroImage 82, 208-225), so that scans taken out by scrubbing leave no gap that
filtering would smear over: they are left out of the fit, as rows of the matrix.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurodecode.core.errors import DataError

FEWEST_FREE = 3  # degrees of freedom that must remain


@dataclass(frozen=True, eq=False)
class Projection:
    """What takes nuisance out of the signals of one run.

    Parameters
    ----------
    basis : array of float64, shape (n_kept, rank)
        Orthonormal over the scans that are kept, beside the constant.
    scores : array of float64, shape (n_scans, rank)
        The same columns at every scan.
    kept : array of bool, shape (n_scans,)
    """

    basis: np.ndarray
    scores: np.ndarray
    kept: np.ndarray

    @property
    def n_free(self) -> int:
        """Degrees of freedom that are left, the constant's counted off."""
        return len(self.basis) - self.basis.shape[1] - 1

    def apply(self, signals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return residuals of all scans, and each signal's mean over those that are kept.

        Parameters
        ----------
        signals : array, shape (n_scans, n_voxels)

        Returns
        -------
        residuals : array of float64, shape (n_scans, n_voxels)
            With mean 0 over the scans kept. At the others, what is left of them by the fit on
            those.
        mean : array of float64, shape (n_voxels,)
        """
        signals = np.asarray(signals, np.float64)
        mean = signals[self.kept].mean(axis=0)
        centred = signals - mean
        weights = self.basis.T @ centred[self.kept]
        return centred - self.scores @ weights, mean


def make_projection(regressors: np.ndarray, kept: np.ndarray, where: str) -> Projection:
    """Return the projection that takes regressors and a constant out.

    Parameters
    ----------
    regressors : array, shape (n_scans, n_regressors)
        Of one run, in any units; columns may repeat each other, or be zero.
    kept : array of bool, shape (n_scans,)
        Scans that the fit may use.
    where : str
        Names the run, for messages.

    Raises
    ------
    DataError
        Fewer than three degrees of freedom would be left.

    Examples
    --------
    >>> ramp = np.arange(6.0)[:, None]
    >>> residuals, mean = make_projection(ramp, np.ones(6, bool), "run").apply(2 * ramp + 1)
    >>> np.abs(residuals).max() < 1e-12, mean.tolist()
    (np.True_, [6.0])
    """
    columns = np.asarray(regressors, np.float64)
    kept = np.asarray(kept, bool)
    columns = columns - columns[kept].mean(axis=0)
    norms = np.linalg.norm(columns[kept], axis=0)
    # a constant, but for rounding, is in the projection already
    size = np.sqrt(kept.sum()) * np.abs(np.asarray(regressors, np.float64)).max(axis=0, initial=0)
    varies = norms > 1e-10 * np.maximum(size, np.finfo(np.float64).tiny)
    columns = columns[:, varies] / norms[varies]
    left, sizes, right = np.linalg.svd(columns[kept], full_matrices=False)
    floor = max(columns.shape) * np.finfo(np.float64).eps * sizes.max(initial=0)
    rank = int((sizes > max(floor, 1e-10 * sizes.max(initial=0))).sum())
    basis = left[:, :rank]
    scores = columns @ (right[:rank].T / sizes[:rank])
    made = Projection(basis, scores, kept)
    if made.n_free < FEWEST_FREE:
        raise DataError(
            f"{where}: {rank} regressors that differ and a constant are to be taken out of "
            f"{int(kept.sum())} scans, which leaves {max(made.n_free, 0)} degrees of freedom. "
            f"Allowed: {FEWEST_FREE} or more. Choose fewer columns, or lower the polynomial's "
            "degree, or leave low_pass_hz out."
        )
    return made


def interpolate_scans(signals: np.ndarray, kept: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    """Return signals whose other scans lie on straight lines between those kept.

    Parameters
    ----------
    signals : array, shape (n_scans, n_voxels)
    kept : array of bool, shape (n_scans,)
    times_s : array, shape (n_scans,)
        Ascending.

    Returns
    -------
    signals : array of float64, shape (n_scans, n_voxels)
        Before the first and after the last kept, as these.

    Examples
    --------
    >>> signals = np.array([[1.0], [9.0], [3.0]])
    >>> kept = np.array([True, False, True])
    >>> interpolate_scans(signals, kept, np.arange(3.0)).ravel().tolist()
    [1.0, 2.0, 3.0]
    """
    out = np.array(signals, np.float64)
    at, gaps = np.flatnonzero(kept), np.flatnonzero(~kept)
    after = np.searchsorted(at, gaps)
    before, after = at[np.maximum(after - 1, 0)], at[np.minimum(after, len(at) - 1)]
    span = times_s[after] - times_s[before]
    share = np.divide(
        times_s[gaps] - times_s[before], span, out=np.zeros(len(gaps)), where=span > 0
    )
    out[gaps] = (1 - share)[:, None] * out[before] + share[:, None] * out[after]
    return out
