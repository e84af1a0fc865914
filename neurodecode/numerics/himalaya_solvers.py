"""Two of himalaya's solvers, with centring, folds and results as those of our own.

himalaya (Dupré la Tour et al. 2022) solves what we do not: band weights over kernels by
hyper-gradient, and the sparse group lasso. What is added here: features and targets are taken about
their means over the training rows, weights come in primal form for raw features, and what the
solver warns of is returned.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from neurodecode.core.errors import UserError
from neurodecode.numerics.banded_ridge_problem import Bands
from neurodecode.numerics.moments import compute_mean, compute_scale

Pairs = Sequence[tuple[np.ndarray, np.ndarray]]
KernelSolver = Literal["random_search", "hyper_gradient"]
BACKENDS = {"cpu": "numpy", "cuda": "torch_cuda", "mps": "torch_mps"}


@dataclass(frozen=True, eq=False)
class HimalayaFit:
    """What a solver found.

    Parameters
    ----------
    weights : array of float32, shape (n_features, n_targets)
        For raw features.
    intercept : array of float64, shape (n_targets,)
    chosen : mapping of name to array, shape (..., n_targets)
        Hyperparameters, by himalaya's names.
    warnings : tuple of str
    """

    weights: np.ndarray
    intercept: np.ndarray
    chosen: Mapping[str, np.ndarray]
    warnings: tuple[str, ...]


def check_himalaya(where: str) -> None:
    """Raise UserError unless himalaya can be imported."""
    try:
        import himalaya  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"{where}: the package '{error.name}' is not installed, and this solver is himalaya's. "
            'Install it: pip install "neurodecode[kernels]".'
        ) from error


def fit_multiple_kernels(
    X: np.ndarray,
    Y: np.ndarray,
    bands: Bands,
    pairs: Pairs,
    *,
    solver: KernelSolver,
    solver_params: Mapping[str, Any],
    scoring: Literal["r2", "correlation"],
    standardize: bool,
    seed: int,
    device: str = "cpu",
) -> HimalayaFit:
    """Fit a linear kernel per band, with weights per target (MultipleKernelRidgeCV).

    Parameters
    ----------
    X : array, shape (n_rows, n_features)
        Training rows, bands side by side.
    Y : array, shape (n_rows, n_targets)
    pairs : sequence of (training, held-out), arrays of int
        Inner folds.
    solver_params : mapping
        As himalaya takes them, but for ``score_func`` and ``progress_bar``.

    Notes
    -----
    himalaya's hyper-gradient has no intercept: its inner folds share the mean over all rows given.
    """
    with _prepared(device) as (backend, told):
        from himalaya import scoring as scores
        from himalaya.kernel_ridge import MultipleKernelRidgeCV

        centred, mean, scale = _centre(X, standardize)
        kernels = np.stack([centred[:, a:b] @ centred[:, a:b].T for a, b in bands])
        score = {"r2": scores.r2_score, "correlation": scores.correlation_score}[scoring]
        params = {**solver_params, "score_func": score, "progress_bar": False}
        if "alphas" in params:
            params["alphas"] = backend.asarray(np.asarray(params["alphas"], np.float32))
        y_mean = compute_mean(Y, np.arange(len(Y)))
        targets = (np.asarray(Y, np.float64) - y_mean).astype(np.float32)
        model = MultipleKernelRidgeCV(
            kernels="precomputed", solver=solver, solver_params=params, cv=list(pairs),
            random_state=seed, fit_intercept=solver == "random_search",  # the other knows none
        )  # fmt: skip
        model.fit(backend.asarray(kernels.astype(np.float32)), backend.asarray(targets))
        dual, deltas, cv_scores = (
            np.asarray(backend.to_numpy(a), np.float64)
            for a in (model.dual_coef_, model.deltas_, model.cv_scores_)
        )
        weights = np.concatenate(
            [(centred[:, a:b].T @ dual) * np.exp(deltas[k]) for k, (a, b) in enumerate(bands)]
        )
        weights = (weights / scale[:, None]).astype(np.float32)
        # Kernels of centred features have no mean, and neither have the targets.
        intercept = y_mean - mean @ weights.astype(np.float64)
        chosen = {"deltas": deltas, "cv_scores": cv_scores.max(axis=0)}
    return HimalayaFit(weights, intercept, chosen, tuple(told))


def fit_sparse_group_lasso(
    X: np.ndarray,
    Y: np.ndarray,
    bands: Bands,
    pairs: Pairs,
    *,
    l1_regs: Sequence[float],
    l21_regs: Sequence[float],
    standardize: bool,
    solver_params: Mapping[str, Any],
    device: str = "cpu",
) -> HimalayaFit:
    """Fit the sparse group lasso, bands being the groups, with penalties per target.

    himalaya's solve_sparse_group_lasso is called for each pair of penalties and inner fold, rather
    than its own search: inner folds are then centred on their own training rows, and the step size
    comes from the largest eigenvalue, which its power iteration can underestimate, and diverge.
    """
    grid = [(l21, l1) for l21 in sorted(l21_regs)[::-1] for l1 in sorted(l1_regs)[::-1]]
    groups = np.repeat(np.arange(len(bands)), [b - a for a, b in bands])
    with _prepared(device) as (backend, told):
        from himalaya.lasso import solve_sparse_group_lasso

        def solve(data: _Centred, l21: Any, l1: Any, start: Any) -> Any:
            return solve_sparse_group_lasso(
                backend.asarray(data.X.astype(np.float32)),
                backend.asarray(data.Y.astype(np.float32)),
                groups=backend.asarray(groups), l21_reg=l21, l1_reg=l1, initial_coef=start,
                lipschitz=data.largest, progress_bar=False, **solver_params,
            )  # fmt: skip

        scores = np.zeros((len(grid), Y.shape[1]))
        for train, test in pairs:
            data = _Centred(X[train], Y[train], standardize)
            held_out = (X[test] - data.mean) / data.scale
            truth = np.asarray(Y[test], np.float64) - data.y_mean
            total = ((truth - truth.mean(axis=0)) ** 2).sum(axis=0)
            found = None
            for row, (l21, l1) in zip(scores, grid, strict=True):
                found = solve(data, l21, l1, found)
                left = ((truth - held_out @ backend.to_numpy(found)) ** 2).sum(axis=0)
                row += np.where(total > 0, 1 - left / np.where(total > 0, total, 1), 0) / len(pairs)
        best = scores.argmax(axis=0)
        chosen = np.array(grid)[best].T
        data = _Centred(X, Y, standardize)
        regs = [backend.asarray(values.astype(np.float32)) for values in chosen]
        coefficients = np.asarray(backend.to_numpy(solve(data, regs[0], regs[1], None)), np.float64)
    weights = (coefficients / data.scale[:, None]).astype(np.float32)
    intercept = data.y_mean - data.mean @ weights.astype(np.float64)
    given = {"best_l21_regs": chosen[0], "best_l1_regs": chosen[1], "cv_scores": scores.max(axis=0)}
    return HimalayaFit(weights, intercept, given, tuple(told))


class _Centred:
    """Rows about their means, features scaled, and the largest eigenvalue of XᵀX."""

    def __init__(self, X: np.ndarray, Y: np.ndarray, standardize: bool) -> None:
        self.X, self.mean, self.scale = _centre(X, standardize)
        self.y_mean = compute_mean(Y, np.arange(len(Y)))
        self.Y = np.asarray(Y, np.float64) - self.y_mean
        largest = np.linalg.norm(self.X, 2) ** 2
        self.largest = float(largest) * 1.001 if largest > 0 else 1.0  # float32 is not above it


def _centre(X: np.ndarray, standardize: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    mean = compute_mean(X, np.arange(len(X)))
    centred = np.asarray(X, np.float64) - mean
    scale = np.ones(X.shape[1])
    if standardize:
        scale = compute_scale((centred**2).mean(axis=0), mean, len(X))
    return centred / scale, mean, scale


@contextmanager
def _prepared(device: str) -> Iterator[tuple[Any, list[str]]]:
    """Set himalaya's backend, which is global to it, for a while; collect what is warned of."""
    from himalaya.backend import get_backend, set_backend

    told: list[str] = []
    before = get_backend()
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield set_backend(BACKENDS[device]), told
            told += dict.fromkeys(f"himalaya: {w.message}" for w in caught)
    finally:
        set_backend(before)
