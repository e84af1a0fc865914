"""A pyramid of Gabor wavelets, in quadrature pairs.

Gabor functions describe the receptive fields of simple cells (Jones and Palmer 1987, J Neurophysiol
58:1233, eq. 1); a pyramid of them, with as many positions along a side as cycles, describes early
visual cortex (Kay et al. 2008, Nature 452:352, supplementary methods):

    g(y, x) = exp(-((y - y0)² + (x - x0)²) / 2σ²) · exp(2πi f ((x - x0) cos θ + (y - y0) sin θ))

whose real part is the even, and whose imaginary part is the odd wavelet. As in Kay et al., each has
mean zero and length one. We depart from them in the envelope, which is round here; a round Gabor is
the product of a function of y and a function of x, so that a whole grid of positions costs two
small matrix products and no filter is ever stored.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurodecode.numerics.images import make_area_weights


@dataclass(frozen=True)
class GaborScale:
    """The wavelets of one spatial frequency: all orientations, at all positions of a grid.

    A wavelet is ``gain * (carrier_y * carrier_x - dc * envelope_y * envelope_x)``.

    Parameters
    ----------
    cycles_per_image : float
        Along the shorter side.
    orientations_rad : array of float, shape (n_orientations,)
        Direction θ in which luminance changes: 0 for vertical stripes, π/2 for horizontal ones.
    envelope_y : array of float, shape (n_rows, height)
    envelope_x : array of float, shape (n_columns, width)
    carrier_y : array of complex, shape (n_orientations, n_rows, height)
    carrier_x : array of complex, shape (n_orientations, n_columns, width)
        Envelopes included.
    dc : array of complex, shape (n_orientations, n_rows, n_columns)
        The share of the envelope that brings the mean to zero, also where the edge cuts it.
    gain : array of complex, shape (n_orientations, n_rows, n_columns)
        Real part for the even, imaginary part for the odd wavelet: each has length one.
    """

    cycles_per_image: float
    orientations_rad: np.ndarray
    envelope_y: np.ndarray
    envelope_x: np.ndarray
    carrier_y: np.ndarray
    carrier_x: np.ndarray
    dc: np.ndarray
    gain: np.ndarray

    @property
    def grid(self) -> tuple[int, int]:
        """Number of positions along y and along x."""
        return len(self.envelope_y), len(self.envelope_x)


def compute_sigma_cycles(bandwidth_octaves: float) -> float:
    """Return the envelope's standard deviation, in cycles of the carrier.

    The amplitude spectrum falls to one half at frequencies ``bandwidth_octaves`` apart. One octave
    goes with an orientation bandwidth of 37 degrees.

    Examples
    --------
    >>> round(compute_sigma_cycles(1.0), 3)
    0.562
    """
    ratio = 2.0**bandwidth_octaves
    return float(np.sqrt(np.log(2) / 2) / np.pi * (ratio + 1) / (ratio - 1))


def make_gabor_scale(
    height: int,
    width: int,
    cycles_per_image: float,
    n_orientations: int,
    *,
    bandwidth_octaves: float = 1.0,
) -> GaborScale:
    """Return the wavelets of one spatial frequency, as many along the shorter side as cycles.

    Parameters
    ----------
    height, width : int
        Of the images, pixels.
    cycles_per_image : float
        Along the shorter side.
    n_orientations : int
        Evenly from 0 to π, π left out.
    bandwidth_octaves : float
    """
    shorter = min(height, width)
    cycles_per_px = cycles_per_image / shorter
    sigma_px = compute_sigma_cycles(bandwidth_octaves) / cycles_per_px
    orientations = np.arange(n_orientations) * np.pi / n_orientations
    from_y, envelope_y = _make_envelopes(height, cycles_per_px, sigma_px)
    from_x, envelope_x = _make_envelopes(width, cycles_per_px, sigma_px)
    angular = 2 * np.pi * cycles_per_px
    sin, cos = np.sin(orientations)[:, None, None], np.cos(orientations)[:, None, None]
    carrier_y = envelope_y * np.exp(1j * angular * sin * from_y)
    carrier_x = envelope_x * np.exp(1j * angular * cos * from_x)

    # Sums over the image factor, too: sum(a(y) b(x)) = sum(a) sum(b).
    area = envelope_y.sum(-1)[:, None] * envelope_x.sum(-1)
    dc = _outer(carrier_y, carrier_x) / area
    # Squared length of even and odd part, from |g|² and g² of the corrected wavelet g - dc e.
    square = _outer(envelope_y**2, envelope_x**2)
    cross = _outer(envelope_y * carrier_y, envelope_x * carrier_x)
    absolute = square - 2 * (dc.conj() * cross).real + np.abs(dc) ** 2 * square
    plain = _outer(carrier_y**2, carrier_x**2) - 2 * dc * cross + dc**2 * square
    even = np.sqrt(np.maximum(absolute + plain.real, 0) / 2)
    odd = np.sqrt(np.maximum(absolute - plain.real, 0) / 2)
    return GaborScale(
        cycles_per_image=float(cycles_per_image),
        orientations_rad=orientations,
        envelope_y=envelope_y,
        envelope_x=envelope_x,
        carrier_y=carrier_y,
        carrier_x=carrier_x,
        dc=dc,
        gain=_invert(even) + 1j * _invert(odd),
    )


def make_gabor_filter(
    scale: GaborScale, orientation: int, row: int, column: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return one quadrature pair as images, to look at or to check the pyramid with.

    Returns
    -------
    even, odd : arrays of float, shape (height, width)
    """
    raw = np.outer(scale.carrier_y[orientation, row], scale.carrier_x[orientation, column])
    envelope = np.outer(scale.envelope_y[row], scale.envelope_x[column])
    wavelet = raw - scale.dc[orientation, row, column] * envelope
    gain = scale.gain[orientation, row, column]
    return gain.real * wavelet.real, gain.imag * wavelet.imag


