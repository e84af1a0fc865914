"""A visual cortex whose code is known: receptive fields, oriented energy, an object code.

Layout      eccentricity grows exponentially with cortical distance: Horton and Hoyt 1991, Arch.
            Ophthalmol. 109:816, linear magnification M = A / (E + E2), E2 = 0.75 deg, solved for
            E. Neighbouring bands mirror each other, as visual areas do (Wandell, Dumoulin and
            Brewer 2007, Neuron 56:366). Bands are quantiles of distance, not anatomy.
Fields      isotropic Gaussians: Dumoulin and Wandell 2008, NeuroImage 39:647, eq. 3. Size grows
            with eccentricity, faster in later areas.
Channels    modulus of quadrature pairs of Gabor filters (Adelson and Bergen 1985, JOSA A 2:284),
            pooled linearly as in Kay et al. 2008, Nature 452:352; beside them local contrast and
            luminance. With a round envelope a Gabor is a product of two profiles (Daugman 1985,
            JOSA A 2:1160), and filtering two multiplications of small matrices.
Object code channels pooled over a large field, normalised by their common energy (Heeger 1992,
            Vis. Neurosci. 9:181), then random combinations of them, rectified. The combinations
            are ours, for want of a published formula; all vertices and subjects share them.

Images are seen on a grid of N_PIXELS x N_PIXELS: what is finer is not resolved.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

AREAS = ("V1sim", "V2sim", "V3sim", "LOsim")
OBJECT_AREA = AREAS.index("LOsim")
AREA_SHARES = (0.35, 0.25, 0.2, 0.2)  # of the patch's vertices
SIZE_SLOPES = (0.1, 0.15, 0.25, 0.5)  # degrees of size per degree of eccentricity
SIZE_OFFSETS_DEG = (0.3, 0.4, 0.6, 1.2)
E2_DEG = 0.75

N_PIXELS = 32
MARGIN = 16  # mirrored around the image, so that its edges are no contours
GREY = 0.5  # of the screen around images that are not square
CYCLES = (8, 5, 3)  # per width of the visual field
ORIENTATIONS_DEG = (0.0, 45.0, 90.0, 135.0)  # of the contour: 0 horizontal, anticlockwise
ENVELOPE = 0.5  # standard deviation of a Gabor, in its wavelengths: about 1.2 octaves
CONTRAST_SIGMA = 1.5  # pixels
NORMALISATION = 0.1  # standard deviations over 1/f noise
N_CALIBRATION = 64
SILENT = 0.02  # spread over images, of that to be expected over 1/f noise, taken for no response

CHANNELS = (
    *(f"energy_{o:g}deg_{c}cycles" for c in CYCLES for o in ORIENTATIONS_DEG),
    "contrast",
    "luminance",
)


@dataclass(frozen=True)
class VisualCode:
    """All that turns images into noise-free responses.

    Parameters
    ----------
    centres_deg : array, shape (n_vertices, 2)
        Of the receptive fields: x to the right, y up, from the fixation point.
    sizes_deg : array, shape (n_vertices,)
        Standard deviations.
    tuning : array, shape (n_vertices, n_channels)
        Weights of the pooled channels; zero in the object area.
    object_tuning : array, shape (n_vertices, n_units)
        Weights of the object units; zero in the other areas.
    object_units : array, shape (n_channels, n_units)
    object_thresholds : array, shape (n_units,)
    """

    centres_deg: np.ndarray
    sizes_deg: np.ndarray
    tuning: np.ndarray
    object_tuning: np.ndarray
    object_units: np.ndarray
    object_thresholds: np.ndarray


def find_patch(sphere: np.ndarray, pole: int, n_vertices: int) -> np.ndarray:
    """Return the vertices nearest to a pole along the sphere, in ascending order.

    Parameters
    ----------
    sphere : array, shape (n_mesh, 3)
        Coordinates on a sphere around the origin, any radius.
    """
    order = np.argsort(_measure_arcs(sphere, pole), kind="stable")
    return np.sort(order[:n_vertices])


def map_visual_field(
    sphere: np.ndarray, pole: int, vertices: np.ndarray, *, side: int, radius_deg: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the area and receptive field centre of the vertices of one hemisphere.

    Bands of distance from the pole are the areas. Dorsal of the pole lies the lower visual field,
    ventral of it the upper.

    Parameters
    ----------
    side : {1, -1}
        Half of the visual field: 1 right (seen by the left hemisphere), -1 left.
    radius_deg : float
        Largest eccentricity.

    Returns
    -------
    areas : array of int8, shape (n_vertices,)
        Index into AREAS.
    centres_deg : array, shape (n_vertices, 2)
    """
    distance = _measure_arcs(sphere, pole)[vertices]
    edges = np.quantile(distance, np.cumsum((0.0, *AREA_SHARES)).clip(0, 1))
    areas = np.searchsorted(edges[1:-1], distance, side="right").astype(np.int8)
    along = (distance - edges[areas]) / (edges[areas + 1] - edges[areas])
    along = np.where(areas % 2 == 0, along, 1 - along)  # neighbouring areas mirror each other
    eccentricity = E2_DEG * np.expm1(along * np.log1p(radius_deg / E2_DEG))
    unit = sphere / np.linalg.norm(sphere, axis=1, keepdims=True)
    dorsal = np.array([0.0, 0.0, 1.0]) - unit[pole, 2] * unit[pole]
    dorsal /= np.linalg.norm(dorsal)
    lateral = np.cross(dorsal, unit[pole])
    angle = np.arctan2(-(unit[vertices] @ dorsal), np.abs(unit[vertices] @ lateral))
    centres = np.stack([side * np.cos(angle), np.sin(angle)], axis=1) * eccentricity[:, None]
    return areas, centres


