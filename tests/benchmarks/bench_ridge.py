"""Time of voxelwise ridge against himalaya's RidgeCV on the same cores.

Not collected by default; run it by hand:

    python tests/benchmarks/bench_ridge.py
    pytest -m slow -s tests/benchmarks/bench_ridge.py
"""

from __future__ import annotations

import time

import numpy as np
import pytest

from neurodecode.core.device import limit_threads
from neurodecode.numerics.inner_folds import assign_folds
from neurodecode.numerics.ridge import RidgeOptions, fit_ridge_cv

ALPHAS = np.logspace(0, 7, 15)


def make_data(n_samples, n_features, n_voxels, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features), np.float32)
    Y = X @ rng.standard_normal((n_features, n_voxels), np.float32)
    Y += np.float32(3 * np.sqrt(n_features)) * rng.standard_normal(Y.shape, np.float32)
    return X, Y


def measure_ratio(n_samples=4000, n_features=768, n_voxels=16000, n_folds=5, n_threads=1):
    """Return our seconds, himalaya's, and the share of voxels with the same best alpha."""
    from himalaya.backend import set_backend
    from himalaya.ridge import RidgeCV
    from himalaya.scoring import r2_score

    set_backend("numpy")
    X, Y = make_data(n_samples, n_features, n_voxels)
    folds = assign_folds(np.arange(n_samples), n_folds, seed=0)
    pairs = [(np.flatnonzero(folds != k), np.flatnonzero(folds == k)) for k in range(n_folds)]
    with limit_threads(n_threads):
        start = time.perf_counter()
        fit = fit_ridge_cv(X, Y, folds, ALPHAS, RidgeOptions())
        ours = time.perf_counter() - start
        start = time.perf_counter()
        params = {"score_func": r2_score}  # what ours maximises
        theirs_fit = RidgeCV(alphas=ALPHAS, cv=pairs, solver_params=params).fit(X, Y)
        theirs = time.perf_counter() - start
    same = np.isclose(theirs_fit.best_alphas_, fit.best_alphas, rtol=1e-4).mean()
    return ours, theirs, same


@pytest.mark.slow
def test_four_times_as_fast_as_himalaya():
    ours, theirs, same = measure_ratio()
    print(
        f"ridge {ours:.1f} s, himalaya {theirs:.1f} s, ratio {ours / theirs:.3f}, same {same:.4f}"
    )
    assert same > 0.99
    assert ours < theirs / 4


if __name__ == "__main__":
    seconds, reference, agreement = measure_ratio()
    print(f"neurodecode {seconds:.1f} s, himalaya {reference:.1f} s")
    print(f"ratio {seconds / reference:.3f}; same best alpha in {agreement:.2%} of voxels")
