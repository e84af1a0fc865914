"""The haemodynamic response to events, in closed form at any time.

A response is a difference of two gamma densities,

    h(t) = g(t; a₁, b₁) - ρ g(t; a₂, b₂),      g(t; a, b) = t^(a-1) e^(-t/b) / (Γ(a) b^a),

scaled to an integral of one, so that a stimulus that lasts reaches a plateau of one. The response
to an event of duration d is the difference of two integrals of h, H(t) - H(t - d), each an
incomplete gamma function: no grid in time is needed, and no event is moved to the nearest bin.

spm      a₁ = 6, a₂ = 16, b = 1, ρ = 1/6: Friston et al. 1998, NeuroImage 7:30, as SPM has it.
glover   a₁ = 6.67, a₂ = 13.33, b = 0.9, ρ = 0.48: Glover 1999, NeuroImage 9:416, in the form of
         nilearn (delays of 6 and 12 s, dispersion 0.9).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

STEP_S = 0.1  # of the derivative in time, as in SPM
DISPERSION_STEP = 0.01


@dataclass(frozen=True)
class Hrf:
    """A difference of two gamma densities.

    Parameters
    ----------
    delay_s, undershoot_s : float
        Shape times scale of the two densities; each peaks one scale earlier.
    dispersion_s, undershoot_dispersion_s : float
        Their scales.
    ratio : float
        Area of the undershoot relative to that of the response, in [0, 1).
    """

    delay_s: float = 6.0
    undershoot_s: float = 16.0
    dispersion_s: float = 1.0
    undershoot_dispersion_s: float = 1.0
    ratio: float = 1 / 6


SPM = Hrf()
GLOVER = Hrf(6.0, 12.0, 0.9, 0.9, 0.48)
MODELS = {"spm": SPM, "glover": GLOVER}


def compute_impulse_response(times_s: np.ndarray, hrf: Hrf = SPM) -> np.ndarray:
    """Return h: the response to an impulse of area one at time 0, per second.

    Parameters
    ----------
    times_s : array, any shape
        Zero before 0.

    Examples
    --------
    >>> float(compute_impulse_response(np.array([-1.0, 0.0])).sum())
    0.0
    """
    return subtract_densities(times_s, hrf) / (1 - hrf.ratio)


def integrate_response(times_s: np.ndarray, hrf: Hrf = SPM) -> np.ndarray:
    """Return H: the integral of the impulse response up to a time; 0 before 0, 1 at last.

    Examples
    --------
    >>> integrate_response(np.array([-1.0, 1e3])).tolist()
    [0.0, 1.0]
    """
    return subtract_areas(times_s, hrf) / (1 - hrf.ratio)


def subtract_densities(times_s: np.ndarray, hrf: Hrf = SPM) -> np.ndarray:
    """Return g(t; a₁, b₁) - ρ g(t; a₂, b₂), not scaled, per second; 0 before 0."""
    from scipy.special import gammaln

    t = np.maximum(np.asarray(times_s, np.float64), 0.0)
    with np.errstate(divide="ignore"):
        log = np.log(t)
    total = np.zeros_like(t)
    for sign, delay, scale in _list_densities(hrf):
        shape = delay / scale
        total += sign * np.exp((shape - 1) * log - t / scale - gammaln(shape)) / scale**shape
    return total


def subtract_areas(times_s: np.ndarray, hrf: Hrf = SPM) -> np.ndarray:
    """Return the integral of ``subtract_densities`` up to a time; 0 before 0."""
    from scipy.special import gammainc

    t = np.maximum(np.asarray(times_s, np.float64), 0.0)
    total = np.zeros_like(t)
    for sign, delay, scale in _list_densities(hrf):
        total += sign * gammainc(delay / scale, t / scale)
    return total


def respond_to_events(
    times_s: np.ndarray,
    onsets_s: np.ndarray,
    durations_s: np.ndarray,
    hrf: Hrf | None = SPM,
) -> np.ndarray:
    """Return the response at each time to each event of unit amplitude.

    Parameters
    ----------
    times_s : array, shape (n_times,)
    onsets_s, durations_s : array, shape (n_events,)
        An event of duration 0 is an impulse of area one: as strong as one second of stimulation.
    hrf : Hrf or None
        None gives the stimulation itself: 1 while an event lasts. An impulse is then 1 within the
        time that follows it most closely, until the next time.

    Returns
    -------
    responses : array of float64, shape (n_times, n_events)
    """
    times, onsets = np.asarray(times_s, np.float64), np.asarray(onsets_s, np.float64)
    durations = np.asarray(durations_s, np.float64)
    since = times[:, None] - onsets
    lasting = durations > 0
    if hrf is None:
        on = (since >= 0) & (since < durations)
        following = np.searchsorted(times, onsets, side="left")
        inside = np.flatnonzero(~lasting & (following < len(times)))
        on[following[inside], inside] = True
        return on.astype(np.float64)
    responses = np.empty(since.shape)
    responses[:, ~lasting] = compute_impulse_response(since[:, ~lasting], hrf)
    late = since[:, lasting]
    responses[:, lasting] = integrate_response(late, hrf) - integrate_response(
        late - durations[lasting], hrf
    )
    return responses


def differentiate_time(
    times_s: np.ndarray, onsets_s: np.ndarray, durations_s: np.ndarray, hrf: Hrf = SPM
) -> np.ndarray:
    """Return the change of the responses per second of later onset, as ``respond_to_events``."""
    now = respond_to_events(times_s, onsets_s, durations_s, hrf)
    later = respond_to_events(times_s, np.asarray(onsets_s) + STEP_S, durations_s, hrf)
    return (now - later) / STEP_S


def differentiate_dispersion(
    times_s: np.ndarray, onsets_s: np.ndarray, durations_s: np.ndarray, hrf: Hrf = SPM
) -> np.ndarray:
    """Return the change of the responses per second of dispersion, as ``respond_to_events``.

    The delay stays; so does the undershoot.
    """
    wider = replace(hrf, dispersion_s=hrf.dispersion_s + DISPERSION_STEP)
    now = respond_to_events(times_s, onsets_s, durations_s, hrf)
    then = respond_to_events(times_s, onsets_s, durations_s, wider)
    return (now - then) / DISPERSION_STEP


def _list_densities(hrf: Hrf) -> tuple[tuple[float, float, float], ...]:
    return (
        (1.0, hrf.delay_s, hrf.dispersion_s),
        (-hrf.ratio, hrf.undershoot_s, hrf.undershoot_dispersion_s),
    )
