"""The 1,797 handwritten digits that scikit-learn ships, as stimuli: 8 x 8 pixels, ten classes.

Source: E. Alpaydin and C. Kaynak (1998), Optical Recognition of Handwritten Digits, UCI Machine
Learning Repository, doi 10.24432/C50P49. scikit-learn bundles its test part.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveInt

from neurodecode.core.artifacts import Stimuli, make_items
from neurodecode.core.errors import DataError
from neurodecode.core.stage import Stage

FACTS: Mapping[str, Any] = MappingProxyType(
    {
        "origin": "UCI Optical Recognition of Handwritten Digits (test part), as bundled with "
        "scikit-learn (sklearn.datasets.load_digits)",
        "licence": "CC BY 4.0 (UCI Machine Learning Repository); scikit-learn's copy BSD-3-Clause",
        "doi": "10.24432/C50P49",
        "n_items": 1797,
        "image_shape": (8, 8),
        "value_range": (0.0, 16.0),
        "classes": tuple(range(10)),
        "n_per_class": (178, 182, 177, 183, 181, 182, 181, 179, 174, 180),
    }
)

Digit = Annotated[int, Field(ge=0, le=9)]


class Digits(Stage):
    """Handwritten digits, resized to the size asked for.

    Which images are taken: all 1,797 in their order (or in an order shuffled by the seed), then
    those of the classes, then ``n_items`` of them from ``first`` on. Two steps with the same
    seed, classes and shuffle, and ranges that do not overlap, share no image.

    Parameters
    ----------
    size_px : int
        Width and height of the images. 8 leaves the pixels alone; otherwise bicubic, with
        antialiasing when made smaller.
    classes : tuple of int or None
        Digits to take, 0 to 9; None takes all.
    n_items : int or None
        How many; None takes all from ``first`` on.
    first : int
        How many to pass over.
    shuffle : bool
        Take them in an order drawn with the seed.
    seed : int
    """

    stage: ClassVar[str] = "datasets.digits"
    example: ClassVar[Mapping[str, Any]] = {"n_items": 20}

    size_px: PositiveInt = 16
    classes: tuple[Digit, ...] | None = Field(default=None, min_length=1)
    n_items: PositiveInt | None = None
    first: NonNegativeInt = 0
    shuffle: bool = False
    seed: int = 0

    def run(self) -> Stimuli:
        """Return the images, with id "digits/0123" and the digit as category."""
        from sklearn.datasets import load_digits

        bundled = load_digits()
        rows = self._choose_rows(bundled.target)
        images = resize_digits(bundled.images[rows], self.size_px)
        ids = [f"digits/{row:04d}" for row in rows]
        return Stimuli(
            data=images,
            items=make_items(ids, images, category=bundled.target[rows].astype(str)),
            licence=FACTS["licence"],
            origin=FACTS["origin"],
        )

    def _choose_rows(self, target: np.ndarray) -> np.ndarray:
        rows = np.arange(len(target))
        if self.shuffle:
            rows = np.random.default_rng(self.seed).permutation(len(target))
        if self.classes is not None:
            rows = rows[np.isin(target[rows], self.classes)]
        left = len(rows) - self.first
        if left < (self.n_items or 1):
            raise DataError(
                f"datasets.digits: {self.n_items or 'all'} items from item {self.first} on are "
                f"wanted, but only {max(left, 0)} of the {len(rows)} digits of classes "
                f"{list(self.classes or range(10))} remain there. Lower n_items or first, or add "
                "classes."
            )
        return rows[self.first :][: self.n_items]


def resize_digits(images: np.ndarray, size_px: int) -> np.ndarray:
    """Return digits as 8-bit images of another size.

    Parameters
    ----------
    images : array, shape (n_items, 8, 8)
        In [0, 16]; 16 is ink.
    size_px : int

    Returns
    -------
    images : array of uint8, shape (n_items, size_px, size_px, 1)
        0 is background, 255 ink.
    """
    from PIL import Image

    grey = (images * (255 / 16)).astype(np.float32)
    if size_px != grey.shape[1]:
        size = (size_px, size_px)
        grey = np.stack(
            [np.asarray(Image.fromarray(g).resize(size, Image.Resampling.BICUBIC)) for g in grey]
        )
    # Bicubic resampling overshoots at edges.
    return np.rint(np.clip(grey, 0, 255)).astype(np.uint8)[..., None]
