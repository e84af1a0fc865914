"""A library of haemodynamic responses that spans how early and how wide responses are.

Each is a difference of two gamma densities g(t; a, b), computed by numerics/hrf.py and set by when
and how wide it peaks: a density peaks at (a - 1) b and is about 2.355 b sqrt(a - 1) wide at half
its height, so that a - 1 = (2.355 peak / fwhm)² and b = peak / (a - 1), in seconds. SPM's
canonical response peaks at 5 s with 5.3 s, its undershoot at 15 s with 9.1 s and a sixth of the
area.

GLMsingle (Prince et al. 2022, eLife 11:e77599) takes 20 responses measured in visual cortex; these
20 are a grid over the same span of peaks and widths, and can be set to another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurodecode.numerics.hrf import Hrf, subtract_areas, subtract_densities

FWHM_OF_SD = 2 * np.sqrt(2 * np.log(2))


@dataclass(frozen=True)
class HrfShape:
    """Peak and width of a response, seconds, and its undershoot.

    Parameters
    ----------
    peak_s, fwhm_s : float
        Of the positive density; positive.
    undershoot_delay_s : float
        From its peak to that of the undershoot.
    undershoot_fwhm_s : float
    undershoot_ratio : float
        Area relative to that of the positive density; 0 for none.
    """

    peak_s: float = 5.0
    fwhm_s: float = 5.27
    undershoot_delay_s: float = 10.0
    undershoot_fwhm_s: float = 9.12
    undershoot_ratio: float = 1 / 6

    def to_hrf(self) -> Hrf:
        """Return the two gamma densities that peak so."""
        delay_s, scale_s = _find_gamma(self.peak_s, self.fwhm_s)
        later_s = self.peak_s + self.undershoot_delay_s
        late_s, late_scale_s = _find_gamma(later_s, self.undershoot_fwhm_s)
        return Hrf(delay_s, late_s, scale_s, late_scale_s, self.undershoot_ratio)


CANONICAL = HrfShape()
LIBRARY = tuple(
    HrfShape(peak_s, fwhm_s)
    for peak_s in (3.5, 4.5, 5.5, 6.5, 7.5)
    for fwhm_s in (3.5, 4.5, 5.5, 7.0)
)


def compute_response(
    times_s: np.ndarray, shape: HrfShape, duration_s: float | np.ndarray = 0.0
) -> np.ndarray:
    """Return the response to a stimulus at time 0, scaled to a peak of 1.

    Parameters
    ----------
    times_s : array, shape (..., n)
        Zero before 0.
    shape : HrfShape
    duration_s : float or array, shape (n,)
        Of the stimulus, one for each of the last axis; 0 for an impulse. Each response has a peak
        of 1 whatever its duration.

    Examples
    --------
    >>> compute_response(np.array([-1.0, 0.0, 5.0]), CANONICAL).round(2).tolist()
    [0.0, 0.0, 1.0]
    """
    times_s = np.asarray(times_s, np.float64)
    durations = np.broadcast_to(np.asarray(duration_s, np.float64), times_s.shape[-1:])
    response = np.empty(times_s.shape)
    fine = np.arange(0, shape.peak_s + 3 * shape.fwhm_s + durations.max(initial=0.0), 0.05)
    for duration in np.unique(durations):
        columns = durations == duration
        peak = _respond(fine, shape, float(duration)).max()
        response[..., columns] = _respond(times_s[..., columns], shape, float(duration)) / peak
    return response


def make_hrf_library(
    times_s: np.ndarray,
    shapes: tuple[HrfShape, ...] = LIBRARY,
    duration_s: float | np.ndarray = 0.0,
) -> np.ndarray:
    """Return the responses of a library, (n_hrfs, *shape of times_s); see compute_response.

    Examples
    --------
    >>> make_hrf_library(np.linspace(0, 30, 61)).shape
    (20, 61)
    """
    return np.stack([compute_response(times_s, shape, duration_s) for shape in shapes])


def _respond(times_s: np.ndarray, shape: HrfShape, duration_s: float) -> np.ndarray:
    """Return the impulse response, or its integral over the duration, up to a factor."""
    hrf = shape.to_hrf()
    if duration_s > 0:
        return subtract_areas(times_s, hrf) - subtract_areas(times_s - duration_s, hrf)
    return subtract_densities(times_s, hrf)


def _find_gamma(peak_s: float, fwhm_s: float) -> tuple[float, float]:
    """Return shape times scale, and scale, of the gamma density with a peak and a width."""
    scale_s = fwhm_s**2 / (FWHM_OF_SD**2 * peak_s)
    return peak_s + scale_s, scale_s
