"""Energies of a Gabor wavelet pyramid: local orientation and spatial frequency.

Jones and Palmer 1987 (J Neurophysiol 58:1233) for the wavelets; Kay et al. 2008 (Nature 452:352)
for the pyramid and the compressed energy. The defaults are theirs (1 to 32 cycles per image, eight
orientations, 128 pixels, square root of the energy), but for the round envelope, which
numerics/gabor.py explains.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from neurodecode.core.artifacts import Features, Stimuli
from neurodecode.core.device import choose_device
from neurodecode.core.errors import DataError
from neurodecode.core.stage import Sight, Stage
from neurodecode.features.extraction import check_kind, extract, list_versions, make_features
from neurodecode.numerics.gabor import choose_cycles, choose_pooled, make_gabor_scale, pool_grid
from neurodecode.numerics.golden import make_test_image, round_golden
from neurodecode.numerics.images import choose_shape, convert_to_luminance, resize_area

if TYPE_CHECKING:
    from neurodecode.features.gabor_network import GaborPyramid

BATCH_SIZE = 64


class Gabor(Stage):
    """Describe images by the energy of Gabor wavelets at several scales, orientations and places.

    Columns run over scales (one band each, named by its frequency), then orientations, rows and
    columns of the grid; with phase pairs, all even wavelets of a scale come before all odd ones.
    The last column is the mean luminance.

    Parameters
    ----------
    size_px : int or None
        Images are brought to this length of their shorter side. None keeps their size.
    n_scales, n_orientations : int
    cycles_per_image : (low, high)
        Lowest and highest spatial frequency along the shorter side; those between are evenly
        spaced on a logarithmic axis.
    bandwidth_octaves : float
        Width of a wavelet's amplitude spectrum at half height.
    grid : int or None
        Average the energies of a scale over at most this many places along the shorter side. None
        keeps as many places as there are cycles.
    output : {"energy", "phase_pairs"}
        Energy is even² + odd²; phase pairs are the signed responses themselves.
    compression : {"none", "sqrt", "log"}
        Of the energy, before averaging over places: sqrt gives the amplitude, log is
        ln(1 + energy).
    luminance : bool
        Add the image's mean luminance as a last column, which no wavelet sees.
    """

    stage: ClassVar[str] = "features.gabor"
    example: ClassVar[Mapping[str, Any]] = {
        "size_px": 16, "n_scales": 2, "n_orientations": 2, "cycles_per_image": (1, 4),
    }  # fmt: skip

    size_px: PositiveInt | None = 128
    n_scales: PositiveInt = 6
    n_orientations: PositiveInt = 8
    cycles_per_image: tuple[PositiveFloat, PositiveFloat] = (1.0, 32.0)
    bandwidth_octaves: float = Field(1.0, gt=0, le=4)
    grid: PositiveInt | None = None
    output: Literal["energy", "phase_pairs"] = "energy"
    compression: Literal["none", "sqrt", "log"] = "sqrt"
    luminance: bool = True

    @model_validator(mode="after")
    def _check_settings(self) -> Gabor:
        low, high = self.cycles_per_image
        if high < low:
            raise ValueError(
                f"cycles_per_image runs from {low:g} down to {high:g}. Give (low, high)."
            )
        if self.size_px is not None and high > self.size_px / 2:
            raise ValueError(
                f"cycles_per_image reaches {high:g}, but {self.size_px} pixels hold at most "
                f"{self.size_px / 2:g} cycles. Lower it, or raise size_px."
            )
        if self.output == "phase_pairs" and (self.compression != "none" or self.grid is not None):
            raise ValueError(
                "phase_pairs are signed: they are neither compressed nor averaged over places. "
                "Set compression: none and grid: null, or output: energy."
            )
        return self

    def sees(self) -> Mapping[str, Sight]:
        """Each image is described by itself."""
        return {"stimuli": "row"}

    def run(self, stimuli: Stimuli) -> Features:
        """Return features of shape (n_items, n_wavelets)."""
        check_kind(stimuli, ("image",), self.stage)
        in_height, in_width = stimuli.data.shape[-3:-1]
        height, width = choose_shape(int(in_height), int(in_width), self.size_px)
        self._check_resolution(min(height, width))
        pyramid = self._make_pyramid(height, width)

        def compute(images: np.ndarray) -> np.ndarray:
            seen = resize_area(convert_to_luminance(images), height, width)[..., 0]
            return self._describe(seen, pyramid.respond(seen))

        data = extract(
            stimuli,
            compute,
            batch_size=self.execution.batch_size or BATCH_SIZE,
            label=self.stage,
        )
        pattern = make_test_image()[None] / np.float32(255)
        extractor = {
            "name": "gabor",
            "layer": self.output,
            "weights": "",
            "height": height,
            "width": width,
            "golden": round_golden(compute(pattern)),
            "versions": list_versions("numpy", "torch"),
        }
        return make_features(
            stimuli, data, extractor=extractor, bands=self._list_bands(pyramid.grids)
        )

    def _check_resolution(self, shorter_px: int) -> None:
        high = self.cycles_per_image[1]
        if high > shorter_px / 2:
            raise DataError(
                f"{self.stage}: cycles_per_image reaches {high:g}, but the images' shorter side "
                f"of {shorter_px} pixels holds at most {shorter_px / 2:g} cycles. Lower it, or set "
                "size_px."
            )

    def _make_pyramid(self, height: int, width: int) -> GaborPyramid:
        from neurodecode.features.gabor_network import GaborPyramid

        scales = [
            make_gabor_scale(
                height, width, f, self.n_orientations, bandwidth_octaves=self.bandwidth_octaves
            )
            for f in choose_cycles(*self.cycles_per_image, self.n_scales)
        ]
        return GaborPyramid(scales, choose_device(self.execution.device))

    def _describe(self, seen: np.ndarray, responses: Sequence[np.ndarray]) -> np.ndarray:
        """Return the columns of a batch: scale after scale, then the luminance."""
        columns = []
        for pair in responses:
            found = pair if self.output == "phase_pairs" else self._compute_energy(pair)
            if self.grid is not None:
                found = pool_grid(found, self.grid)
            columns.append(found.reshape(len(found), -1))
        if self.luminance:
            mean = seen.reshape(len(seen), -1).mean(axis=1, dtype=np.float64)
            columns.append(mean[:, None].astype(np.float32))
        return np.concatenate(columns, axis=1)

    def _compute_energy(self, pair: np.ndarray) -> np.ndarray:
        energy = pair[:, 0] ** 2 + pair[:, 1] ** 2
        if self.compression == "sqrt":
            return np.asarray(np.sqrt(energy))
        return np.asarray(np.log1p(energy)) if self.compression == "log" else energy

    def _list_bands(self, grids: Sequence[tuple[int, int]]) -> dict[str, tuple[int, int]]:
        bands = {}
        start = 0
        n_channels = self.n_orientations * (2 if self.output == "phase_pairs" else 1)
        cycles = choose_cycles(*self.cycles_per_image, self.n_scales)
        for f, grid in zip(cycles, grids, strict=True):
            n_rows, n_columns = grid if self.grid is None else choose_pooled(grid, self.grid)
            stop = start + n_channels * n_rows * n_columns
            bands[f"{f:g}_cycles"] = (start, stop)
            start = stop
        if self.luminance:
            bands["luminance"] = (start, start + 1)
        return bands
