"""Bias and coverage of noise ceilings against planted truths, at every ceiling and design.

Every voxel is an experiment of its own. The truth is the ceiling of r² for one presentation, over
all stimuli of the kind; "mixed" designs give each stimulus 2 to n repeats. Wrong ways stand below.
Not collected by default; run it by hand, a few minutes on one core:

    python -m tests.benchmarks.bench_noise_ceilings [n_experiments]
    pytest -m slow -s tests/benchmarks/bench_noise_ceilings.py
"""

from __future__ import annotations

import sys
import time

import numpy as np
import pytest

from neurodecode.numerics.ceiling_intervals import (
    compute_normal_interval,
    jackknife,
    step_up,
    take_root,
)
from neurodecode.numerics.inter_subject import (
    average_agreement,
    correlate_with_others,
    expect_agreement,
)
from neurodecode.numerics.noise_ceilings import estimate_reliability
from tests.numerics.ceiling_data import (
    SHAPES,
    plant_repeats,
    square_spearman_brown,
    step_up_halves,
)

METHODS = ("ncsnr", "split_half", "explainable_variance")
CEILINGS = np.round(np.arange(0.1, 0.95, 0.1), 1)
DESIGNS = [(2, False), (3, False), (5, False), (10, False), (3, True), (10, True)]
CHUNK = 400  # experiments at once


def measure(method, ceiling, n_repeats, n_stimuli, n_experiments, *, of_mean=False, **shape):
    """Return mean bias, its standard error, and coverage by jackknife and by the normal interval.

    ``ceiling`` is that of one presentation, or of the mean of n_repeats.
    """
    rho = ceiling / (n_repeats - (n_repeats - 1) * ceiling) if of_mean else ceiling
    errors, inside, normal = [], [], []
    for start in range(0, n_experiments, CHUNK):
        size = min(CHUNK, n_experiments - start)
        data, stimulus = plant_repeats(rho, n_repeats, n_stimuli, size, seed=start, **shape)
        found = estimate_reliability(data, stimulus, method)
        value = step_up(found.rho, n_repeats) if of_mean else found.rho
        errors.append(value - ceiling)
        bounds = jackknife(found.rho, found.influence, found.n_harmonic)
        inside.append((bounds.low <= rho) & (rho <= bounds.high))
        if method == "ncsnr" or not shape.get("mixed"):
            bounds = compute_normal_interval(data, stimulus, found.rho, method)
            normal.append((bounds.low <= rho) & (rho <= bounds.high))
    error = np.concatenate(errors)
    exact = float(np.mean(np.concatenate(normal))) if normal else np.nan
    spread = float(error.std() / np.sqrt(len(error)))
    return float(error.mean()), spread, float(np.mean(np.concatenate(inside))), exact


def tabulate(n_experiments, n_stimuli, ceilings=CEILINGS, designs=DESIGNS, **shape):
    """Print one row per method and design; return all biases and coverages."""
    biases, coverages = [], []
    for method in METHODS:
        for n_repeats, mixed in designs:
            row = []
            for ceiling in ceilings:
                bias, _, covered, exact = measure(
                    method, ceiling, n_repeats, n_stimuli, n_experiments, mixed=mixed, **shape
                )
                biases.append(bias), coverages.append(covered)
                row.append(f"{bias:+.4f} {covered:.3f} {exact:.3f}")
            name = f"2-{n_repeats}" if mixed else f"{n_repeats}"
            print(f"{method:21s}{n_stimuli:6d} {name:>5s}  " + " | ".join(row), flush=True)
    return np.array(biases), np.array(coverages)


def measure_roots(n_repeats, n_experiments):
    """Return, for ceilings of r, the bias of the mean root and of the root of the mean."""
    found = []
    for ceiling in CEILINGS:
        data, stimulus = plant_repeats(ceiling**2, n_repeats, 1000, n_experiments, seed=3)
        rho = estimate_reliability(data, stimulus, "ncsnr").rho
        roots = take_root(rho).mean(), take_root(rho.mean())
        found.append([float(root - ceiling) for root in roots])
    return np.array(found)


def measure_wrong_ways(n_experiments=400):
    """Return the biases of ways that are wrong, for ceilings of the mean of all repeats."""
    found = {}
    for n_repeats in (2, 3, 5):
        for rho in (0.1, 0.3, 0.5):
            data, _ = plant_repeats(rho, n_repeats, 1000, n_experiments, seed=1)
            repeats = data.reshape(n_repeats, 1000, n_experiments)
            truth = step_up(np.array(rho), n_repeats)
            if n_repeats % 2 == 0:
                found["square of Spearman-Brown", n_repeats, rho] = (
                    square_spearman_brown(repeats).mean() - truth
                )
            else:
                found["Spearman-Brown on unequal halves", n_repeats, rho] = (
                    step_up_halves(repeats).mean() - truth
                )
    return found


