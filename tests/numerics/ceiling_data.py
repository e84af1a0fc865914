"""Repeats with a planted ceiling, and the ways to get a ceiling wrong."""

import numpy as np

SHAPES = ("normal", "laplace", "t5", "exponential")


def draw(shape, size, rng):
    """Values of mean 0 and variance 1."""
    if shape == "laplace":
        return rng.laplace(size=size) / np.sqrt(2)
    if shape == "t5":
        return rng.standard_t(5, size=size) / np.sqrt(5 / 3)
    if shape == "exponential":
        return rng.exponential(size=size) - 1
    return rng.standard_normal(size)


def plant_repeats(
    rho, n_repeats, n_stimuli, n_voxels, *, mixed=False, signal="normal", noise="normal", seed=0
):
    """Return (n_presentations, n_voxels) data and the stimulus of each.

    Every voxel is an experiment of its own: new stimuli, new noise. Mixed: each stimulus has 2 to
    n_repeats of them.
    """
    rng = np.random.default_rng(seed)
    of_stimuli = np.sqrt(rho) * draw(signal, (n_stimuli, n_voxels), rng)
    sizes = np.full(n_stimuli, n_repeats)
    if mixed:
        sizes = rng.permutation(np.resize(np.arange(2, n_repeats + 1), n_stimuli))
    stimulus = np.concatenate([np.flatnonzero(sizes > k) for k in range(n_repeats)])
    data = of_stimuli[stimulus]
    data += np.sqrt(1 - rho) * draw(noise, data.shape, rng)
    return data, stimulus


def square_spearman_brown(repeats):
    """The ceiling of r² as the square of Spearman and Brown's r of two halves: too low by rho.

    Repeats: (n_repeats, n_stimuli, n_voxels).
    """
    return step_up_halves(repeats) ** 2


def step_up_halves(repeats):
    """Spearman and Brown's formula on the means of two parts, equal in size or not."""
    half = len(repeats) // 2
    first, second = repeats[:half].mean(axis=0), repeats[half:].mean(axis=0)
    first, second = first - first.mean(axis=0), second - second.mean(axis=0)
    r = (first * second).sum(axis=0)
    r /= np.sqrt((first**2).sum(axis=0) * (second**2).sum(axis=0))
    return 2 * r / (1 + r)
