"""Weights that carry values at some times to other times, within one run.

Every function returns a matrix of shape (n_new, n_old): values at the new times are its product
with those at the old ones.

lanczos   w(t) = sinc(c t) sinc(c t / a) for |c t| < a, else 0, with c the new sampling frequency
          and a the lobes of the window: a low-pass filter and a resampling in one, as is usual for
          the features of words (Duchon 1979, J. Applied Meteorology 18:1016; Huth et al. 2016,
          Nature 532:453). The cutoff frequency is c / 2.
"""

from __future__ import annotations

import numpy as np


def make_lanczos_weights(
    old_s: np.ndarray,
    new_s: np.ndarray,
    sfreq: float,
    n_lobes: int = 3,
    *,
    normalize: bool = False,
) -> np.ndarray:
    """Return the weights of a Lanczos filter.

    Parameters
    ----------
    old_s : array, shape (n_old,)
    new_s : array, shape (n_new,)
    sfreq : float
        c, hertz: 1 / t_r, or less for a stronger low-pass.
    n_lobes : int
        a.
    normalize : bool
        Weights of each new time add up to one: for values sampled from something that goes on
        all the time. Without, values add up: two words in a scan count twice.

    Examples
    --------
    >>> times = np.arange(4.0)
    >>> make_lanczos_weights(times, times, 1.0).round(12).tolist() == np.eye(4).tolist()
    True
    """
    lag = sfreq * (np.asarray(new_s, np.float64)[:, None] - np.asarray(old_s, np.float64))
    weights = np.where(np.abs(lag) < n_lobes, np.sinc(lag) * np.sinc(lag / n_lobes), 0.0)
    return _normalize(weights) if normalize else weights


def make_linear_weights(old_s: np.ndarray, new_s: np.ndarray) -> np.ndarray:
    """Return the weights of linear interpolation; before the first and after the last, theirs.

    Parameters
    ----------
    old_s : array, shape (n_old,)
        Ascending, without repeats.
    new_s : array, shape (n_new,)

    Examples
    --------
    >>> make_linear_weights(np.array([0.0, 2.0]), np.array([0.5, 9.0])).tolist()
    [[0.75, 0.25], [0.0, 1.0]]
    """
    old, new = np.asarray(old_s, np.float64), np.asarray(new_s, np.float64)
    weights = np.zeros((len(new), len(old)))
    right = np.clip(np.searchsorted(old, new), 1, max(1, len(old) - 1))
    rows = np.arange(len(new))
    if len(old) == 1:
        weights[:, 0] = 1.0
        return weights
    left = right - 1
    share = np.clip((new - old[left]) / (old[right] - old[left]), 0.0, 1.0)
    weights[rows, left] = 1 - share
    weights[rows, right] = share
    return weights


def make_box_weights(
    old_s: np.ndarray, new_s: np.ndarray, width_s: float, *, normalize: bool = False
) -> np.ndarray:
    """Return the weights of sums (or means) over a window that is centred on each new time.

    Parameters
    ----------
    old_s : array, shape (n_old,)
    new_s : array, shape (n_new,)
    width_s : float
        The window reaches from half of it before, inclusive, to half of it after.
    normalize : bool
        Means in place of sums; an empty window gives 0.

    Examples
    --------
    >>> make_box_weights(np.array([0.0, 0.5, 3.0]), np.array([0.0, 2.0]), 2.0).tolist()
    [[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
    """
    lag = np.asarray(old_s, np.float64) - np.asarray(new_s, np.float64)[:, None]
    weights = ((lag >= -width_s / 2) & (lag < width_s / 2)).astype(np.float64)
    return _normalize(weights) if normalize else weights


def _normalize(weights: np.ndarray) -> np.ndarray:
    total = weights.sum(axis=1, keepdims=True)
    usable = np.abs(total) > 1e-12
    return np.where(usable, weights, 0.0) / np.where(usable, total, 1.0)
