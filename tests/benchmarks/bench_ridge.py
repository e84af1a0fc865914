"""Cross-validated voxelwise ridge against himalaya, scikit-learn, and the products none can avoid.

    python tests/benchmarks/bench_ridge.py
    python tests/benchmarks/bench_ridge.py --voxels 1000 --samples 2000 --features 200 --repeats 3
    pytest -m slow -s tests/benchmarks/bench_ridge.py

All choose an alpha per voxel by the mean R² over the same inner folds, with an intercept, in
float32, on the same threads, in turn. The reference is the same fit in float64; "lost" is the score
that the alphas chosen lose by it, and weights are compared where the alphas agree.

- himalaya: RidgeCV with score_func=r2_score, its NumPy and its torch backend on the CPU.
- scikit-learn: its RidgeCV takes an alpha per target only with leave-one-out (cv=None), so that
  what is timed is a loop over folds and alphas of Ridge(solver="cholesky"), predicting for each,
  and a final fit for the voxels of each alpha.
- floor: XᵀY once, and the weights once (two products with a square matrix of the features).
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
import pytest

from neurodecode.core.device import limit_threads
from neurodecode.numerics.inner_folds import assign_folds
from neurodecode.numerics.ridge import RidgeOptions, fit_ridge_cv

METHODS = ("neurodecode", "neurodecode torch", "himalaya numpy", "himalaya torch", "scikit-learn",
           "floor")  # fmt: skip
DEFAULT_METHODS = tuple(name for name in METHODS if name != "neurodecode torch")


def make_data(n_samples, n_features, n_voxels, decay=0.0, seed=0):
    """Return features whose deviations fall as rank^-decay, and responses of r² up to 0.2."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features), np.float32)
    if decay:
        X *= np.arange(1, n_features + 1, dtype=np.float32) ** -decay
        X = X @ np.linalg.qr(rng.standard_normal((n_features, n_features)))[0].astype(np.float32)
    Y = X @ rng.standard_normal((n_features, n_voxels), np.float32)
    Y *= rng.uniform(0, 0.5, n_voxels).astype(np.float32) / Y.std(axis=0)
    Y += rng.standard_normal(Y.shape, np.float32)
    return X, Y


def fit_ours(X, Y, folds, alphas, backend="numpy"):
    fit = fit_ridge_cv(X, Y, folds, alphas, RidgeOptions(backend=backend))
    return fit.best_alphas, fit.weights


def fit_himalaya(X, Y, folds, alphas, backend):
    from himalaya.backend import set_backend
    from himalaya.ridge import RidgeCV
    from himalaya.scoring import r2_score

    backend = set_backend(backend)
    pairs = [(np.flatnonzero(folds != k), np.flatnonzero(folds == k)) for k in np.unique(folds)]
    params = {"score_func": r2_score, "warn": False}
    model = RidgeCV(alphas=alphas, cv=pairs, fit_intercept=True, solver_params=params)
    model.fit(backend.asarray(X), backend.asarray(Y))
    return backend.to_numpy(model.best_alphas_), backend.to_numpy(model.coef_)


def fit_scikit_learn(X, Y, folds, alphas):
    from sklearn.linear_model import Ridge

    scores = np.zeros((len(alphas), Y.shape[1]))
    for fold in np.unique(folds):
        train, test = folds != fold, folds == fold
        square = ((Y[test] - Y[test].mean(axis=0)) ** 2).sum(axis=0)
        for score, alpha in zip(scores, alphas, strict=True):
            model = Ridge(alpha, solver="cholesky").fit(X[train], Y[train])
            score += 1 - ((Y[test] - model.predict(X[test])) ** 2).sum(axis=0) / square
    best = alphas[scores.argmax(axis=0)]
    weights = np.empty((X.shape[1], Y.shape[1]), X.dtype)
    for alpha in np.unique(best):
        columns = best == alpha
        model = Ridge(alpha, solver="cholesky").fit(X, Y[:, columns])
        weights[:, columns] = model.coef_.reshape(-1, X.shape[1]).T
    return best, weights


def multiply_once(X, Y, square):
    return square @ (square @ (X.T @ Y))


def compare(method, found, reference):
    """Return what a method's alphas lose at most, the share that differ, the weights' error."""
    if method == "floor":
        return [""] * 3
    best, weights = found
    index = np.abs(np.log(reference.alphas[:, None] / best)).argmin(axis=0)
    lost = reference.scores.max(axis=0) - np.take_along_axis(reference.scores, index[None], 0)[0]
    same = np.isclose(best, reference.best_alphas, rtol=1e-3)
    error = np.linalg.norm(weights - reference.weights, axis=0)
    error = (error / np.linalg.norm(reference.weights, axis=0))[same]
    return [f"{lost.max():.1e}", f"{(~same).mean():.2%}", f"{error.max():.1e}"]


