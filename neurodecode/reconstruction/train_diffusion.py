"""Train a small diffusion model on the stimuli of the training rows, conditional on what a decoder
gives.

Model and conditions: diffusion_network.py. It learns from what it will be given later: the
low-level estimates it sees in training are out-of-fold predictions of training rows
(``decoding.ridge`` with ``nested: true``), and so carry the noise of real estimates; an estimate
fitted on its own image would teach the network to trust it too much.

Images and estimates are shifted, turned and scaled together: few images make a network that
remembers them. Noise levels are drawn as T u^p with u uniform: p below 1 trains the noisy end
more, which decides what the image shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from neurodecode.core.artifacts import (
    Array,
    Features,
    Model,
    Split,
    Stimuli,
)
from neurodecode.core.device import choose_device
from neurodecode.core.stage import Sight, Stage
from neurodecode.numerics.training import train_network
from neurodecode.reconstruction.diffusion_examples import Examples, read_examples
from neurodecode.reconstruction.diffusion_inputs import (
    MEAN,
    NETWORK,
    SCALE,
    Fit,
    images_to_tensor,
)

if TYPE_CHECKING:
    from torch import Tensor

LOSS = "loss"
Share = Annotated[float, Field(ge=0, lt=1)]


class TrainDiffusion(Stage):
    """Train a conditional diffusion model, one per fold where there is a split.

    Parameters
    ----------
    size_px : int
        Height and width at which the model works.
    fit : {"resize", "pad"}
        How images are brought to that size.
    widths : tuple of int
        Channels at each resolution, the full one first; multiples of 8.
    patch_px : int
        Pixels folded into channels along each side; size_px must be a multiple of
        patch_px * 2 ** (len(widths) - 1).
    n_layers : int
        Residual blocks at each resolution.
    attention : bool
        Self-attention at the lowest resolution.
    dropout : float
        Share of activations dropped in training, in [0, 1).
    prediction_type : {"sample", "epsilon", "v_prediction"}
        What the network predicts: the image, the noise, or the velocity.
    beta_schedule : {"squaredcos_cap_v2", "linear", "scaled_linear"}
    n_noise_levels : int
    noise_power : float
        Noise levels are drawn as n_noise_levels * u ** noise_power.
    condition_dropout : float
        Share of examples that are shown without their conditions, for guidance.
    condition_scaling : {"common", "columns"}
        The embedding is centred and divided by one deviation for all columns, or by each
        column's own. A decoder's noise does not shrink with a column's variance, so that own
        deviations blow it up where features hardly vary.
    condition_noise : float
        Largest deviation of the noise added to the scaled embedding in training, drawn anew per
        example from 0 up, so that the model bears the errors of decoded embeddings (Ho et al.
        2022, Cascaded diffusion models, section 4). Not needed with nested predictions.
    n_steps, batch_size : int
    learning_rate, weight_decay : float
    n_warmup : int
        Steps over which the learning rate rises; a cosine takes it down to zero.
    ema_decay : float
        Of the moving average of the weights, which is what is kept; in [0, 1).
    shift_px, rotation_deg : float
        Largest shift (in pixels of size_px) and turn, each way, of images and estimates together.
    scale_share : float
        Largest change of size, each way, as a share.
    seed : int
    """

    stage: ClassVar[str] = "reconstruction.train_diffusion"
    example: ClassVar[Mapping[str, Any]] = {
        "size_px": 8, "widths": (8, 8), "n_steps": 2, "batch_size": 2, "n_warmup": 1,
    }  # fmt: skip

    size_px: PositiveInt = 32
    fit: Fit = "resize"
    widths: tuple[Annotated[int, Field(gt=0, multiple_of=8)], ...] = Field((32, 64), min_length=1)
    patch_px: PositiveInt = 1
    n_layers: PositiveInt = 1
    attention: bool = False
    dropout: Share = 0.0
    prediction_type: Literal["sample", "epsilon", "v_prediction"] = "sample"
    beta_schedule: Literal["squaredcos_cap_v2", "linear", "scaled_linear"] = "squaredcos_cap_v2"
    n_noise_levels: Annotated[int, Field(ge=2)] = 1000
    noise_power: PositiveFloat = 1.0
    condition_dropout: Share = 0.1
    condition_scaling: Literal["common", "columns"] = "common"
    condition_noise: NonNegativeFloat = 0.0
    n_steps: PositiveInt = 400
    batch_size: PositiveInt = 32
    learning_rate: PositiveFloat = 2e-3
    weight_decay: NonNegativeFloat = 0.01
    n_warmup: NonNegativeInt = 30
    ema_decay: Share = 0.99
    shift_px: NonNegativeFloat = 0.0
    rotation_deg: NonNegativeFloat = 0.0
    scale_share: Share = 0.0
    seed: int = 0

    @model_validator(mode="after")
    def _check_size(self) -> Self:
        unit = self.patch_px * 2 ** (len(self.widths) - 1)
        if self.size_px % unit:
            raise ValueError(
                f"size_px {self.size_px} is no multiple of {unit} (patch_px {self.patch_px}, "
                f"halved {len(self.widths) - 1} times). Change size_px, patch_px or widths."
            )
        return self

    def sees(self) -> Mapping[str, Sight]:
        """The model of a fold is trained on its training stimuli."""
        return {"stimuli": "training", "features": "training", "estimates": "training"}

    def run(
        self,
        stimuli: Stimuli,
        features: Features | None = None,
        estimates: Features | None = None,
        split: Split | None = None,
    ) -> Model:
        """Return the trained model.

        Parameters
        ----------
        stimuli : Stimuli
            Images.
        features : Features or None
            A vector per stimulus, to condition on. Either true features, or nested predictions
            (role "training"), which show the model what decoded ones look like.
        estimates : Features or None
            Pixels, to condition on: nested predictions where there is a split. Several rows of
            one sample (from several nested splits) are as many examples.
        split : Split or None
            One model per fold; without, one model of all stimuli.
        """
        return self.run_in_blocks(
            stimuli=stimuli, features=features, estimates=estimates, split=split
        )

    def blocks(self, *, split: Split | None = None, **inputs: Any) -> Sequence[str]:
        """Return one block per fold."""
        return ["model"] if split is None else [f"fold{k}" for k in range(split.n_folds)]

    def run_block(self, block: str, **inputs: Any) -> Mapping[str, np.ndarray]:
        """Return the weights of one fold's model, and its losses."""
        import torch

        fold = 0 if inputs.get("split") is None else int(block.removeprefix("fold"))
        examples = read_examples(self.stage, **inputs, fold=fold)
        device = choose_device(self.execution.device)
        drawn = np.random.SeedSequence((abs(self.seed), int(self.seed < 0), fold))
        seed = int(drawn.generate_state(1, np.uint64)[0] >> np.uint64(1))
        # Initial weights and dropout can only be drawn from torch's own generator.
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(seed)
            return self._train(examples, seed, device, f"{self.stage} {block}")

    def _train(
        self, examples: Examples, seed: int, device: Any, label: str
    ) -> dict[str, np.ndarray]:
        import torch
        from torch.nn import functional

        from neurodecode.reconstruction import diffusion_network as parts

        generator = torch.Generator().manual_seed(seed)
        clean = images_to_tensor(examples.images, self.size_px, self.fit, self.stage)
        n, n_colours = clean.shape[:2]
        arrays: dict[str, np.ndarray] = {}
        embedding = estimate = None
        if examples.estimates is not None:
            estimate = images_to_tensor(examples.estimates, self.size_px, self.fit, self.stage)
        if examples.embeddings is not None:
            arrays[MEAN], arrays[SCALE] = fit_scaling(examples.embeddings, self.condition_scaling)
            embedding = torch.from_numpy((examples.embeddings - arrays[MEAN]) / arrays[SCALE])
        network = parts.DiffusionNetwork(
            **self._describe_network(
                n_colours,
                0 if embedding is None else embedding.shape[1],
                estimate is not None,
            )
        ).to(device)
        scheduler = parts.make_training_scheduler(self._describe_schedule())

        def compute_loss(step: int) -> Tensor:
            size = self.batch_size
            rows = torch.randint(n, (size,), generator=generator)
            shown = clean[rows] if estimate is None else torch.cat([clean[rows], estimate[rows]], 1)
            shown = self._augment(shown, generator)
            image = shown[:, :n_colours]
            drawn = torch.rand(size, generator=generator) ** self.noise_power
            steps = (drawn * self.n_noise_levels).long().clamp(max=self.n_noise_levels - 1)
            noise = torch.randn(image.shape, generator=generator)
            kept = torch.rand(size, generator=generator) >= self.condition_dropout
            guess = network(
                scheduler.add_noise(image, noise, steps).to(device),
                steps.to(device),
                None if embedding is None else self._blur(embedding[rows], generator).to(device),
                None if estimate is None else shown[:, n_colours:].to(device),
                kept.to(device),
            )
            target = parts.compute_target(scheduler, image, noise, steps)
            return functional.mse_loss(guess, target.to(device))

        arrays[LOSS] = train_network(
            network,
            compute_loss,
            n_steps=self.n_steps,
            learning_rate=self.learning_rate,
            n_warmup=self.n_warmup,
            weight_decay=self.weight_decay,
            ema_decay=self.ema_decay,
            label=label,
        )
        for name, weight in network.state_dict().items():
            arrays[NETWORK + name] = weight.detach().cpu().numpy().astype(np.float32)
        return arrays

    def _blur(self, embedding: Tensor, generator: Any) -> Tensor:
        if not self.condition_noise:
            return embedding
        import torch

        level = self.condition_noise * torch.rand((len(embedding), 1), generator=generator)
        return embedding + level * torch.randn(embedding.shape, generator=generator)

    def _augment(self, images: Tensor, generator: Any) -> Tensor:
        if not (self.shift_px or self.rotation_deg or self.scale_share):
            return images
        import torch
        from torch.nn import functional

        def draw(most: float) -> Tensor:
            return (2 * torch.rand(len(images), generator=generator) - 1) * most

        angle, size = torch.deg2rad(draw(self.rotation_deg)), 1 + draw(self.scale_share)
        cos, sin = torch.cos(angle) * size, torch.sin(angle) * size
        most = self.shift_px * 2 / self.size_px  # the grid runs from -1 to 1
        moves = torch.stack(
            [torch.stack([cos, -sin, draw(most)], 1), torch.stack([sin, cos, draw(most)], 1)], 1
        )
        grid = functional.affine_grid(moves, list(images.shape), align_corners=False)
        return functional.grid_sample(
            images, grid, mode="bilinear", padding_mode="border", align_corners=False
        )

    def _describe_network(
        self, n_colours: int, n_conditions: int, has_estimate: bool
    ) -> dict[str, Any]:
        return {
            "size_px": self.size_px,
            "n_colours": n_colours,
            "widths": list(self.widths),
            "patch_px": self.patch_px,
            "n_layers": self.n_layers,
            "n_conditions": n_conditions,
            "has_estimate": has_estimate,
            "attention": self.attention,
            "dropout": self.dropout,
        }

    def _describe_schedule(self) -> dict[str, Any]:
        return {
            "num_train_timesteps": self.n_noise_levels,
            "beta_schedule": self.beta_schedule,
            "prediction_type": self.prediction_type,
        }

    def assemble(self, parts: Mapping[str, Mapping[str, Array]], **inputs: Any) -> Model:
        """Return the model made of the folds' arrays."""
        split: Split | None = inputs.get("split")
        arrays: dict[str, Array] = {}
        curve: dict[str, Array] = {}
        for block, given in parts.items():
            prefix = "" if split is None else f"{block}/"
            for name, array in given.items():
                (curve if name == LOSS else arrays)[prefix + name] = array
        height, width, n_colours = (int(n) for n in inputs["stimuli"].data.shape[1:])
        means = next(iter(parts.values())).get(MEAN)
        return Model(
            stage=self.stage,
            settings={
                "network": self._describe_network(
                    n_colours,
                    0 if means is None else len(means),
                    inputs.get("estimates") is not None,
                ),
                "scheduler": self._describe_schedule(),
                "fit": self.fit,
                "image_shape": [height, width, n_colours],
            },
            arrays=arrays,
            n_folds=0 if split is None else split.n_folds,
            split="" if split is None else split.digest,
            curve=curve,
        )


def fit_scaling(
    embeddings: np.ndarray, scaling: Literal["common", "columns"]
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and deviation by column, the same deviation for all where it is common.

    Parameters
    ----------
    embeddings : array of float32, shape (n_examples, n_features)

    Returns
    -------
    mean, scale : arrays of float32, shape (n_features,)
        A column without variance has scale 1.

    Examples
    --------
    >>> fit_scaling(np.array([[0.0, 1.0], [2.0, 1.0]], np.float32), "columns")[1]
    array([1., 1.], dtype=float32)
    """
    variance = embeddings.var(axis=0)
    if scaling == "common":
        variance = np.full_like(variance, variance.mean())
    return embeddings.mean(axis=0), np.where(variance > 0, np.sqrt(variance), 1).astype(np.float32)
