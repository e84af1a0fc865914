"""Correlation of each subject with the mean of the others: what they share, and no noise ceiling.

Of a model of subject s (after whatever averaging over repeats)

    y[s] = a[s] c + u[s] + e[s],

c being shared by all subjects and of variance 1, u[s] the signal that is the subject's own, of
variance U[s], and e[s] noise of variance N[s], the correlation with the mean of the S - 1 others
is, over many samples,

    r[s] = a[s] A / sqrt((a[s]² + U[s] + N[s]) (A² + Q / (S - 1))),

A the mean of the others' a, Q the mean of their U + N (the lower bound of Nili et al. 2014, PLoS
Computational Biology 10:e1003553, taken over responses; Hasson et al. 2004, Science 303:1634). It
rises with the number of subjects, to a[s] / sqrt(a[s]² + U[s] + N[s]): the part of the response
that is shared, where the noise ceiling of r is sqrt((a[s]² + U[s]) / (a[s]² + U[s] + N[s])). A
model of one subject may do better than the other subjects, and a model of the shared part may do
better than a few of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurodecode.numerics.ceiling_intervals import Interval, sum_blocks

MIN_SAMPLES = 4


@dataclass(frozen=True)
class Agreement:
    """Correlation of subjects with the mean of the others.

    Parameters
    ----------
    r : array, shape (n_subjects, n_voxels)
        NaN where a subject, or the mean of the others, is constant.
    influence : array, shape (n_subjects, n_samples, n_voxels)
        By how much arctanh(r) falls when a sample is left out.
    """

    r: np.ndarray
    influence: np.ndarray


def correlate_with_others(responses: np.ndarray) -> Agreement:
    """Correlate each subject with the mean of the others.

    Parameters
    ----------
    responses : array, shape (n_subjects, n_samples, n_voxels)
        Finite, in one space and unit; two subjects or more.

    Examples
    --------
    >>> shared = np.array([[1.0], [2], [4], [3]])
    >>> correlate_with_others(np.stack([shared, 2 * shared, -shared])).r.ravel().round(3)
    array([ 1., nan, -1.])
    """
    data = np.asarray(responses, np.float64)
    total, n = data.sum(axis=0), data.shape[1]
    r = np.empty((len(data), data.shape[2]))
    influence = np.empty(data.shape)
    for subject, own in enumerate(data):
        others = (total - own) / (len(data) - 1)
        x, y = _standardize(own), _standardize(others)
        r[subject] = np.clip((x * y).mean(axis=0), -1, 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            without = ((n - 1) * r[subject] - x * y) / np.sqrt((n - 1 - x**2) * (n - 1 - y**2))
            influence[subject] = np.arctanh(r[subject]) - np.arctanh(np.clip(without, -1, 1))
    return Agreement(r, influence)


def average_agreement(
    agreement: Agreement, blocks: np.ndarray, level: float = 0.95
) -> tuple[np.ndarray, Interval]:
    """Return the mean over subjects by Fisher's z, with its jackknife interval over samples.

    The interval holds for these very subjects: it says what other samples would have given, and
    nothing of other subjects.

    Parameters
    ----------
    agreement : Agreement
        Of one subject or more.
    blocks : array of int, shape (n_samples,)
        What is left out together (sum_blocks).
    level : float

    Returns
    -------
    mean : array, shape (n_voxels,)
    interval : Interval
    """
    from scipy.stats import t

    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.arctanh(agreement.r).mean(axis=0)
    changes = sum_blocks(agreement.influence.mean(axis=0), blocks)
    n_blocks = len(changes)
    with np.errstate(invalid="ignore"):
        spread = ((changes - changes.mean(axis=0)) ** 2).sum(axis=0)
    error = np.sqrt(spread * (n_blocks - 1) / n_blocks)
    reach = t.ppf((1 + level) / 2, n_blocks - 1) * error
    p = t.sf(z / np.where(error > 0, error, np.nan), n_blocks - 1)
    return np.tanh(z), Interval(np.tanh(z - reach), np.tanh(z + reach), p)


def expect_agreement(gain: np.ndarray, own: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Return the correlation with the mean of the others that the model in this file's head gives.

    Parameters
    ----------
    gain : array, shape (n_subjects, ...)
        a, of a shared signal of variance 1.
    own, noise : arrays, as gain
        Variances of the signal that is a subject's own, and of noise.

    Examples
    --------
    Three subjects alike, half of whose variance is shared:

    >>> expect_agreement(np.ones(3), np.full(3, 0.5), np.full(3, 0.5)).round(3)
    array([0.577, 0.577, 0.577])
    """
    gain, rest = np.asarray(gain, np.float64), np.asarray(own) + np.asarray(noise)
    n_others = len(gain) - 1
    of_others = (gain.sum(axis=0) - gain) / n_others
    rest_of_others = (rest.sum(axis=0) - rest) / n_others**2
    return gain * of_others / np.sqrt((gain**2 + rest) * (of_others**2 + rest_of_others))


def _standardize(values: np.ndarray) -> np.ndarray:
    """Centre columns and scale them to a mean square of 1; NaN where constant but for rounding."""
    centred = values - values.mean(axis=0)
    scale = np.sqrt((centred**2).mean(axis=0))
    rounding = 1e-12 * np.abs(values).max(axis=0)
    return centred / np.where(scale > rounding, scale, np.nan)