def compute_field_sizes(areas: np.ndarray, centres_deg: np.ndarray) -> np.ndarray:
    """Return receptive field sizes (standard deviations, degrees), shape (n_vertices,)."""
    eccentricity = np.linalg.norm(centres_deg, axis=1)
    return np.take(SIZE_OFFSETS_DEG, areas) + np.take(SIZE_SLOPES, areas) * eccentricity


def view_images(images: np.ndarray) -> np.ndarray:
    """Return images as seen: grey, square, on the grid of the retina.

    The longer side fills the visual field, the rest is the screen's grey.

    Parameters
    ----------
    images : array, shape (n_images, height, width, n_colours)
        In [0, 1], one or three colours.

    Returns
    -------
    seen : array of float32, shape (n_images, N_PIXELS, N_PIXELS)
    """
    colours = np.array([0.299, 0.587, 0.114] if images.shape[3] == 3 else [1.0], np.float32)
    grey = images.astype(np.float32, copy=False) @ colours
    side = max(grey.shape[1:])
    rows, columns = (_average_pixels(n, side) for n in grey.shape[1:])
    screen = GREY * (1 - np.outer(rows.sum(axis=1), columns.sum(axis=1)))
    return (rows @ grey @ columns.T + screen).astype(np.float32)


def compute_channels(seen: np.ndarray) -> np.ndarray:
    """Return the feature maps of images, in standard deviations over 1/f noise.

    Parameters
    ----------
    seen : array, shape (n_images, N_PIXELS, N_PIXELS)
        From view_images.

    Returns
    -------
    channels : array of float32, shape (n_images, n_channels, N_PIXELS, N_PIXELS)
        In the order of CHANNELS. Each image's maps depend on that image only.
    """
    mean, spread = _calibrate()
    return (_filter(seen) - mean) / spread


