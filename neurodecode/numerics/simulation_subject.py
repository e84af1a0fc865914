"""What simulated subjects share and where they differ.

Everything that varies is drawn as standard normal values twice, once for all subjects of a seed
and once for the subject, and mixed: subject = sqrt(1 - v²) shared + v own, with v the variability
in [0, 1]. Tuning weights are exponentials of such values, less most of their mean: untuned
inhibition across orientations (Morrone, Burr and Maffei 1982, Proc. R. Soc. B 216:335), without
which overall contrast would be half of all variance. Weights of the object units are such values
themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurodecode.numerics.simulation import (
    CHANNELS,
    OBJECT_AREA,
    VisualCode,
    compute_field_sizes,
)

N_UNITS = 32  # of the object code
SUPPRESSION = 0.8  # of the mean weight
GAIN_SPREAD = 0.3  # of log gain, over vertices
POSITION_JITTER = 0.5  # receptive field sizes, at full variability


@dataclass(frozen=True)
class Subject:
    """One subject's code, and what else is their own.

    Parameters
    ----------
    code : VisualCode
    gain : array, shape (n_vertices,)
        Factor of signal and noise alike.
    quality : array, shape (n_vertices,)
        Standard normal; its ranks give the noise ceilings.
    latency : array, shape (n_vertices,)
        Standard normal; haemodynamics earlier or later.
    """

    code: VisualCode
    gain: np.ndarray
    quality: np.ndarray
    latency: np.ndarray


def make_subject(
    areas: np.ndarray,
    centres_deg: np.ndarray,
    *,
    radius_deg: float,
    variability: float,
    shared: np.random.Generator,
    own: np.random.Generator,
) -> Subject:
    """Return a subject.

    Parameters
    ----------
    areas : array of int, shape (n_vertices,)
    centres_deg : array, shape (n_vertices, 2)
        Receptive fields before the subject's own shift.
    radius_deg : float
        Of the visual field; no centre is moved out of it, nor into the other half.
    variability : float
        In [0, 1]. Positions, retinotopic as they are, keep more in common than tuning does.
    shared, own : Generator
        In one and the same state for all subjects; and the subject's.
    """
    n = len(areas)

    def draw(*shape: int) -> np.ndarray:
        return vary(shared.standard_normal(shape), variability, own)

    units = shared.standard_normal((len(CHANNELS), N_UNITS))
    thresholds = 0.5 + 0.5 * shared.standard_normal(N_UNITS)
    tuning = np.exp(draw(n, len(CHANNELS)))
    tuning[:, :-1] -= SUPPRESSION * tuning[:, :-1].mean(axis=1, keepdims=True)
    tuning[:, -1] *= np.sign(shared.standard_normal(n))  # responds to lighter, or to darker
    object_tuning = draw(n, N_UNITS)
    late = (areas == OBJECT_AREA)[:, None]
    sizes = compute_field_sizes(areas, centres_deg)
    shift = POSITION_JITTER * variability * sizes[:, None] * own.standard_normal((n, 2))
    code = VisualCode(
        centres_deg=move_fields(centres_deg, shift, radius_deg),
        sizes_deg=sizes,
        tuning=np.where(late, 0, tuning),
        object_tuning=np.where(late, object_tuning, 0),
        object_units=units / np.linalg.norm(units, axis=0),
        object_thresholds=thresholds,
    )
    gain = np.exp(GAIN_SPREAD * (draw(n) + variability * own.standard_normal()))
    return Subject(code, gain, quality=draw(n), latency=draw(n))


def move_fields(centres_deg: np.ndarray, shift_deg: np.ndarray, radius_deg: float) -> np.ndarray:
    """Return centres moved, mirrored back into their half of the visual field, and kept in it."""
    moved = centres_deg + shift_deg
    moved[:, 0] = np.copysign(moved[:, 0], centres_deg[:, 0])
    distance = np.linalg.norm(moved, axis=1, keepdims=True)
    return moved * np.minimum(1, radius_deg / np.maximum(distance, 1e-9))


def vary(shared: np.ndarray, variability: float, rng: np.random.Generator) -> np.ndarray:
    """Return one subject's version of standard normal values that subjects share.

    The result is standard normal, too; two subjects correlate by 1 - variability².
    """
    own = rng.standard_normal(shared.shape)
    return np.sqrt(1 - variability**2) * shared + variability * own


def spread_ceilings(median: float, spread: float, values: np.ndarray) -> np.ndarray:
    """Return one noise ceiling per vertex, logit-normal around the median.

    Parameters
    ----------
    median : float
        In [0, 1), r². 0 gives 0 everywhere.
    spread : float
        Standard deviation of logit(ceiling).
    values : array, shape (n_vertices,)
        Whose ranks say which vertices get the higher ceilings. Normal scores are given by rank,
        so that the median over vertices is the one asked for, and not only on average.
    """
    from scipy.special import expit, logit, ndtri

    n = len(values)
    if median == 0:
        return np.zeros(n)
    ranks = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    return expit(logit(median) + spread * ndtri((ranks + 0.5) / n))
