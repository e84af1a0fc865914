"""The training loop reaches the least-squares solution, and averages weights as it says."""

import numpy as np
import torch

from neurodecode.numerics.training import train_network


def make_problem():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3))
    y = x @ [[1.0], [-2.0], [0.5]] + 0.3 + 0.1 * rng.normal(size=(60, 1))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = torch.nn.Linear(3, 1)
    inputs, targets = torch.from_numpy(x).float(), torch.from_numpy(y).float()

    def compute_loss(step):
        return torch.nn.functional.mse_loss(network(inputs), targets)

    return x, y, network, compute_loss


def test_it_reaches_least_squares():
    x, y, network, compute_loss = make_problem()
    losses = train_network(
        network, compute_loss, n_steps=400, learning_rate=0.05, n_warmup=10, ema_decay=0.9
    )
    expected = np.linalg.lstsq(np.c_[x, np.ones(60)], y, rcond=None)[0].ravel()
    np.testing.assert_allclose(network.weight.detach().numpy()[0], expected[:3], atol=1e-3)
    np.testing.assert_allclose(network.bias.detach().numpy(), expected[3:], atol=1e-3)
    assert losses.shape == (400,)
    assert losses[-1] < losses[0]


def test_without_averaging_it_is_adamw():
    _, _, network, compute_loss = make_problem()
    train_network(network, compute_loss, n_steps=3, learning_rate=0.1, weight_decay=0.1)
    _, _, other, compute_loss = make_problem()
    optimizer = torch.optim.AdamW(other.parameters(), lr=0.1, weight_decay=0.1)
    for step in range(3):
        optimizer.param_groups[0]["lr"] = 0.1 * 0.5 * (1 + np.cos(np.pi * step / 3))
        optimizer.zero_grad()
        compute_loss(step).backward()
        torch.nn.utils.clip_grad_norm_(other.parameters(), 1.0)
        optimizer.step()
    torch.testing.assert_close(network.weight, other.weight)
