"""Make images by diffusion, conditional on what was decoded from the brain.

The model comes from ``reconstruction.train_diffusion`` (see diffusion_network.py for the method).
With ``strength`` below 1 the walk starts at the low-level estimate, noised part of the way, as in
Takagi & Nishimoto 2023 and Ozcelik & VanRullen 2023 (Brain-Diffuser, which sets it to 0.75).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from pydantic import Field, NonNegativeFloat, PositiveInt

from neurodecode.core.artifacts import (
    Artifact,
    Features,
    Model,
    Reconstructions,
)
from neurodecode.core.checks import check_finite
from neurodecode.core.device import choose_device
from neurodecode.core.errors import DataError
from neurodecode.core.progress import track
from neurodecode.core.stage import Sight, Stage
from neurodecode.core.tables import Table
from neurodecode.reconstruction.diffusion_inputs import (
    MEAN,
    NETWORK,
    SCALE,
    images_to_tensor,
    match_items,
    read_estimates,
    tensor_to_images,
)

if TYPE_CHECKING:
    from torch import Tensor

BATCH_SIZE = 50


class Diffusion(Stage):
    """Sample images from a trained diffusion model (DDIM).

    Parameters
    ----------
    n_steps : int
        Denoising steps from pure noise; a walk from the estimate takes its share of them, rounded
        up.
    strength : float
        In [0, 1]: 1 starts at pure noise; below, at the estimate noised that far; 0 returns the
        estimate.
    guidance : float
        Weight of the conditions: 0 leaves them out (the model's prior), 1 samples given them,
        above 1 overstates them.
    temperature : float
        Scale of the noise at the start: below 1 images are less varied and nearer to the most
        likely.
    n_samples : int
        Images per item, from the seeds seed, seed + 1, ... The noise of an item depends on the
        seed and on the item's id alone.
    seed : int
    """

    stage: ClassVar[str] = "reconstruction.diffusion"
    example: ClassVar[Mapping[str, Any]] = {"n_steps": 2}

    n_steps: PositiveInt = 20
    strength: Annotated[float, Field(ge=0, le=1)] = 1.0
    guidance: NonNegativeFloat = 1.0
    temperature: NonNegativeFloat = 1.0
    n_samples: PositiveInt = 1
    seed: int = 0

    def sees(self) -> Mapping[str, Sight]:
        """Each image is made of its own row, by a model that has its own lineage."""
        return {"features": "row", "estimates": "row"}

    def run(
        self,
        model: Model,
        features: Features | None = None,
        estimates: Features | Reconstructions | None = None,
    ) -> Reconstructions:
        """Return images of shape (n_items, n_samples, height, width, n_colours).

        Parameters
        ----------
        model : Model
            Where it has folds, each row is made by its fold's model.
        features : Features or None
            Decoded (or true) embeddings, if the model is conditional on them. Its rows are the
            items; without, those of the estimates.
        estimates : Features or Reconstructions, or None
            Pixels or images, if the model is conditional on them or the walk starts at them.
        """
        items, decoded, images = self._join(model, features, estimates)
        folds = self._read_folds(model, items)
        height, width, n_colours = model.settings["image_shape"]
        seeds = self.seed + np.arange(self.n_samples, dtype=np.int64)
        shape = (len(items), self.n_samples, height, width, n_colours)
        data = np.zeros(shape, np.float32)
        size = self.execution.batch_size or BATCH_SIZE
        jobs = [
            (int(fold), rows[i : i + size], sample)
            for fold in np.unique(folds)
            for rows in [np.flatnonzero(folds == fold)]
            for i in range(0, len(rows), size)
            for sample in range(self.n_samples)
        ]
        loaded: tuple[int | None, Any] = (None, None)
        for fold, rows, sample in track(jobs, self.stage):
            if loaded[0] != fold:
                loaded = (fold, Sampler(self, model, fold))
            data[rows, sample] = loaded[1].make(
                int(seeds[sample]),
                items["id"][rows],
                None if decoded is None else decoded[rows],
                None if images is None else images[rows],
            )
        source = features if features is not None else estimates
        return Reconstructions(
            data=data,
            items=items,
            seeds=seeds,
            split=getattr(source, "split", ""),
            unit=getattr(source, "unit", "sample"),
        )

    def _join(
        self, model: Model, features: Features | None, estimates: Artifact | None
    ) -> tuple[Table, np.ndarray | None, np.ndarray | None]:
        """Return the items, their embeddings and their estimates as images."""
        self._check_inputs(model, features, estimates)
        items = (features if features is not None else estimates).items  # type: ignore[union-attr]
        decoded = images = None
        if features is not None:
            decoded = np.asarray(features.data, np.float32)
            check_finite(decoded, what="features", where=self.stage)
        if estimates is not None:
            rows = None
            if features is not None:
                rows = match_items(items, estimates.items, self.stage)  # type: ignore[attr-defined]
            images = read_estimates(estimates, self.stage, rows)
            check_finite(images, what="estimates", where=self.stage)
        return items, decoded, images

    def _check_inputs(
        self, model: Model, features: Features | None, estimates: Artifact | None
    ) -> None:
        if not {"network", "scheduler", "fit", "image_shape"} <= set(model.settings):
            raise DataError(
                f"{self.stage}: the model comes from '{model.stage}' and is no diffusion model. "
                "Give one of reconstruction.train_diffusion."
            )
        if features is None and estimates is None:
            raise DataError(
                f"{self.stage}: neither features nor estimates say which items to make. Give one; "
                "guidance: 0 leaves its content out."
            )
        network = model.settings["network"]
        wanted, guided = network["n_conditions"], self.guidance > 0
        if features is not None and tuple(features.data.shape[1:]) != (wanted,) and guided:
            raise DataError(
                f"{self.stage}: features have shape {tuple(features.data.shape[1:])}; the model is "
                f"conditional on {wanted or 'no'} features. Give the features it was trained on."
            )
        if features is None and wanted and guided:
            raise DataError(
                f"{self.stage}: the model is conditional on {wanted} features, but none are given. "
                "Give features:, decoded or true."
            )
        starts, shows = self.strength < 1, network["has_estimate"] and guided
        if estimates is None and (starts or shows):
            why = "the model is conditional on" if shows else "strength below 1 needs"
            raise DataError(
                f"{self.stage}: {why} estimates, but none are given. Give estimates:, or set "
                "strength: 1."
            )
        if estimates is not None and features is not None and not (starts or shows):
            raise DataError(
                f"{self.stage}: estimates are given but would not be used: the model is not "
                "conditional on them, and strength 1 starts at noise. Lower strength, or leave "
                "them out."
            )
        for source in (features, estimates):
            made_with = getattr(source, "split", "")
            if model.n_folds and model.split and made_with and made_with != model.split:
                raise DataError(
                    f"{self.stage}: model and inputs were made with different splits. Hand all of "
                    "them the same."
                )

    def _read_folds(self, model: Model, items: Table) -> np.ndarray:
        if model.n_folds == 0:
            return np.zeros(len(items), np.int64)
        if "fold" not in items:
            raise DataError(
                f"{self.stage}: the model has one network per fold, but the items have no fold. "
                "Give predictions of the split that it was trained with."
            )
        return np.asarray(items["fold"])


class Sampler:
    """The network of one fold, ready to make images.

    Parameters
    ----------
    settings : Diffusion
    model : Model
    fold : int
    """

    def __init__(self, settings: Diffusion, model: Model, fold: int) -> None:
        from neurodecode.reconstruction import diffusion_network as parts

        self.settings = settings
        self.device = choose_device(settings.execution.device)
        self.described = dict(model.settings["network"])
        self.fit = model.settings["fit"]
        self.height, self.width, self.n_colours = model.settings["image_shape"]
        self.arrays = {name: np.asarray(a) for name, a in model.for_fold(fold).items()}
        self.network = parts.DiffusionNetwork(**self.described)
        parts.load_weights(self.network, self.arrays, NETWORK)
        self.network.to(self.device).eval()
        self.scheduler = parts.make_sampling_scheduler(
            model.settings["scheduler"], settings.n_steps
        )

    def make(
        self,
        seed: int,
        names: np.ndarray,
        decoded: np.ndarray | None,
        images: np.ndarray | None,
    ) -> np.ndarray:
        """Return images in [0, 1], shape (n, height, width, n_colours)."""
        import torch

        from neurodecode.reconstruction import diffusion_network as parts

        settings = self.settings
        if settings.strength == 0 and images is not None:
            return images
        size_px = self.described["size_px"]
        noise = parts.make_noise(seed, names, (self.n_colours, size_px, size_px))
        embedding: Tensor | None = None
        if self.described["n_conditions"]:
            shape = (len(names), self.described["n_conditions"])
            if decoded is None or decoded.shape != shape:  # guidance 0: never looked at
                embedding = torch.zeros(shape)
            else:
                scaled = (decoded - self.arrays[MEAN]) / self.arrays[SCALE]
                embedding = torch.from_numpy(scaled.astype(np.float32))
        estimate: Tensor | None = None
        if images is not None:
            estimate = images_to_tensor(images, size_px, self.fit, settings.stage)
        shown = estimate
        if shown is None and self.described["has_estimate"]:
            shown = torch.zeros_like(noise)
        made = parts.sample_images(
            self.network,
            self.scheduler,
            (noise * settings.temperature).to(self.device),
            embedding=None if embedding is None else embedding.to(self.device),
            estimate=None if shown is None else shown.to(self.device),
            start=None if estimate is None else estimate.to(self.device),
            strength=settings.strength,
            guidance=settings.guidance,
        )
        return tensor_to_images(made, self.height, self.width, self.fit)
