"""Images as arrays: resampling by area, luminance, and pixels as rows of features.

Images are float32 in [0, 1], shape (n_images, height, width, n_colours).
"""

from __future__ import annotations

import numpy as np

from neurodecode.core.errors import DataError

# Rec. 601 luma, as in PIL's mode "L" and MATLAB's rgb2gray.
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def make_area_weights(n_in: int, n_out: int) -> np.ndarray:
    """Return the matrix that averages neighbouring samples by the area they share.

    Parameters
    ----------
    n_in, n_out : int

    Returns
    -------
    weights : array of float32, shape (n_out, n_in)
        Rows sum to one. Where n_out > n_in, samples are repeated.

    Examples
    --------
    >>> make_area_weights(4, 2)
    array([[0.5, 0.5, 0. , 0. ],
           [0. , 0. , 0.5, 0.5]], dtype=float32)
    """
    step = n_in / n_out
    start = np.arange(n_out)[:, None] * step
    pixel = np.arange(n_in)[None]
    shared = np.minimum(pixel + 1, start + step) - np.maximum(pixel, start)
    shared = np.clip(shared, 0, None)
    return (shared / shared.sum(axis=1, keepdims=True)).astype(np.float32)


def resize_area(images: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return images resampled by area averaging, which neither aliases nor overshoots.

    Parameters
    ----------
    images : array of float, shape (n_images, in_height, in_width, n_colours)
    height, width : int

    Returns
    -------
    resized : array of float32, shape (n_images, height, width, n_colours)
    """
    n, in_height, in_width, n_colours = images.shape
    if (in_height, in_width) == (height, width):
        return images.astype(np.float32, copy=False)
    down = make_area_weights(in_height, height)
    across = make_area_weights(in_width, width)
    resized = np.empty((n, height, width, n_colours), np.float32)
    # One product per image: its bytes cannot depend on which others are in the batch.
    for i in range(n):
        planes = np.ascontiguousarray(images[i].astype(np.float32, copy=False).transpose(2, 0, 1))
        resized[i] = (down @ planes @ across.T).transpose(1, 2, 0)
    return resized


def choose_shape(height: int, width: int, shorter_px: int | None) -> tuple[int, int]:
    """Return the shape whose shorter side has ``shorter_px`` pixels, at the same aspect ratio.

    Examples
    --------
    >>> choose_shape(100, 200, 32), choose_shape(28, 28, None)
    ((32, 64), (28, 28))
    """
    if shorter_px is None:
        return height, width
    scale = shorter_px / min(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def convert_to_luminance(images: np.ndarray) -> np.ndarray:
    """Return Rec. 601 luma, 0.299 R + 0.587 G + 0.114 B.

    Parameters
    ----------
    images : array of float32, shape (..., n_colours)
        With one colour or three.

    Returns
    -------
    luminance : array of float32, shape (..., 1)
    """
    if images.shape[-1] == 1:
        return images
    if images.shape[-1] != 3:
        raise DataError(
            f"images: they have {images.shape[-1]} colours (shape {images.shape}). Allowed: one "
            "or three. Drop an alpha channel, or bring the colours to the last axis."
        )
    # Written out: a matrix product's rounding could depend on the batch.
    r, g, b = images[..., 0], images[..., 1], images[..., 2]
    return (LUMA[0] * r + LUMA[1] * g + LUMA[2] * b)[..., None].astype(np.float32, copy=False)


def pixels_to_images(
    features: np.ndarray, height: int, width: int, n_colours: int, *, clip: bool = True
) -> np.ndarray:
    """Return pixel features as images: the inverse of ``features.pixels``.

    Parameters
    ----------
    features : array of float, shape (..., height * width * n_colours)
        Row by row, colours last.
    height, width, n_colours : int
        As the extractor of the features says.
    clip : bool
        Bring decoded values to [0, 1], the range of what can be shown.

    Returns
    -------
    images : array of float32, shape (..., height, width, n_colours)

    Raises
    ------
    DataError
        The number of features is not that of pixels.

    Examples
    --------
    >>> pixels_to_images(np.array([[0.0, 0.5, 1.5, 1.0]]), 2, 2, 1)[0, :, :, 0]
    array([[0. , 0.5],
           [1. , 1. ]], dtype=float32)
    """
    features = np.asarray(features)
    n_pixels = height * width * n_colours
    if features.shape[-1] != n_pixels:
        raise DataError(
            f"pixels: {features.shape[-1]} features, but {height} x {width} x {n_colours} pixels "
            f"are {n_pixels}. Give height, width and n_colours of the extractor that made them."
        )
    images = features.reshape(*features.shape[:-1], height, width, n_colours).astype(np.float32)
    return np.clip(images, 0, 1) if clip else images