def choose_cycles(low: float, high: float, n_scales: int) -> np.ndarray:
    """Return spatial frequencies, evenly on a logarithmic axis.

    Examples
    --------
    >>> choose_cycles(1, 32, 6).tolist()
    [1.0, 2.0, 4.0, 8.0, 16.0, 32.0]
    """
    if n_scales == 1:
        return np.array([float(low)])
    # Rounded, since powers of two should come out as such.
    return np.round(np.geomspace(low, high, n_scales), 9)


def choose_pooled(grid: tuple[int, int], most: int) -> tuple[int, int]:
    """Return a grid with at most ``most`` positions along its shorter side, of the same shape.

    Examples
    --------
    >>> choose_pooled((32, 64), 8), choose_pooled((4, 4), 8)
    ((8, 16), (4, 4))
    """
    shorter = min(grid)
    if shorter <= most:
        return grid
    return round(grid[0] * most / shorter), round(grid[1] * most / shorter)


def pool_grid(energy: np.ndarray, most: int) -> np.ndarray:
    """Return energies averaged over a coarser grid.

    Parameters
    ----------
    energy : array of float32, shape (..., n_rows, n_columns)
    most : int
        Positions along the shorter side at most.

    Returns
    -------
    pooled : array of float32, shape (..., n_rows_pooled, n_columns_pooled)
    """
    n_rows, n_columns = energy.shape[-2:]
    rows, columns = choose_pooled((n_rows, n_columns), most)
    if (rows, columns) == (n_rows, n_columns):
        return energy
    down, across = make_area_weights(n_rows, rows), make_area_weights(n_columns, columns)
    return np.asarray(down @ energy @ across.T)


def _make_envelopes(
    n_px: int, cycles_per_px: float, sigma_px: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return distances and envelopes along one side, each of shape (n_positions, n_px)."""
    n_positions = max(1, round(n_px * cycles_per_px))
    centres = (np.arange(n_positions) + 0.5) * n_px / n_positions
    distance = (np.arange(n_px) + 0.5) - centres[:, None]
    return distance, np.exp(-(distance**2) / (2 * sigma_px**2))


def _outer(along_y: np.ndarray, along_x: np.ndarray) -> np.ndarray:
    """Return sums over the image, of shape (..., n_rows, n_columns)."""
    return np.asarray(along_y.sum(-1)[..., :, None] * along_x.sum(-1)[..., None, :])


def _invert(length: np.ndarray) -> np.ndarray:
    """Return 1 / length, and 0 for a wavelet that vanishes on the pixels' grid."""
    return np.divide(1, length, out=np.zeros_like(length), where=length > 1e-6)