def run(sizes, methods, n_threads, repeats, decay=0.0, clock=time.perf_counter):
    """Return seconds per method and repeat, and what each is off by."""
    if any("torch" in method for method in methods):
        import torch  # noqa: F401  before the threads are limited
    X, Y = make_data(sizes["samples"], sizes["features"], sizes["voxels"], decay)
    alphas = np.logspace(0, 7, sizes["alphas"])
    if decay:  # so that the best lie inside the grid
        alphas = np.logspace(-2, 5, sizes["alphas"])
    folds = assign_folds(np.arange(len(X)), sizes["folds"], seed=0)
    square = np.eye(X.shape[1], dtype=np.float32)
    calls = {
        "neurodecode": lambda: fit_ours(X, Y, folds, alphas),
        "neurodecode torch": lambda: fit_ours(X, Y, folds, alphas, "torch"),
        "himalaya numpy": lambda: fit_himalaya(X, Y, folds, alphas, "numpy"),
        "himalaya torch": lambda: fit_himalaya(X, Y, folds, alphas, "torch"),
        "scikit-learn": lambda: fit_scikit_learn(X, Y, folds, alphas),
        "floor": lambda: multiply_once(X, Y, square),
    }
    seconds = {method: [] for method in methods}
    off = {}
    with limit_threads(n_threads), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the others
        reference = fit_ridge_cv(X.astype(np.float64), Y.astype(np.float64), folds, alphas)
        for _ in range(repeats):
            for method in methods:
                start = clock()
                found = calls[method]()
                seconds[method].append(clock() - start)
                off[method] = off.get(method) or compare(method, found, reference)
                del found
    return seconds, off


def describe(seconds, off):
    """Return the table; ratios are of the same repeat, and by how much it differs among them."""
    lines = [
        "method             |  s, median (range)       | x neurodecode (range)    | lost, max "
        "| other alpha | weights, max"
    ]
    ours = np.array(seconds["neurodecode"])
    for method, taken in seconds.items():
        time_s, ratio = np.array(taken), np.array(taken) / ours
        cells = [
            f"{np.median(a):8.2f} ({a.min():.2f}-{a.max():.2f})".ljust(24) for a in (time_s, ratio)
        ]
        lost, other, error = off[method]
        lines.append(f"{method:18} | {cells[0]} | {cells[1]} | {lost:9} | {other:11} | {error}")
    return "\n".join(lines)


@pytest.mark.slow
def test_twelve_times_as_fast_as_himalaya_on_half_the_voxels():
    sizes = {"samples": 9000, "features": 768, "voxels": 4000, "alphas": 10, "folds": 5}
    methods = "neurodecode", "himalaya numpy"
    seconds, off = run(sizes, methods, n_threads=1, repeats=1, clock=time.process_time)
    print(describe(seconds, off))
    assert float(off["neurodecode"][0]) < 1e-6
    assert float(off["neurodecode"][2]) < 1e-4
    # What is done once, whatever the voxels, weighs more on fewer of them.
    assert seconds["himalaya numpy"][0] > 12 * seconds["neurodecode"][0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name, value in (("samples", 9000), ("features", 768), ("voxels", 8000), ("alphas", 10),
                        ("folds", 5), ("threads", 2), ("repeats", 3)):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument(
        "--decay", type=float, default=0.0, help="features' deviations fall as rank^-decay"
    )
    parser.add_argument("--methods", default=",".join(DEFAULT_METHODS), help=", ".join(METHODS))
    parser.add_argument(
        "--clock",
        choices=("wall", "cpu"),
        default="wall",
        help="cpu: processor seconds of all threads, where others use the machine (1 thread)",
    )
    given = vars(parser.parse_args())
    sizes = {name: given[name] for name in ("samples", "features", "voxels", "alphas", "folds")}
    print(", ".join(f"{n} {name}" for name, n in sizes.items()), end=", float32, ")
    print(f"{given['threads']} threads, {given['repeats']} repeats, ", end="")
    print(f"decay {given['decay']}, {given['clock']} time")
    methods = given["methods"].split(",")
    clock = time.process_time if given["clock"] == "cpu" else time.perf_counter
    how = given["threads"], given["repeats"], given["decay"], clock
    print(describe(*run(sizes, methods, *how)))


if __name__ == "__main__":
    main()