def pool_channels(
    channels: np.ndarray, centres_deg: np.ndarray, sizes_deg: np.ndarray, visual_field_deg: float
) -> np.ndarray:
    """Return the mean of each channel under each receptive field.

    Parameters
    ----------
    channels : array, shape (n_images, n_channels, N_PIXELS, N_PIXELS)
    visual_field_deg : float
        Width of the whole grid.

    Returns
    -------
    pooled : array of float32, shape (n_images, n_channels, n_vertices)
    """
    at = ((np.arange(N_PIXELS) + 0.5) / N_PIXELS - 0.5) * visual_field_deg
    # A Gaussian is separable; the first row of an image is its top, y positive.
    across = np.exp(-0.5 * ((at - centres_deg[:, :1]) / sizes_deg[:, None]) ** 2)
    down = np.exp(-0.5 * ((-at - centres_deg[:, 1:]) / sizes_deg[:, None]) ** 2)
    fields = (down[:, :, None] * across[:, None, :]).reshape(len(sizes_deg), -1)
    fields /= fields.sum(axis=1, keepdims=True)
    flat = channels.reshape(-1, N_PIXELS * N_PIXELS)
    return (flat @ fields.T.astype(np.float32)).reshape(*channels.shape[:2], -1)


def compute_object_units(
    pooled: np.ndarray, units: np.ndarray, thresholds: np.ndarray
) -> np.ndarray:
    """Return rectified combinations of normalised channels, max(0, z' A - b).

    z' = z / sqrt(NORMALISATION² + mean of z² over channels).

    Parameters
    ----------
    pooled : array, shape (n_images, n_channels, n_vertices)
    units : array, shape (n_channels, n_units)
    thresholds : array, shape (n_units,)

    Returns
    -------
    active : array, shape (n_images, n_vertices, n_units)
    """
    energy = np.mean(pooled**2, axis=1, keepdims=True)
    normalised = pooled / np.sqrt(NORMALISATION**2 + energy)
    return np.maximum(np.moveaxis(normalised, 1, 2) @ units - thresholds, 0)


def compute_drive(seen: np.ndarray, code: VisualCode, visual_field_deg: float) -> np.ndarray:
    """Return what drives each vertex, before any scaling or noise.

    Parameters
    ----------
    seen : array, shape (n_images, N_PIXELS, N_PIXELS)

    Returns
    -------
    drive : array of float64, shape (n_images, n_vertices)
    """
    channels = compute_channels(seen)
    pooled = pool_channels(channels, code.centres_deg, code.sizes_deg, visual_field_deg)
    drive = np.einsum("ncv,vc->nv", pooled, code.tuning, dtype=np.float64)
    late = np.flatnonzero(code.object_tuning.any(axis=1))
    active = compute_object_units(
        pooled[:, :, late],
        code.object_units.astype(np.float32),
        code.object_thresholds.astype(np.float32),
    )
    drive[:, late] += np.einsum("nvu,vu->nv", active, code.object_tuning[late], dtype=np.float64)
    return drive


def standardise_drive(drive: np.ndarray, code: VisualCode) -> tuple[np.ndarray, np.ndarray]:
    """Return the drive with mean 0 and variance 1 over images, and which vertices are silent.

    Returns
    -------
    signal : array, shape (n_images, n_vertices)
        Zero for silent vertices.
    silent : array of bool, shape (n_vertices,)
        Vertices whose drive hardly differs between the images, such as those of the margin of
        digits: to standardise them would blow up the far tails of their receptive fields.
    """
    # Channels are in standard deviations over 1/f noise, so the norm of the weights is a scale.
    scale = np.hypot(*(np.linalg.norm(w, axis=1) for w in (code.tuning, code.object_tuning)))
    spread = drive.std(axis=0)
    silent = spread <= SILENT * scale
    signal = (drive - drive.mean(axis=0)) / np.where(silent, 1, spread)
    signal[:, silent] = 0
    return signal, silent


def _measure_arcs(sphere: np.ndarray, pole: int) -> np.ndarray:
    unit = sphere / np.linalg.norm(sphere, axis=1, keepdims=True)
    return np.arccos(np.clip(unit @ unit[pole], -1, 1))


