"""The training loop that small networks share.

AdamW (Loshchilov & Hutter 2019) with a linear warm-up, a cosine decay to zero and clipped
gradients; the weights that are kept are an exponential moving average, warmed up so that early
steps are forgotten: decay at step t is min(ema_decay, (1 + t) / (10 + t)).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from neurodecode.core.progress import track

if TYPE_CHECKING:
    from torch import Tensor, nn


def schedule_rate(step: int, n_steps: int, n_warmup: int) -> float:
    """Return the share of the learning rate at a step: up linearly, down as a cosine.

    Examples
    --------
    >>> [round(schedule_rate(s, 10, 2), 2) for s in (0, 1, 2, 6, 9)]
    [0.5, 1.0, 1.0, 0.5, 0.04]
    """
    if step < n_warmup:
        return (step + 1) / n_warmup
    done = (step - n_warmup) / max(1, n_steps - n_warmup)
    return 0.5 * (1.0 + math.cos(math.pi * done))


def train_network(
    network: nn.Module,
    compute_loss: Callable[[int], Tensor],
    *,
    n_steps: int,
    learning_rate: float,
    n_warmup: int = 0,
    weight_decay: float = 0.0,
    ema_decay: float = 0.0,
    max_norm: float = 1.0,
    label: str = "training",
) -> np.ndarray:
    """Train a network in place; it ends with its averaged weights.

    Parameters
    ----------
    network : nn.Module
    compute_loss : function of the step's number
        Draws a batch and returns its loss.
    ema_decay : float
        0 keeps the last weights.
    max_norm : float
        Of the gradients, beyond which they are shortened.

    Returns
    -------
    losses : array of float32, shape (n_steps,)
    """
    import torch

    weights = [w for w in network.parameters() if w.requires_grad]
    averages = [w.detach().clone() for w in weights]
    optimizer = torch.optim.AdamW(
        weights, lr=learning_rate, weight_decay=weight_decay, foreach=True
    )
    losses = np.zeros(n_steps, np.float32)
    network.train()
    for step in track(range(n_steps), label):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * schedule_rate(step, n_steps, n_warmup)
        loss = compute_loss(step)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, max_norm)
        optimizer.step()
        decay = min(ema_decay, (1 + step) / (10 + step))
        with torch.no_grad():
            torch._foreach_lerp_(averages, [w.detach() for w in weights], 1.0 - decay)
        losses[step] = loss.item()
    with torch.no_grad():
        for weight, average in zip(weights, averages, strict=True):
            weight.copy_(average)
    network.eval()
    return losses
