"""A small conditional diffusion model: its network, its noise schedule and its sampler.

Network: the U-Net of diffusers (UNet2DModel; Ho, Jain & Abbeel 2020, DDPM). Two conditions, each
optional:

embedding   a vector per image, projected and added to the time embedding (Dhariwal & Nichol 2021)
estimate    a low-level image, concatenated to the noisy input (Saharia et al. 2022, SR3)

Both are dropped together for a share of the training examples, so that the same network also
knows the images without them (Ho & Salimans 2022, classifier-free guidance). Sampling is DDIM
(Song, Meng & Ermon 2021, eq. 12 with eta 0), started from noise or from an image noised part of
the way (Meng et al. 2022, SDEdit).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from diffusers import DDIMScheduler, DDPMScheduler, UNet2DModel
from torch import Tensor, nn


class DiffusionNetwork(nn.Module):
    """Predict noise, image or velocity from a noisy image and its conditions.

    Parameters
    ----------
    size_px : int
        Height and width, a multiple of patch_px * 2 ** (len(widths) - 1).
    n_colours : int
    widths : sequence of int
        Channels at each resolution, the full one first; multiples of n_groups.
    patch_px : int
        Pixels that are folded into channels along each side before the first layer, which makes
        it that much cheaper (Hoogeboom et al. 2023, simple diffusion, section 2.3).
    n_layers : int
        Residual blocks at each resolution.
    n_conditions : int
        Length of the embedding; 0 for none.
    has_estimate : bool
    attention : bool
        Self-attention at the lowest resolution.
    n_groups : int
        Of group normalisation.
    dropout : float
        Share of activations dropped in training.
    """

    def __init__(
        self,
        *,
        size_px: int,
        n_colours: int,
        widths: Sequence[int],
        patch_px: int = 1,
        n_layers: int = 1,
        n_conditions: int = 0,
        has_estimate: bool = False,
        attention: bool = False,
        n_groups: int = 8,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.has_estimate = has_estimate
        self.n_conditions = n_conditions
        self.patch_px = patch_px
        n_channels = n_colours * patch_px**2
        self.unet = UNet2DModel(
            sample_size=size_px // patch_px,
            in_channels=n_channels * (2 if has_estimate else 1),
            out_channels=n_channels,
            down_block_types=("DownBlock2D",) * len(widths),
            up_block_types=("UpBlock2D",) * len(widths),
            block_out_channels=tuple(widths),
            layers_per_block=n_layers,
            norm_num_groups=n_groups,
            add_attention=attention,
            attention_head_dim=min(32, widths[-1]),
            dropout=dropout,
            class_embed_type="identity" if n_conditions else None,
        )
        if n_conditions:
            width = 4 * widths[0]  # of UNet2DModel's time embedding
            self.project = nn.Sequential(
                nn.Linear(n_conditions, width), nn.SiLU(), nn.Linear(width, width)
            )
            self.nothing = nn.Parameter(torch.zeros(width))

    def forward(
        self,
        noisy: Tensor,
        steps: Tensor,
        embedding: Tensor | None = None,
        estimate: Tensor | None = None,
        kept: Tensor | None = None,
    ) -> Tensor:
        """Return the prediction.

        Parameters
        ----------
        noisy : tensor, shape (n, n_colours, size_px, size_px), scaled to [-1, 1]
        steps : tensor of int, shape (n,)
            Noise level, 0 (nearly clean) and up.
        embedding : tensor, shape (n, n_conditions), z-scored
        estimate : tensor, like noisy
        kept : tensor of bool, shape (n,)
            False where the conditions are dropped; None keeps all.
        """
        labels = None
        if self.n_conditions:
            labels = self.project(embedding)
            if kept is not None:
                labels = torch.where(kept[:, None], labels, self.nothing)
        if self.has_estimate and estimate is not None:
            shown = estimate if kept is None else estimate * kept[:, None, None, None]
            noisy = torch.cat([noisy, shown], dim=1)
        folded = nn.functional.pixel_unshuffle(noisy, self.patch_px)
        guess = self.unet(folded, steps, class_labels=labels).sample
        return nn.functional.pixel_shuffle(guess, self.patch_px)


def make_training_scheduler(settings: Mapping[str, Any]) -> DDPMScheduler:
    """Return the schedule by which training images are noised."""
    return DDPMScheduler(clip_sample=True, **settings)


def make_sampling_scheduler(settings: Mapping[str, Any], n_steps: int) -> DDIMScheduler:
    """Return the same schedule, to be walked back in n_steps."""
    scheduler = DDIMScheduler(
        clip_sample=True, set_alpha_to_one=True, timestep_spacing="trailing", **settings
    )
    scheduler.set_timesteps(n_steps)
    return scheduler


def compute_target(scheduler: DDPMScheduler, clean: Tensor, noise: Tensor, steps: Tensor) -> Tensor:
    """Return what the network is to predict: noise, the clean image, or velocity."""
    kind = scheduler.config.prediction_type
    if kind == "epsilon":
        return noise
    if kind == "sample":
        return clean
    return scheduler.get_velocity(clean, noise, steps)


@torch.no_grad()
def sample_images(
    network: nn.Module,
    scheduler: DDIMScheduler,
    noise: Tensor,
    *,
    embedding: Tensor | None = None,
    estimate: Tensor | None = None,
    start: Tensor | None = None,
    strength: float = 1.0,
    guidance: float = 1.0,
) -> Tensor:
    """Return images made from noise, or from noised start images.

    Parameters
    ----------
    network : DiffusionNetwork
    scheduler : DDIMScheduler
        With its steps set.
    noise : tensor, shape (n, n_colours, size_px, size_px)
    embedding, estimate : tensor or None
        Conditions, as the network takes them.
    start : tensor, like noise, in [-1, 1]
        Needed where strength is below 1.
    strength : float
        Share of the walk that is done: 0 returns the start, 1 begins at pure noise. At least one
        step is taken where it is above 0.
    guidance : float
        0 without the conditions, 1 with them, above 1 away from the former.
    """
    walk = scheduler.timesteps
    n_taken = min(len(walk), int(np.ceil(strength * len(walk) - 1e-9)))
    if n_taken == 0 or strength < 1.0:
        if start is None:
            raise ValueError("strength below 1 needs start images")
        if n_taken == 0:
            return start
        first = walk[len(walk) - n_taken].repeat(len(noise))
        images = scheduler.add_noise(start, noise, first)
    else:
        images = noise
    n = len(noise)
    with_them = torch.ones(n, dtype=torch.bool, device=noise.device)
    for step in walk[len(walk) - n_taken :]:
        steps = step.repeat(n).to(noise.device)
        guess = 0.0
        if guidance != 0.0:
            guess = guidance * network(images, steps, embedding, estimate, with_them)
        if guidance != 1.0:
            without = network(images, steps, embedding, estimate, ~with_them)
            guess = guess + (1.0 - guidance) * without
        images = scheduler.step(guess, step, images).prev_sample
    return images.clamp(-1.0, 1.0)


def make_noise(seed: int, names: Iterable[str], shape: tuple[int, ...]) -> Tensor:
    """Return standard normal noise that depends on the seed and on each name alone."""
    from neurodecode.core.digests import make_tokens

    drawn = []
    for token in make_tokens(list(names), f"noise {seed}"):
        generator = torch.Generator().manual_seed(int(token >> np.uint64(1)))
        drawn.append(torch.randn(shape, generator=generator))
    return torch.stack(drawn)


def load_weights(network: nn.Module, arrays: Mapping[str, np.ndarray], prefix: str) -> None:
    """Put stored arrays into a network; every weight must be there, and no other."""
    found = {
        name.removeprefix(prefix): torch.from_numpy(np.array(array))
        for name, array in arrays.items()
        if name.startswith(prefix)
    }
    network.load_state_dict(found, strict=True)