def _average_pixels(n: int, side: int) -> np.ndarray:
    """Return weights (N_PIXELS, n) of the overlap of grid pixels with centred image pixels."""
    edges = np.arange(N_PIXELS + 1) * side / N_PIXELS - (side - n) / 2
    left, right = edges[:-1, None], edges[1:, None]
    pixels = np.arange(n)
    overlap = np.minimum(right, pixels + 1) - np.maximum(left, pixels)
    return (np.clip(overlap, 0, None) * N_PIXELS / side).astype(np.float32)


@cache
def _make_profile(sigma: float, frequency: float = 0.0) -> np.ndarray:
    """Return a Gabor's profile along one axis as a matrix (N_PIXELS, N_PIXELS) to multiply with.

    Pixels beyond the edge are those inside it, mirrored.
    """
    beyond = np.arange(-MARGIN, N_PIXELS + MARGIN)
    offset = beyond - np.arange(N_PIXELS)[:, None]
    envelope = np.exp(-0.5 * (offset / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))
    mirrored = np.pad(np.eye(N_PIXELS), ((MARGIN, MARGIN), (0, 0)), mode="symmetric")
    if frequency == 0:
        return (envelope @ mirrored).astype(np.float32)
    return (envelope * np.exp(2j * np.pi * frequency * offset) @ mirrored).astype(np.complex64)


def _blur(images: np.ndarray, sigma: float) -> np.ndarray:
    profile = _make_profile(sigma)
    return profile @ (images @ profile.T)


def _filter(seen: np.ndarray) -> np.ndarray:
    """Return the feature maps in their own units, float32; energy in a grating's amplitude."""
    centred = np.asarray(seen, np.float32) - np.float32(GREY)
    maps = np.empty((len(seen), len(CHANNELS), N_PIXELS, N_PIXELS), np.float32)
    turned = centred.astype(np.complex64)
    k = 0
    for cycles in CYCLES:
        frequency = cycles / N_PIXELS
        sigma = ENVELOPE / frequency
        # What the even Gabor of the pair sees of uniform light, taken away.
        uniform = np.exp(-2 * (np.pi * ENVELOPE) ** 2) * _blur(centred, sigma)
        for orientation in ORIENTATIONS_DEG:
            # A horizontal contour varies vertically; rows run downwards.
            normal = np.deg2rad(orientation + 90)
            across = _make_profile(sigma, float(frequency * np.cos(normal)))
            down = _make_profile(sigma, float(-frequency * np.sin(normal)))
            maps[:, k] = 2 * np.abs(down @ (turned @ across.T) - uniform)
            k += 1
    variance = _blur(centred**2, CONTRAST_SIGMA) - _blur(centred, CONTRAST_SIGMA) ** 2
    maps[:, -2] = np.sqrt(np.maximum(variance, 0))
    maps[:, -1] = centred
    return maps


@cache
def _calibrate() -> tuple[np.ndarray, np.ndarray]:
    """Return mean and spread of each channel over 1/f noise, shape (n_channels, 1, 1).

    Natural images have amplitude 1/f (Field 1987); a fixed set, so that the response to an image
    does not depend on which others are seen.
    """
    rng = np.random.default_rng(0)
    f = np.fft.fftfreq(N_PIXELS)
    radius = np.hypot(f[:, None], f[None, :])
    radius[0, 0] = np.inf
    white = np.fft.fft2(rng.standard_normal((N_CALIBRATION, N_PIXELS, N_PIXELS)))
    noise = np.fft.ifft2(white / radius).real
    contrast = rng.uniform(0.05, 0.35, (N_CALIBRATION, 1, 1))  # photographs differ in it, too
    seen = np.clip(GREY + contrast * noise / noise.std(), 0, 1)
    maps = _filter(seen.astype(np.float32)).astype(np.float64)
    mean, spread = maps.mean(axis=(0, 2, 3)), maps.std(axis=(0, 2, 3))
    shape = (-1, 1, 1)
    return mean.reshape(shape).astype(np.float32), spread.reshape(shape).astype(np.float32)
