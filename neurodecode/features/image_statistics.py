"""Luminance, contrast and colour of images: what a nuisance band of an encoder holds.

Early visual cortex follows these whatever else an image shows, so that a model of its content has
to be asked what it adds beside them (as bands of encoding.banded_ridge). Luminance is linearised by
the sRGB curve (IEC 61966-2-1), since light adds up and pixel values do not; contrast is its root
mean square (Peli 1990, J. Opt. Soc. Am. A 7, 2032-2040). Motion energy of films is not offered yet.

Nuisance of events needs no stage of its own: alignment.hrf with ``by: null`` says whether anything
was shown, with ``conditions: [word]`` and ``duration_s: 0`` the word rate, with the names of
presses the buttons.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from neurodecode.core.artifacts import Features, Stimuli
from neurodecode.core.errors import DataError
from neurodecode.core.stage import Sight, Stage
from neurodecode.features.extraction import check_kind, extract, list_versions, make_features
from neurodecode.numerics.golden import make_test_image, round_golden

BATCH_SIZE = 64
Band = Literal["luminance", "contrast", "colour"]
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "luminance": ("luminance",),
    "contrast": ("contrast",),
    "colour": ("red_green", "blue_yellow", "saturation"),
}
WEIGHTS = np.array([0.2126, 0.7152, 0.0722])  # of linear red, green and blue in luminance


class ImageStatistics(Stage):
    """Describe images by mean luminance, contrast and mean colour, a band each.

    Parameters
    ----------
    bands : tuple of "luminance", "contrast", "colour"
        luminance: its mean, in [0, 1]. contrast: its standard deviation over the image. colour:
        mean of red minus green, of blue minus the mean of both, and of the largest minus the
        smallest of the three, all linear. Grey images have no colour: leave it out.
    """

    stage: ClassVar[str] = "features.image_statistics"
    example: ClassVar[dict[str, list[str]]] = {"bands": ["luminance", "contrast"]}

    bands: Annotated[tuple[Band, ...], Field(min_length=1)] = ("luminance", "contrast", "colour")

    def sees(self) -> Mapping[str, Sight]:
        """Each image is described by itself."""
        return {"stimuli": "row"}

    def run(self, stimuli: Stimuli) -> Features:
        """Return features of shape (n_items, 1 to 5), in the order of ``bands``.

        Raises
        ------
        DataError
            The stimuli are no images, or colour is asked for where there is none.
        """
        check_kind(stimuli, ("image",), self.stage)
        n_colours = int(stimuli.data.shape[-1])
        if "colour" in self.bands and n_colours == 1:
            raise DataError(
                f"{self.stage}: the images are grey, so that they have no colour. Set bands: "
                "[luminance, contrast]."
            )
        if len(set(self.bands)) < len(self.bands):
            raise DataError(f"{self.stage}: bands name one band twice. Name each once.")

        def compute(images: np.ndarray) -> np.ndarray:
            found = measure_images(images)
            return np.concatenate([found[band] for band in self.bands], axis=1)

        size = self.execution.batch_size or BATCH_SIZE
        data = extract(stimuli, compute, batch_size=size, label=self.stage)
        columns = [name for band in self.bands for name in COLUMNS[band]]
        ends = np.cumsum([len(COLUMNS[band]) for band in self.bands]).tolist()
        starts = [0, *ends[:-1]]
        pattern = make_test_image(n_colours)[None] / np.float32(255)
        extractor: dict[str, Any] = {
            "name": "image_statistics",
            "layer": "",
            "weights": "",
            "columns": columns,
            "golden": round_golden(compute(pattern)),
            "versions": list_versions("numpy"),
        }
        bands = dict(zip(self.bands, zip(starts, ends, strict=True), strict=True))
        return make_features(stimuli, data, extractor=extractor, bands=bands)


def measure_images(images: np.ndarray) -> dict[str, np.ndarray]:
    """Return the statistics of each band.

    Parameters
    ----------
    images : array of float in [0, 1], shape (n_images, height, width, 1 or 3)

    Returns
    -------
    found : dict of array, shape (n_images, n_columns_of_the_band)

    Examples
    --------
    >>> white = np.ones((1, 2, 2, 3))
    >>> measure_images(white)["luminance"].round(6).tolist()
    [[1.0]]
    """
    pixels = np.asarray(images, np.float64)
    linear = np.where(pixels <= 0.04045, pixels / 12.92, ((pixels + 0.055) / 1.055) ** 2.4)
    if linear.shape[-1] == 1:
        linear = np.repeat(linear, 3, axis=-1)
    red, green, blue = (linear[..., k] for k in range(3))
    # written out: a matrix product's rounding could depend on the batch
    light = WEIGHTS[0] * red + WEIGHTS[1] * green + WEIGHTS[2] * blue
    yellow, space = (red + green) / 2, (1, 2)
    colour = (red - green, blue - yellow, linear.max(axis=-1) - linear.min(axis=-1))
    return {
        "luminance": light.mean(axis=space)[:, None],
        "contrast": light.std(axis=space)[:, None],
        "colour": np.stack([part.mean(axis=space) for part in colour], axis=1),
    }
