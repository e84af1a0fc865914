"""The torch backend gives NumPy's answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from neurodecode.core.errors import UserError
from neurodecode.numerics.inner_folds import assign_folds
from neurodecode.numerics.ridge import RidgeOptions, fit_ridge, fit_ridge_cv, prepare_ridge_cv

ALPHAS = np.logspace(-2, 6, 9)


def make_data(n, p, v, dtype, seed=0, decay=1.0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * np.arange(1, p + 1) ** -decay
    X = 10 * X @ np.linalg.qr(rng.standard_normal((p, p)))[0] + 30
    Y = X @ rng.standard_normal((p, v)) * rng.uniform(0, 1, v)
    Y += 10 * rng.standard_normal((n, v)) - 100
    return X.astype(dtype), Y.astype(dtype)


def compare(ours, theirs, dtype, one_alpha=False):
    score = 1e-5 if dtype == np.float32 else 1e-10
    np.testing.assert_allclose(ours.scores, theirs.scores, atol=score)
    if one_alpha:
        np.testing.assert_array_equal(ours.best_alphas, theirs.best_alphas)
    else:
        index = np.searchsorted(theirs.alphas, ours.best_alphas)
        chosen = np.take_along_axis(theirs.scores, index[None], axis=0)[0]
        assert (theirs.scores.max(axis=0) - chosen).max() < 1e-6
    same = ours.best_alphas == theirs.best_alphas
    assert same.mean() > 0.98
    compare_weights(ours, theirs, dtype, same)


def compare_weights(ours, theirs, dtype, same=slice(None)):
    bound = 1e-4 if dtype == np.float32 else 1e-9
    error = np.linalg.norm(ours.weights - theirs.weights, axis=0)[same]
    assert (error / np.linalg.norm(theirs.weights, axis=0)[same]).max() < bound
    size = np.abs(theirs.intercept).max()
    np.testing.assert_allclose(ours.intercept[same], theirs.intercept[same], atol=bound * size)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "options",
    [
        RidgeOptions(),
        RidgeOptions("correlation", standardize=True),
        RidgeOptions(fit_intercept=False),
        RidgeOptions(alpha_per_target=False, extend_alphas=2),
        RidgeOptions(solver="kernel"),
        RidgeOptions("correlation", solver="kernel", standardize=True),
    ],
)
def test_same_answer_as_numpy(options, dtype):
    check_same_answer(options, dtype, "cpu")


def check_same_answer(options, dtype, device):
    X, Y = make_data(300, 40, 300, dtype)
    folds = assign_folds(np.arange(300), 4, seed=0)
    there = replace(options, backend="torch", device=device)
    fits = [fit_ridge_cv(X, Y, folds, ALPHAS, given) for given in (there, options)]
    compare(*fits, dtype, not options.alpha_per_target)
    fits = [fit_ridge(X, Y, 3.0, given) for given in (there, options)]
    compare_weights(*fits, dtype)


def test_blocks_and_prepared_features():
    X, Y = make_data(200, 30, 90, np.float32)
    folds = assign_folds(np.arange(200), 4, seed=0)
    options = RidgeOptions(backend="torch", block_targets=32)
    prepared = prepare_ridge_cv(X, folds, options)
    whole = fit_ridge_cv(X, Y, folds, ALPHAS)
    compare(prepared.fit(Y, ALPHAS), whole, np.float32)
    again = prepared.fit(Y[:, ::-1], ALPHAS)
    compare(again, fit_ridge_cv(X, Y[:, ::-1], folds, ALPHAS), np.float32)


def test_short_floats_allowed_by_the_program_are_not_used():
    X, Y = make_data(200, 30, 50, np.float32)
    folds = assign_folds(np.arange(200), 4, seed=0)
    torch.set_float32_matmul_precision("medium")
    try:
        fit = fit_ridge_cv(X, Y, folds, ALPHAS, RidgeOptions(backend="torch"))
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")
    compare(fit, fit_ridge_cv(X, Y, folds, ALPHAS), np.float32)


def test_a_device_that_is_not_there_is_refused():
    if torch.backends.mps.is_available():
        pytest.skip("it is there")
    X, Y = make_data(50, 5, 3, np.float32)
    with pytest.raises(UserError, match="device 'mps' is not there"):
        fit_ridge(X, Y, 1.0, RidgeOptions(backend="torch", device="mps"))


def test_sums_without_float64_give_the_same_answer(monkeypatch):
    """What MPS does, on the CPU: float32 throughout, and NumPy for what that cannot settle."""
    from neurodecode.numerics.ridge_torch import TorchProblem

    start = TorchProblem.__init__

    def start_without_double(self, inner, device, dtype):
        start(self, inner, device, dtype)
        self.double, self.sum_dtype = False, torch.float32

    monkeypatch.setattr(TorchProblem, "__init__", start_without_double)
    X, Y = make_data(400, 40, 100, np.float32)
    folds = assign_folds(np.arange(400), 4, seed=0)
    for options in (RidgeOptions(), RidgeOptions("correlation", solver="kernel")):
        fit = fit_ridge_cv(X, Y, folds, ALPHAS, replace(options, backend="torch"))
        scores = fit_ridge_cv(X, Y, folds, ALPHAS, options)
        np.testing.assert_allclose(fit.scores, scores.scores, atol=2e-5)
        compare(replace(fit, scores=scores.scores), scores, np.float32)


def test_float64_is_refused_where_there_is_none():
    from neurodecode.numerics.ridge_torch import TorchProblem

    with pytest.raises(UserError, match="has no float64"):
        TorchProblem(None, torch.device("mps"), np.dtype(np.float64))


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_same_answer_on_a_gpu(dtype):
    device = "cuda" if torch.cuda.is_available() else "mps"
    if device == "mps" and dtype == np.float64:
        X, Y = make_data(50, 5, 3, dtype)
        with pytest.raises(UserError, match="has no float64"):
            fit_ridge_cv(
                X, Y, np.arange(50) % 3, ALPHAS, RidgeOptions(backend="torch", device=device)
            )
        return
    for options in (RidgeOptions(), RidgeOptions(solver="kernel", standardize=True)):
        check_same_answer(options, dtype, device)
