"""Time of banded ridge against himalaya's GroupRidgeCV: same candidates, alphas, folds, score.

Not collected by default; run it by hand on an idle machine:

    python tests/benchmarks/bench_banded_ridge.py [--repeats 3] [--threads 2] [--quick]
    pytest -m slow -s tests/benchmarks/bench_banded_ridge.py

A row per size: seconds of both (median over repeats, and the range of their ratio), the share of
voxels with the same deltas, and the score lost by our choice where it is another, by a float64
computation of both. himalaya's faster CPU backend is taken for each size.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
import pytest

from neurodecode.core.device import limit_threads
from neurodecode.numerics.band_weights import make_band_weights
from neurodecode.numerics.banded_ridge import fit_banded_ridge_cv
from neurodecode.numerics.inner_folds import assign_folds

ALPHAS = np.logspace(0, 4.5, 10).astype(np.float32)
N_FOLDS = 5
# samples, features, voxels, candidates
SIZES = ((4000, 600, 3000, 50), (4000, 768, 3000, 50), (2000, 600, 3000, 50), (4000, 768, 8000, 50))
QUICK = ((1500, 300, 1500, 12),)


def make_data(n_samples, n_features, n_voxels, seed=0):
    """Three bands with a power-law spectrum; voxels follow one, two, three or none of them."""
    rng = np.random.default_rng(seed)
    sizes = [n_features // 3, n_features // 3, n_features - 2 * (n_features // 3)]
    blocks, signal = [], 0.0
    for size in sizes:
        spectrum = np.arange(1, size + 1) ** -0.4
        turn = np.linalg.qr(rng.standard_normal((size, size)))[0]
        X = (rng.standard_normal((n_samples, size)) * spectrum) @ turn
        drive = X @ rng.standard_normal((size, n_voxels))
        signal = signal + drive / drive.std() * rng.choice([0.0, 0.3, 1.0], n_voxels)
        blocks.append(X.astype(np.float32))
    Y = signal * rng.uniform(0, 1, n_voxels) + rng.standard_normal((n_samples, n_voxels))
    return blocks, Y.astype(np.float32)


def fit_theirs(blocks, Y, pairs, candidates, backend):
    from himalaya.backend import set_backend
    from himalaya.ridge import GroupRidgeCV
    from himalaya.scoring import r2_score

    b = set_backend(backend)
    params = {"n_iter": b.asarray(candidates), "alphas": b.asarray(ALPHAS), "warn": False,
              "score_func": r2_score, "progress_bar": False}  # fmt: skip
    model = GroupRidgeCV(groups="input", solver_params=params, cv=pairs, fit_intercept=True)
    start = time.perf_counter()
    model.fit([b.asarray(block) for block in blocks], b.asarray(Y))
    return time.perf_counter() - start, np.asarray(b.to_numpy(model.deltas_), np.float64)


def score_deltas(X, y, sizes, folds, deltas):
    """Cross-validated R² of one voxel under log band weights, in float64."""
    root = np.sqrt(np.repeat(np.exp(deltas), sizes))
    scores = []
    for k in range(N_FOLDS):
        train, test = folds != k, folds == k
        Z, mean = X[train] * root, y[train].mean()
        centre = Z.mean(axis=0)
        system = (Z - centre).T @ (Z - centre) + np.eye(Z.shape[1])
        w = np.linalg.solve(system, (Z - centre).T @ (y[train] - mean))
        left = y[test] - mean - (X[test] * root - centre) @ w
        scores.append(1 - (left**2).sum() / ((y[test] - y[test].mean()) ** 2).sum())
    return float(np.mean(scores))


def measure(n_samples, n_features, n_voxels, n_candidates, n_repeats=3, n_threads=2, n_checked=20):
    """Return a row of the table."""
    blocks, Y = make_data(n_samples, n_features, n_voxels)
    X, sizes = np.concatenate(blocks, axis=1), [block.shape[1] for block in blocks]
    last = np.cumsum(sizes).tolist()
    bands = list(zip([0, *last[:-1]], last, strict=True))
    # himalaya divides by the root of each weight, so that corners cannot be among them
    candidates = make_band_weights(3, n_candidates + 4)[4:].astype(np.float32)
    folds = assign_folds(np.arange(n_samples), N_FOLDS, seed=0)
    pairs = [(np.flatnonzero(folds != k), np.flatnonzero(folds == k)) for k in range(N_FOLDS)]
    ours, theirs = [], []
    with limit_threads(n_threads), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        times = {b: fit_theirs(blocks, Y, pairs, candidates[:2], b)[0] for b in ("numpy", "torch")}
        backend = min(times, key=times.get)
        for _ in range(n_repeats):
            start = time.perf_counter()
            fit = fit_banded_ridge_cv(X, Y, bands, folds, candidates, ALPHAS)
            ours.append(time.perf_counter() - start)
            seconds, deltas = fit_theirs(blocks, Y, pairs, candidates, backend)
            theirs.append(seconds)
    same = np.isclose(fit.deltas, deltas, atol=1e-4).all(axis=0)
    wide, others = X.astype(np.float64), np.flatnonzero(~same)[:n_checked]
    lost = [
        score_deltas(wide, Y[:, t].astype(np.float64), sizes, folds, deltas[:, t])
        - score_deltas(wide, Y[:, t].astype(np.float64), sizes, folds, fit.deltas[:, t])
        for t in others
    ]
    return {
        "size": f"{n_samples} x {n_features} x {n_voxels}, {n_candidates}", "backend": backend,
        "ours": ours, "theirs": theirs, "same": same.mean(), "lost": max([0.0, *lost]),
    }  # fmt: skip


def show(row):
    ratios = np.array(row["theirs"]) / np.array(row["ours"])
    return (
        f"{row['size']:>24} | {np.median(row['ours']):8.1f} s | {np.median(row['theirs']):8.1f} s "
        f"({row['backend']}) | {np.median(ratios):5.1f} ({ratios.min():.1f} to {ratios.max():.1f}) "
        f"| {row['same']:.2%} | {row['lost']:.1e}"
    )


HEADER = "samples x features x voxels, candidates | ours | himalaya | ratio (range) | same | lost"


@pytest.mark.slow
def test_ten_times_as_fast_as_himalaya():
    row = measure(*SIZES[0], n_repeats=1)
    print(f"\n{HEADER}\n{show(row)}")
    assert row["lost"] < 1e-6
    assert row["theirs"][0] > 10 * row["ours"][0]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="one small size")
    given = parser.parse_args()
    print(f"{N_FOLDS} folds, {len(ALPHAS)} alphas, float32, {given.threads} threads\n{HEADER}")
    for size in QUICK if given.quick else SIZES:
        print(show(measure(*size, n_repeats=given.repeats, n_threads=given.threads)), flush=True)
