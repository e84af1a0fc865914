"""Pixels as features, what the simplest decoders of images predict.

Images are brought to size by area averaging (each new pixel is the mean of what it covers).
``pixels_to_images`` is the inverse, with the shape that the extractor carries.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from pydantic import PositiveInt

from neurodecode.core.artifacts import Features, Stimuli
from neurodecode.core.stage import Sight, Stage
from neurodecode.features.extraction import check_kind, extract, list_versions, make_features
from neurodecode.numerics.golden import make_test_image, round_golden
from neurodecode.numerics.images import (
    choose_shape,
    convert_to_luminance,
    pixels_to_images,
    resize_area,
)

__all__ = ["Pixels", "images_to_pixels", "pixels_to_images"]

BATCH_SIZE = 256


class Pixels(Stage):
    """Describe images by their pixels, flattened, in [0, 1].

    Parameters
    ----------
    size_px : int, (height, width) or None
        An int is the length of the shorter side, at the same aspect ratio. None keeps the size.
    grey : bool
        Take the luminance (Rec. 601) in place of the colours.
    """

    stage: ClassVar[str] = "features.pixels"

    size_px: PositiveInt | tuple[PositiveInt, PositiveInt] | None = None
    grey: bool = False

    def sees(self) -> Mapping[str, Sight]:
        """Each image is described by itself."""
        return {"stimuli": "row"}

    def run(self, stimuli: Stimuli) -> Features:
        """Return features of shape (n_items, height * width * n_colours)."""
        check_kind(stimuli, ("image",), self.stage)
        in_height, in_width, in_colours = stimuli.data.shape[-3:]
        height, width = self._choose_shape(in_height, in_width)
        n_colours = 1 if self.grey else int(in_colours)

        def compute(images: np.ndarray) -> np.ndarray:
            return images_to_pixels(images, height, width, grey=self.grey)

        data = extract(
            stimuli,
            compute,
            batch_size=self.execution.batch_size or BATCH_SIZE,
            label=self.stage,
        )
        pattern = make_test_image(int(in_colours))[None] / np.float32(255)
        extractor: dict[str, Any] = {
            "name": "pixels",
            "layer": "grey" if self.grey else "colours",
            "weights": "",
            "height": height,
            "width": width,
            "n_colours": n_colours,
            "golden": round_golden(compute(pattern)),
            "versions": list_versions("numpy"),
        }
        return make_features(stimuli, data, extractor=extractor)

    def _choose_shape(self, height: int, width: int) -> tuple[int, int]:
        if isinstance(self.size_px, tuple):
            return self.size_px
        return choose_shape(int(height), int(width), self.size_px)


def images_to_pixels(
    images: np.ndarray, height: int, width: int, *, grey: bool = False
) -> np.ndarray:
    """Return images as rows of pixels.

    Parameters
    ----------
    images : array of float32 in [0, 1], shape (n_images, in_height, in_width, n_colours)
    height, width : int
    grey : bool

    Returns
    -------
    pixels : array of float32 in [0, 1], shape (n_images, height * width * n_colours)
        Row by row, colours last.
    """
    if grey:
        images = convert_to_luminance(images)
    resized = resize_area(images, height, width)
    # Sums of float32 weights may exceed one in the last digit.
    return np.clip(resized, 0, 1).reshape(len(images), -1)
