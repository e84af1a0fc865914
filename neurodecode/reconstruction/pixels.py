"""Decoded pixels shown as images: the linear estimate, the plainest reconstruction there is.

In the manner of Miyawaki et al. 2008 and of every linear pixel decoder since. It needs no prior,
and is what a generative method has to beat.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from neurodecode.core.artifacts import Features, Reconstructions
from neurodecode.core.stage import Sight, Stage
from neurodecode.numerics.images import pixels_to_images
from neurodecode.reconstruction.diffusion_inputs import read_pixel_shape


class Pixels(Stage):
    """Show decoded pixel features as images, clipped to [0, 1].

    The features' extractor says height, width and colours, as ``features.pixels`` writes them.
    """

    stage: ClassVar[str] = "reconstruction.pixels"

    def sees(self) -> Mapping[str, Sight]:
        """Each image is made of its own row."""
        return {"features": "row"}

    def run(self, features: Features) -> Reconstructions:
        """Return images of shape (n_items, 1, height, width, n_colours).

        Raises
        ------
        DataError
            The features are not pixels.
        """
        shape = read_pixel_shape(features, self.stage)
        images = pixels_to_images(np.asarray(features.data), *shape)
        return Reconstructions(
            data=images[:, None],
            items=features.items,
            seeds=np.zeros(1, np.int64),
            split=getattr(features, "split", ""),
            unit=getattr(features, "unit", "sample"),
        )
