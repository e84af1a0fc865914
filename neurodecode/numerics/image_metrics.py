"""Low-level comparison of images: resizing, pixel correlation, structural similarity, sharpness.

Images are floating point in [0, 1], shape (n_images, height, width, n_colours).

Sources: structural similarity is Wang et al. 2004, IEEE Trans. Image Process. 13(4), eq. 13, with
Gaussian windows (sigma 1.5, cut at 3.5 sigma), population covariance and the mean over pixels at
least one window's radius from the edge, as scikit-image computes it and as the reconstruction
literature uses it. Grey is scikit-image's: 0.2125 R + 0.7154 G + 0.0721 B. Resizing is separable
with a triangle filter that widens when it shrinks (antialiased bilinear, as in Pillow and in torch
with antialias=True).
"""

from __future__ import annotations

from typing import Literal

import numpy as np

GREY = np.array([0.2125, 0.7154, 0.0721])
K1, K2 = 0.01, 0.03


def resize_images(images: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize images with an antialiased triangle filter.

    Parameters
    ----------
    images : array, shape (n_images, old_height, old_width, n_colours)

    Returns
    -------
    images : array of the same floating type, shape (n_images, height, width, n_colours)
    """
    if images.shape[1:3] == (height, width):
        return images
    rows = _make_filter(images.shape[1], height).astype(images.dtype)
    columns = _make_filter(images.shape[2], width).astype(images.dtype)
    shrunk = np.einsum("Hh,nhwc->nHwc", rows, images, optimize=True)
    return np.einsum("Ww,nhwc->nhWc", columns, shrunk, optimize=True)


def _make_filter(n_old: int, n_new: int) -> np.ndarray:
    """Return the weights of old pixels in each new one, shape (n_new, n_old)."""
    scale = n_old / n_new
    width = max(scale, 1.0)
    centres = (np.arange(n_new) + 0.5) * scale
    distance = np.abs(np.arange(n_old)[None] + 0.5 - centres[:, None]) / width
    weights = np.maximum(1 - distance, 0)
    return weights / weights.sum(axis=1, keepdims=True)


def match_colours(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Repeat one colour three times where the other images have three."""
    n = max(first.shape[-1], second.shape[-1])
    return (
        np.broadcast_to(first, (*first.shape[:-1], n)) if first.shape[-1] == 1 else first,
        np.broadcast_to(second, (*second.shape[:-1], n)) if second.shape[-1] == 1 else second,
    )


def make_grey(images: np.ndarray) -> np.ndarray:
    """Return images of one colour, shape (n_images, height, width)."""
    if images.shape[-1] == 1:
        return images[..., 0]
    return images @ GREY.astype(images.dtype)


def correlate_pixels(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Pearson correlation of each pair of images over all pixels and colours.

    Parameters
    ----------
    first, second : arrays, shape (n_images, height, width, n_colours)

    Returns
    -------
    r : array, shape (n_images,)
        Zero where an image is constant: it says nothing about the other.
    """
    x = np.asarray(first, np.float64).reshape(len(first), -1)
    y = np.asarray(second, np.float64).reshape(len(second), -1)
    flat = (np.ptp(x, axis=1) == 0) | (np.ptp(y, axis=1) == 0)
    x = x - x.mean(axis=1, keepdims=True)
    y = y - y.mean(axis=1, keepdims=True)
    length = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
    r = (x * y).sum(axis=1) / np.where(flat, 1, length)
    return np.where(flat, 0.0, r)


def compute_ssim(first: np.ndarray, second: np.ndarray, sigma: float = 1.5) -> np.ndarray:
    """Mean structural similarity of each pair of grey images of range 1.

    Parameters
    ----------
    first, second : arrays, shape (n_images, height, width)
        At least 11 pixels wide and high at the usual sigma.

    Returns
    -------
    ssim : array, shape (n_images,)
        In [-1, 1]; 1 for equal images.
    """
    from scipy.ndimage import gaussian_filter

    def smooth(images: np.ndarray) -> np.ndarray:
        return gaussian_filter(images, (0, sigma, sigma), truncate=3.5)

    x, y = np.asarray(first, np.float64), np.asarray(second, np.float64)
    mean_x, mean_y = smooth(x), smooth(y)
    var_x = smooth(x * x) - mean_x**2
    var_y = smooth(y * y) - mean_y**2
    cov = smooth(x * y) - mean_x * mean_y
    similarity = ((2 * mean_x * mean_y + K1**2) * (2 * cov + K2**2)) / (
        (mean_x**2 + mean_y**2 + K1**2) * (var_x + var_y + K2**2)
    )
    edge = find_ssim_margin(sigma)
    return similarity[:, edge:-edge, edge:-edge].mean(axis=(1, 2))


def find_ssim_margin(sigma: float = 1.5) -> int:
    """Return the radius of the window in pixels; images need 2 radius + 1 at least."""
    return int(3.5 * sigma + 0.5)


def measure_sharpness(
    images: np.ndarray, measure: Literal["gradient", "laplacian"] = "gradient"
) -> np.ndarray:
    """Amount of fine structure in grey images.

    Parameters
    ----------
    images : array, shape (n_images, height, width)
    measure : {"gradient", "laplacian"}
        Root mean square of the differences between neighbouring pixels, or standard deviation of
        the discrete Laplacian (which weighs the finest structure, and noise, more).

    Returns
    -------
    sharpness : array, shape (n_images,)
        Zero for a constant image; grows in proportion to contrast.
    """
    x = np.asarray(images, np.float64)
    if measure == "gradient":
        down = np.diff(x, axis=1)[:, :, :-1]
        right = np.diff(x, axis=2)[:, :-1]
        return np.sqrt((down**2 + right**2).mean(axis=(1, 2)))
    inner = x[:, 1:-1, 1:-1]
    around = x[:, :-2, 1:-1] + x[:, 2:, 1:-1] + x[:, 1:-1, :-2] + x[:, 1:-1, 2:]
    return (around - 4 * inner).std(axis=(1, 2))
