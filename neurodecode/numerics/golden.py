"""The golden vector: what an extractor makes of one fixed input.

If an upgrade of a library changes it, old and new features must not be mixed.
"""

from __future__ import annotations

import numpy as np

TEST_SIZE_PX = 64
TEST_TEXT = "a red bicycle"  # fits the shortest context
N_GOLDEN = 16
N_DIGITS = 4


def make_test_image(n_colours: int = 3) -> np.ndarray:
    """Return the test pattern: ramps, a disc and a grating, made in whole numbers only.

    Returns
    -------
    image : array of uint8, shape (64, 64, n_colours)
    """
    y, x = np.mgrid[:TEST_SIZE_PX, :TEST_SIZE_PX].astype(np.int64)
    disc = ((y - 24) ** 2 + (x - 40) ** 2 < 15**2) * 255
    grating = ((x + 2 * y) // 8 % 2) * 255
    image = np.stack([4 * x, (disc + 4 * y) // 2, (grating + disc) // 2], axis=-1)
    if n_colours == 1:
        image = image.sum(axis=-1, keepdims=True) // 3
    return image.clip(0, 255).astype(np.uint8)


def round_golden(features: np.ndarray) -> list[float]:
    """Return the first 16 values, with four digits of the largest of them.

    Examples
    --------
    >>> round_golden(np.array([123.456, 0.1]))
    [123.5, 0.1]
    """
    first = np.asarray(features, np.float64).ravel()[:N_GOLDEN]
    largest = float(np.abs(first).max()) if first.size else 0.0
    digits = N_DIGITS - 1 - int(np.floor(np.log10(largest))) if largest > 0 else N_DIGITS
    return [round(float(v), digits) + 0.0 for v in first]