def measure_inter_subject(n_samples, n_experiments, n_subjects, share):
    """Return bias and coverage of the mean over subjects; gains and noise differ by subject."""
    gain = np.linspace(0.6, 1.4, n_subjects)
    own = np.linspace(0.2, 0.0, n_subjects)
    noise = np.full(n_subjects, 1 / share - 1)
    truth = np.tanh(np.arctanh(expect_agreement(gain, own, noise)).mean())
    rng = np.random.default_rng(2)
    errors, inside = [], []
    for _ in range(0, n_experiments, CHUNK):
        shape = (n_subjects, n_samples, CHUNK)
        data = gain[:, None, None] * rng.standard_normal(shape[1:])
        data = data + np.sqrt(own + noise)[:, None, None] * rng.standard_normal(shape)
        mean, bounds = average_agreement(correlate_with_others(data), np.arange(n_samples))
        errors.append(mean - truth)
        inside.append((bounds.low <= truth) & (truth <= bounds.high))
    return truth, float(np.mean(errors)), float(np.mean(inside))


@pytest.mark.slow
def test_bias_below_a_hundredth_and_coverage_of_93_to_97_percent():
    bias, covered = tabulate(1200, 1000)
    assert np.abs(bias).max() < 0.01
    # of 1,200 experiments each: the standard error of a coverage is 0.6 %
    assert ((covered > 0.925) & (covered < 0.975)).all() and 0.945 < covered.mean() < 0.955
    _, covered = tabulate(2000, 100)
    assert ((covered > 0.93) & (covered < 0.97)).all()
    assert max(abs(bias) for bias in measure_wrong_ways().values()) > 0.1


def main(n_experiments: int) -> None:
    start = time.time()
    print("bias, coverage of 95 % by jackknife, coverage by the normal interval; "
          f"{n_experiments} experiments each\nplanted ceiling (r², one presentation):",
          *CEILINGS)  # fmt: skip
    for n_stimuli in (100, 1000):
        bias, covered = tabulate(n_experiments, n_stimuli)
        print(f"{n_stimuli} stimuli: largest bias {np.abs(bias).max():.4f}; coverage "
              f"{covered.min():.3f} to {covered.max():.3f}, mean {covered.mean():.4f}")  # fmt: skip
    print("\nceiling of the mean of all repeats, 1,000 stimuli: bias")
    for method in METHODS:
        for n_repeats in (2, 5, 10):
            row = [measure(method, c, n_repeats, 1000, 400, of_mean=True)[0] for c in CEILINGS]
            print(f"{method:21s}{n_repeats:3d}  " + " ".join(f"{b:+.4f}" for b in row), flush=True)
    print("\nceilings of r, one presentation, 1,000 stimuli, ncsnr: bias of the mean of roots,")
    print("and of the root of the mean")
    for n_repeats in (2, 10):
        for name, row in zip(
            ("roots", "root of mean"), measure_roots(n_repeats, 800).T, strict=True
        ):
            print(f"{name:21s}{n_repeats:3d}  " + " ".join(f"{b:+.4f}" for b in row), flush=True)
    print("\nother distributions (of signal and noise), 3 repeats: bias, jackknife, normal")
    for shape in SHAPES[1:]:
        for n_stimuli in (100, 1000):
            print(shape)
            tabulate(n_experiments, n_stimuli, (0.1, 0.5, 0.9), [(3, False)],
                     signal=shape, noise=shape)  # fmt: skip
    print("normal signal, noise t with 5 degrees of freedom")
    tabulate(n_experiments, 100, (0.1, 0.5, 0.9), [(3, False)], noise="t5")
    print("\nwrong ways, 1,000 stimuli, ceiling of the mean of all repeats: bias")
    for (name, n_repeats, rho), bias in measure_wrong_ways().items():
        print(f"{name:34s} repeats {n_repeats}, one presentation {rho}: {bias:+.4f}")
    print("\ninter-subject: truth, bias, coverage")
    for n_subjects in (2, 5, 10):
        for share in (0.1, 0.5, 0.9):
            for n in (100, 1000):
                truth, bias, covered = measure_inter_subject(n, n_experiments, n_subjects, share)
                print(f"{n_subjects:3d} subjects, {n:5d} samples: {truth:.3f} {bias:+.4f} "
                      f"{covered:.3f}", flush=True)  # fmt: skip
    print(f"{time.time() - start:.0f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1200)
