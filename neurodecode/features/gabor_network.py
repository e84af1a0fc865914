"""The Gabor pyramid on a device: two matrix products per scale, no convolution.

The response of the wavelet at (row, column) is the image between two vectors,
``carrier_y[row] @ image @ carrier_x[column]``; complex numbers are carried as pairs of real ones,
which every device can multiply.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from neurodecode.numerics.gabor import GaborScale


@dataclass(frozen=True)
class _Scale:
    across: torch.Tensor  # (width, 2 O C): real and imaginary part of carrier_x
    down: torch.Tensor  # (O, R, 2 height): real and imaginary part of carrier_y
    envelope_x: torch.Tensor  # (width, C)
    envelope_y: torch.Tensor  # (R, height)
    dc: torch.Tensor  # (2, O, R, C)
    gain: torch.Tensor  # (2, O, R, C)


class GaborPyramid:
    """Wavelets of several spatial frequencies, ready to be applied to images.

    Parameters
    ----------
    scales : sequence of GaborScale
    device : torch.device
    """

    def __init__(self, scales: Sequence[GaborScale], device: Any) -> None:
        self.grids = [scale.grid for scale in scales]
        self.device = device
        self._scales = [self._move(scale) for scale in scales]

    def _move(self, scale: GaborScale) -> _Scale:
        def put(values: np.ndarray) -> torch.Tensor:
            return torch.from_numpy(np.ascontiguousarray(values, np.float32)).to(self.device)

        width = scale.envelope_x.shape[1]
        across = np.stack([scale.carrier_x.real, scale.carrier_x.imag])
        down = np.concatenate([scale.carrier_y.real, scale.carrier_y.imag], axis=-1)
        return _Scale(
            across=put(across.reshape(-1, width).T),
            down=put(down),
            envelope_x=put(scale.envelope_x.T),
            envelope_y=put(scale.envelope_y),
            dc=put(np.stack([scale.dc.real, scale.dc.imag])),
            gain=put(np.stack([scale.gain.real, scale.gain.imag])),
        )

    def respond(self, images: np.ndarray) -> list[np.ndarray]:
        """Return the responses of even and odd wavelets, scale by scale.

        Parameters
        ----------
        images : array of float32, shape (n_images, height, width)

        Returns
        -------
        responses : list of arrays of float32
            Each (n_images, 2, n_orientations, n_rows, n_columns); even, then odd.
        """
        given = torch.from_numpy(np.ascontiguousarray(images, np.float32)).to(self.device)
        with torch.inference_mode():
            return [self._respond(given, scale).cpu().numpy() for scale in self._scales]

    def _respond(self, images: torch.Tensor, scale: _Scale) -> torch.Tensor:
        n, height, _ = images.shape
        n_orientations = len(scale.down)
        along_x = (images @ scale.across).view(n, height, 2, n_orientations, -1)
        real, imaginary = along_x.permute(2, 0, 3, 1, 4)  # each (n, O, height, C)
        down_real, down_imaginary = scale.down[..., :height], scale.down[..., height:]
        even = down_real @ real - down_imaginary @ imaginary
        odd = down_real @ imaginary + down_imaginary @ real
        seen = scale.envelope_y @ (images @ scale.envelope_x)  # (n, R, C): under the envelope
        raw = torch.stack([even, odd], dim=1)
        return scale.gain * (raw - scale.dc * seen[:, None, None])
