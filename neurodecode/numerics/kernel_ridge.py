"""Kernel ridge regression with an alpha and a kernel parameter per target.

    f(x) = mean(y) + Σ_i a_i k̃(x, x_i),      a = (K̃ + αI)⁻¹ (y - mean(y))

with K̃ the kernel matrix of the training rows, centred in feature space: k̃ takes the mean over
training rows off both of its arguments, which is what an intercept is to a linear kernel
(Saunders, Gammerman and Vovk 1998; Schölkopf, Smola and Müller 1998, appendix A, for the
centring). As K̃ has zero row sums, Σ a_i = 0, and all of the centring goes into the intercept.

Kernels, as in scikit-learn:

linear        xᵀx'
polynomial    (gamma xᵀx' + coef0)^degree
rbf           exp(-gamma ||x - x'||²)
cosine        xᵀx' / (||x|| ||x'||)

Centring is per training fold, by an update of the kernel matrix. Gammas are searched like band
weights, by banded_ridge_search.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from neurodecode.core.errors import DataError
from neurodecode.numerics.banded_ridge_checks import (
    check_defined,
    check_values,
    list_splits,
    warn_edges,
)
from neurodecode.numerics.banded_ridge_problem import Basis, Refit
from neurodecode.numerics.banded_ridge_search import search_candidates
from neurodecode.numerics.moments import TargetMoments, compute_mean, compute_scale, iterate_blocks
from neurodecode.numerics.ridge_basis import decompose, hold_out, make_kernel_basis
from neurodecode.numerics.ridge_grid import DEFAULT_ALPHAS, RidgeOptions
from neurodecode.numerics.ridge_problem import Splits

KernelName = Literal["linear", "polynomial", "rbf", "cosine"]
WITH_GAMMA = ("polynomial", "rbf")
GAMMA_FACTORS = (0.01, 0.1, 1.0, 10.0)  # of 1 / (n_features × mean variance)
DEFAULTS = RidgeOptions()
COLUMNS = 4096


@dataclass(frozen=True)
class Kernel:
    """A kernel but for its gamma.

    Parameters
    ----------
    name : {"linear", "polynomial", "rbf", "cosine"}
    degree : int
    coef0 : float
        Of the polynomial.
    """

    name: KernelName = "rbf"
    degree: int = 3
    coef0: float = 1.0


@dataclass(frozen=True, eq=False)
class KernelRidgeFit:
    """A fitted kernel ridge regression.

    Parameters
    ----------
    dual : array, shape (n_training_rows, n_targets)
        Of the features' floating type.
    intercept : array of float64, shape (n_targets,)
    mean, scale : arrays of float64, shape (n_features,)
        What features are taken about and divided by before the kernel.
    rows : array of int, shape (n_training_rows,)
        Ascending.
    best_alphas, best_gammas, scores : arrays of float64, shape (n_targets,)
        Gamma is one for kernels without.
    warnings : tuple of str
    """

    dual: np.ndarray
    intercept: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    rows: np.ndarray
    best_alphas: np.ndarray
    best_gammas: np.ndarray
    scores: np.ndarray
    warnings: tuple[str, ...]


def fit_kernel_ridge_cv(
    X: np.ndarray,
    Y: np.ndarray,
    folds: np.ndarray,
    kernel: Kernel = Kernel(),
    gammas: Sequence[float] = (),
    alphas: Sequence[float] | np.ndarray = DEFAULT_ALPHAS,
    options: RidgeOptions = DEFAULTS,
    *,
    validation: np.ndarray | None = None,
) -> KernelRidgeFit:
    """Choose alphas and gammas on held-out rows, then fit all training rows.

    Parameters
    ----------
    X : array, shape (n_samples, n_features)
    Y : array, shape (n_samples, n_targets)
    folds : array of int, shape (n_samples,)
        Inner fold of each training row, 0 to n - 1; -1 for rows that take no part.
    kernel : Kernel
    gammas : sequence of float
        None are GAMMA_FACTORS over n_features times their mean variance over the training rows.
    alphas : sequence of float
        In units of the kernel.
    validation : array of int or None
        Rows to choose on, in place of the inner folds. They are not fitted.

    Raises
    ------
    DataError
        Values that cannot be fitted; the message says which.

    Examples
    --------
    >>> X = np.linspace(-1, 1, 40)[:, None]
    >>> fit = fit_kernel_ridge_cv(X, X**2, np.arange(40) % 4, gammas=[1.0], alphas=[1e-3, 1.0])
    >>> np.abs(predict_kernel_ridge(fit, Kernel(), X, X) - X**2).max() < 0.02
    np.True_
    """
    alphas = np.unique(np.asarray(alphas, np.float64))
    train = np.flatnonzero(folds >= 0)
    rows, splits, refit = list_splits(folds, train, validation, "kernel ridge")
    warnings = check_values(X, Y, train, np.concatenate(rows), options, "kernel ridge")
    problem = KernelCandidates(
        X, Y, rows, splits, refit, kernel,
        standardize=options.standardize, fit_intercept=options.fit_intercept,
    )  # fmt: skip
    tried = problem.list_gammas(gammas)
    for values, what in ((alphas, "alphas"), (tried, "gammas")):
        if not (len(values) and np.isfinite(values).all() and (values > 0).all()):
            raise DataError(
                f"kernel ridge: {what} are {values[:5].tolist()}. Allowed: positive numbers."
            )
    dtype = np.dtype(np.float32 if X.dtype in (np.float16, np.float32) else np.float64)
    search = search_candidates(
        problem, Y.shape[1], tried[:, None], alphas, scoring=options.scoring, dtype=dtype,
        extend_alphas=options.extend_alphas, block_targets=options.block_targets,
    )  # fmt: skip
    check_defined(search, options, "kernel ridge")
    kept = np.float64 if X.dtype == np.float64 and options.weights != "float32" else np.float32
    dual, intercept = np.empty((len(problem.whole), Y.shape[1]), kept), np.zeros(Y.shape[1])
    for m in np.unique(search.candidate):
        basis = problem.prepare(tried[m, None])
        members = np.flatnonzero(search.candidate == m)
        for block in iterate_blocks(len(members), 4096):
            targets = members[block]
            moments = problem.read_refit(targets)
            dual[:, targets] = basis.solve(moments.products, search.alphas[targets])
            if options.fit_intercept:
                # From the coefficients as kept: rounding left them a sum that is not quite zero.
                means = problem.average_kernel(tried[m])
                intercept[targets] = moments.mean - means @ dual[:, targets].astype(np.float64)
    return KernelRidgeFit(
        dual, intercept, problem.mean, problem.scale, problem.whole, search.alphas,
        tried[search.candidate], search.scores,
        (*warnings, *warn_edges(search, np.zeros(Y.shape[1], bool), "kernel ridge")),
    )  # fmt: skip


def predict_kernel_ridge(
    fit: KernelRidgeFit, kernel: Kernel, X_train: np.ndarray, X: np.ndarray
) -> np.ndarray:
    """Predict targets of new rows.

    Parameters
    ----------
    X_train : array, shape (n_training_rows, n_features)
        The rows that were fitted.
    X : array, shape (n_samples, n_features)

    Returns
    -------
    predictions : array, shape (n_samples, n_targets)
    """
    products = _multiply(X, X_train, fit.mean, fit.scale)
    out = np.empty((len(X), fit.dual.shape[1]), fit.dual.dtype)
    for gamma in np.unique(fit.best_gammas):
        values = _apply(*products, kernel, float(gamma))
        members = np.flatnonzero(fit.best_gammas == gamma)
        for block in iterate_blocks(len(members), 4096):
            targets = members[block]
            out[:, targets] = values @ fit.dual[:, targets] + fit.intercept[targets]
    return out


class KernelCandidates:
    """Kernel matrices under candidate gammas; a problem for banded_ridge_search.

    The parameters are those of banded_ridge_problem.KernelBands, with a kernel for the bands.
    """

    def __init__(
        self,
        X: np.ndarray,
        Y: np.ndarray,
        rows: Sequence[np.ndarray],
        splits: Splits,
        refit: Sequence[int],
        kernel: Kernel,
        *,
        standardize: bool,
        fit_intercept: bool,
    ) -> None:
        self.X, self.Y, self.kernel = X, Y, kernel
        self.standardize, self.fit_intercept = standardize, fit_intercept
        self.n_splits = len(splits)
        self.sets = [(np.concatenate([rows[p] for p in a]), rows[b]) for a, b in splits]
        self.whole = np.sort(np.concatenate([rows[p] for p in refit]))
        self.n_products = len(self.whole)
        self.mean, self.scale = self._find_scale(self.whole)
        used = np.concatenate(list(rows))
        self._place = np.full(len(X), -1)
        self._place[used] = np.arange(len(used))
        # Without scaling by training set, one matrix of products serves all splits.
        self._shared = None if standardize else _multiply(X[used], X[used], self.mean, self.scale)

    def list_gammas(self, gammas: Sequence[float]) -> np.ndarray:
        """Return the gammas to try: those given, or multiples of 1 / total variance."""
        if self.kernel.name not in WITH_GAMMA:
            return np.ones(1)
        if len(gammas):
            return np.unique(np.asarray(gammas, np.float64))
        values = (np.asarray(self.X[self.whole], np.float64) - self.mean) / self.scale
        total = float(values.var(axis=0).sum())
        return np.array(GAMMA_FACTORS) / (total if total > 0 else 1.0)

    def make_basis(self, split: int, weights: np.ndarray, dtype: np.dtype) -> Basis:
        """Return a split's basis under a gamma, shape (1,)."""
        a, b = self.sets[split]
        kernel = self._centre(self._compute(a, b, float(weights[0])), len(a))
        values, dual = make_kernel_basis(kernel[: len(a)])
        left = kernel[len(a) :] @ dual
        offset = left.mean(axis=0)
        left = left - offset
        held_out = hold_out(values, left.T @ left, offset, len(left), dtype)
        return Basis(held_out, dual * values, left)

    def read_targets(self, split: int, columns: slice) -> tuple[TargetMoments, TargetMoments]:
        """Return moments of targets over a split's training and held-out rows."""
        a, b = self.sets[split]
        return self._read(a, columns, self.fit_intercept), self._read(b, columns, True)

    def read_refit(self, columns: slice | np.ndarray) -> TargetMoments:
        """Return moments of targets over all training rows."""
        return self._read(self.whole, columns, self.fit_intercept)

    def prepare(self, weights: np.ndarray) -> Refit:
        """Return the basis of all training rows under a gamma; it gives dual coefficients."""
        kernel = self._compute(self.whole, self.whole[:0], float(weights[0]))
        # Not without small components, as for scoring: of a new row's kernel they hold a share.
        values, vectors = decompose(self._centre(kernel, len(self.whole)))
        return Refit(values, vectors, vectors)

    def average_kernel(self, gamma: float) -> np.ndarray:
        """Return the mean over training rows of their kernel with each of them."""
        kernel = self._compute(self.whole, self.whole[:0], float(gamma))
        return np.asarray(kernel.mean(axis=0))

    def _compute(self, a: np.ndarray, b: np.ndarray, gamma: float) -> np.ndarray:
        """Return the kernel of rows a and b with rows a, (n_a + n_b, n_a)."""
        both = np.concatenate([a, b])
        if self._shared is None:
            mean, scale = self._find_scale(a)
            products = _multiply(self.X[both], self.X[a], mean, scale)
        else:
            at, columns = self._place[both], self._place[a]
            dots, first, second = self._shared
            products = (dots[np.ix_(at, columns)], first[at], second[columns])
        return _apply(*products, self.kernel, gamma)

    def _centre(self, kernel: np.ndarray, n: int) -> np.ndarray:
        if not self.fit_intercept:
            return kernel
        mean = kernel[:n].mean(axis=0)
        return kernel - kernel.mean(axis=1, keepdims=True) - mean + mean.mean()

    def _find_scale(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what features are taken about and divided by.

        Distances do not depend on the origin, and products of rows far from it lose digits; the
        other kernels do depend on it, and keep it unless features are standardised.
        """
        n_features = self.X.shape[1]
        if not self.standardize:
            zero = np.zeros(n_features)
            return compute_mean(self.X, rows) if self.kernel.name == "rbf" else zero, zero + 1
        mean = compute_mean(self.X, rows)
        variance = ((np.asarray(self.X[rows], np.float64) - mean) ** 2).mean(axis=0)
        return mean, compute_scale(variance, mean, len(rows))

    def _read(self, rows: np.ndarray, columns: slice | np.ndarray, centred: bool) -> TargetMoments:
        targets = np.asarray(self.Y[rows][:, columns], np.float64)
        every = np.arange(len(rows))
        mean = compute_mean(targets, every) if centred else np.zeros(targets.shape[1])
        products = np.ascontiguousarray((targets - mean).T)
        return TargetMoments(mean, np.einsum("ij,ij->i", products, products), products)


def _multiply(
    first: np.ndarray, second: np.ndarray, mean: np.ndarray, scale: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return inner products (n_first, n_second), and squared lengths of both sets of rows."""
    dots = np.zeros((len(first), len(second)))
    lengths = [np.zeros(len(first)), np.zeros(len(second))]
    for block in iterate_blocks(first.shape[1], COLUMNS):
        both = [
            (np.asarray(rows[:, block], np.float64) - mean[block]) / scale[block]
            for rows in (first, second)
        ]
        dots += both[0] @ both[1].T
        for length, values in zip(lengths, both, strict=True):
            length += np.einsum("ij,ij->i", values, values)
    return dots, lengths[0], lengths[1]


def _apply(
    dots: np.ndarray, first: np.ndarray, second: np.ndarray, kernel: Kernel, gamma: float
) -> np.ndarray:
    if kernel.name == "polynomial":
        return np.asarray((gamma * dots + kernel.coef0) ** kernel.degree)
    if kernel.name == "rbf":
        squared = np.maximum(first[:, None] + second - 2 * dots, 0.0)
        return np.asarray(np.exp(-gamma * squared))
    if kernel.name == "cosine":
        lengths = np.sqrt(first)[:, None] * np.sqrt(second)
        return dots / np.where(lengths > 0, lengths, 1.0)
    return dots
