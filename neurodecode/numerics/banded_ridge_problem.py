"""Banded ridge in primal or kernel form: the eigenbasis of a training set under band weights.

Band b of the features is scaled by sqrt(γ_b). In primal form that scales blocks of one Gram
matrix, S_γ = Γ^(1/2) XᵀX Γ^(1/2); in kernel form it weighs one kernel matrix per band,
K_γ = Σ_b γ_b X_b X_bᵀ. Sums over rows are taken once, whatever the number of candidates; what
each candidate costs is an eigendecomposition per split and the rotation of the targets into it.
Scoring in that basis is ridge_basis.score_alphas.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from neurodecode.numerics.moments import (
    FeatureMoments,
    TargetMoments,
    compute_mean,
    compute_scale,
    iterate_blocks,
    merge_features,
    merge_targets,
    move_targets_to_zero,
    move_to_zero,
)
from neurodecode.numerics.ridge_basis import HeldOut, decompose, hold_out, make_kernel_basis
from neurodecode.numerics.ridge_problem import Parts, Splits

Bands = Sequence[tuple[int, int]]
COLUMNS = 4096  # features read at once in kernel form


@dataclass(frozen=True, eq=False)
class Basis:
    """One split under one candidate.

    Parameters
    ----------
    held_out : HeldOut
        Without rotation: targets' products come in coordinates.
    train, test : array of float64, shape (n_products, n_components)
        Turn the products that ``read_targets`` gives into coordinates.
    """

    held_out: HeldOut
    train: np.ndarray
    test: np.ndarray


@dataclass(frozen=True, eq=False)
class Refit:
    """All training rows under one candidate.

    Parameters
    ----------
    values : array of float64, shape (n_components,)
    turn : array of float64, shape (n_products, n_components)
        Turns products into coordinates.
    back : array of float64, shape (n_features, n_components)
        Turns weights of coordinates into weights of raw features.
    """

    values: np.ndarray
    turn: np.ndarray
    back: np.ndarray

    def solve(self, products: np.ndarray, alphas: np.ndarray) -> np.ndarray:
        """Return weights (n_features, n_targets) for products (n_targets, n_products)."""
        return self.back @ ((products @ self.turn) / (self.values + alphas[:, None])).T


class SearchProblem(Protocol):
    """What the search needs."""

    n_splits: int
    n_products: int

    def make_basis(self, split: int, weights: np.ndarray, dtype: np.dtype) -> Basis:
        """Return a split's basis under band weights, shape (n_bands,)."""
        ...

    def read_targets(self, split: int, columns: slice) -> tuple[TargetMoments, TargetMoments]:
        """Return moments of targets over a split's training and held-out rows."""
        ...


class BandedProblem(SearchProblem, Protocol):
    """What the refit needs of either form, too."""

    def read_refit(self, columns: slice) -> TargetMoments:
        """Return moments of targets over all training rows."""
        ...

    def prepare(self, weights: np.ndarray) -> Refit:
        """Return the basis of all training rows under band weights."""
        ...

    def solve_alone(self, products: np.ndarray, deltas: np.ndarray) -> np.ndarray:
        """Return weights (n_features,) of one target under γ / α of its own, (n_bands,)."""
        ...

    @property
    def x_mean(self) -> np.ndarray:
        """Mean of the features over all training rows; zero without intercept."""
        ...


class PrimalBands:
    """Gram matrices of the features; for more samples than features.

    Parameters
    ----------
    parts : Parts
    splits : sequence of (training parts, held-out part)
    refit : sequence of int
        Parts that the final weights are fitted on.
    bands : sequence of (first column, one after the last)
        They follow each other and cover the features.
    """

    def __init__(
        self,
        parts: Parts,
        splits: Splits,
        refit: Sequence[int],
        bands: Bands,
        *,
        standardize: bool,
        fit_intercept: bool,
    ) -> None:
        self.parts, self.splits, self.refit = parts, splits, refit
        self.sizes = np.array([last - first for first, last in bands])
        self.standardize, self.fit_intercept = standardize, fit_intercept
        self.n_splits, self.n_products = len(splits), int(self.sizes.sum())
        self.train = [self._merge(train) for train, _ in splits]
        self._whole = self._merge(refit)

    @property
    def x_mean(self) -> np.ndarray:
        """Mean of the features over all training rows; zero without intercept."""
        return self._whole.mean

    def make_basis(self, split: int, weights: np.ndarray, dtype: np.dtype) -> Basis:
        """Return a split's basis under band weights, shape (n_bands,)."""
        moments, left = self.train[split], self.parts.features[self.splits[split][1]]
        values, turn = self._decompose(moments, weights)
        squares = turn.T @ left.squares @ turn
        offset = (left.mean - moments.mean) @ turn
        return Basis(hold_out(values, squares, offset, left.n, dtype), turn, turn)

    def read_targets(self, split: int, columns: slice) -> tuple[TargetMoments, TargetMoments]:
        """Return moments of targets over a split's training and held-out rows."""
        train, test = self.splits[split]
        return self._merge_targets(train, columns), self.parts.compute_targets(columns)[test]

    def read_refit(self, columns: slice) -> TargetMoments:
        """Return moments of targets over all training rows."""
        return self._merge_targets(self.refit, columns)

    def prepare(self, weights: np.ndarray) -> Refit:
        """Return the basis of all training rows under band weights."""
        values, turn = self._decompose(self._whole, weights)
        return Refit(values, turn, turn)

    def solve_alone(self, products: np.ndarray, deltas: np.ndarray) -> np.ndarray:
        """Return weights (n_features,) of one target under γ / α of its own, (n_bands,)."""
        from scipy.linalg import cho_factor, cho_solve

        root = np.sqrt(np.repeat(deltas, self.sizes)) / self._find_scale(self._whole)
        system = self._whole.squares * root * root[:, None]
        system[np.diag_indices_from(system)] += 1
        factor = cho_factor(system, overwrite_a=True, check_finite=False)
        return root * cho_solve(factor, products * root, check_finite=False)

    def _find_scale(self, moments: FeatureMoments) -> np.ndarray:
        if not self.standardize:
            return np.ones(self.n_products)
        return compute_scale(np.diag(moments.squares) / moments.n, moments.mean, moments.n)

    def _decompose(
        self, moments: FeatureMoments, weights: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return eigenvalues, and what turns raw centred features into coordinates."""
        root = np.sqrt(np.repeat(weights, self.sizes)) / self._find_scale(moments)
        used = np.flatnonzero(root)  # a band without weight takes no part, and no time
        every = len(used) == len(root)
        squares = moments.squares if every else moments.squares[np.ix_(used, used)]
        values, vectors = decompose(squares * root[used] * root[used, None])
        if every:
            return values, root[:, None] * vectors
        turn = np.zeros((len(root), len(used)))
        turn[used] = root[used, None] * vectors
        return values, turn

    def _merge(self, parts: Sequence[int]) -> FeatureMoments:
        merged = merge_features([self.parts.features[p] for p in parts])
        return merged if self.fit_intercept else move_to_zero(merged)

    def _merge_targets(self, parts: Sequence[int], columns: slice) -> TargetMoments:
        features = [self.parts.features[p] for p in parts]
        every = self.parts.compute_targets(columns)
        merged = merge_targets(features, [every[p] for p in parts])
        if self.fit_intercept:
            return merged
        return move_targets_to_zero(merge_features(features), merged)


class KernelBands:
    """A kernel matrix per band; for more features than samples.

    The parameters are those of PrimalBands, with the rows of each part in place of moments.
    Products are the centred targets themselves.
    """

    def __init__(
        self,
        X: np.ndarray,
        Y: np.ndarray,
        rows: Sequence[np.ndarray],
        splits: Splits,
        refit: Sequence[int],
        bands: Bands,
        *,
        standardize: bool,
        fit_intercept: bool,
    ) -> None:
        self.X, self.Y, self.bands = X, Y, bands
        self.standardize, self.fit_intercept = standardize, fit_intercept
        self.n_splits = len(splits)
        self.sets = [(np.concatenate([rows[p] for p in a]), rows[b]) for a, b in splits]
        self.whole = np.concatenate([rows[p] for p in refit])
        self.n_products = len(self.whole)
        self._mean = compute_mean(X, self.whole) if fit_intercept else np.zeros(X.shape[1])
        self._scale = self._find_scale(self.whole, self._mean)
        self._place = np.full(len(X), -1)
        used = np.concatenate(list(rows))
        self._place[used] = np.arange(len(used))
        # Without scaling, one kernel per band serves all splits: each is centred by an update.
        self._shared: np.ndarray | None = None
        self._each: list[np.ndarray] = []
        if not standardize:
            self._shared = self._multiply(used, len(used), self._mean, self._scale)
            return
        for a, b in self.sets:
            mean = compute_mean(X, a)
            both = np.concatenate([a, b])
            self._each.append(self._multiply(both, len(a), mean, self._find_scale(a, mean)))
        self._each.append(self._multiply(self.whole, len(self.whole), self._mean, self._scale))

    @property
    def x_mean(self) -> np.ndarray:
        """Mean of the features over all training rows; zero without intercept."""
        return self._mean

    def make_basis(self, split: int, weights: np.ndarray, dtype: np.dtype) -> Basis:
        """Return a split's basis under band weights, shape (n_bands,)."""
        a, b = self.sets[split]
        kernel = self._combine(split, a, b, weights)
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

    def read_refit(self, columns: slice) -> TargetMoments:
        """Return moments of targets over all training rows."""
        return self._read(self.whole, columns, self.fit_intercept)

    def prepare(self, weights: np.ndarray) -> Refit:
        """Return the basis of all training rows under band weights."""
        kernel = self._combine(self.n_splits, self.whole, self.whole[:0], weights)
        values, dual = make_kernel_basis(kernel)
        return Refit(values, dual * values, self._to_features(dual, weights))

    def solve_alone(self, products: np.ndarray, deltas: np.ndarray) -> np.ndarray:
        """Return weights (n_features,) of one target under γ / α of its own, (n_bands,)."""
        from scipy.linalg import cho_factor, cho_solve

        system = self._combine(self.n_splits, self.whole, self.whole[:0], deltas)
        system[np.diag_indices_from(system)] += 1
        dual = cho_solve(cho_factor(system, overwrite_a=True, check_finite=False), products)
        return self._to_features(dual[:, None], deltas)[:, 0]

    def _to_features(self, dual: np.ndarray, weights: np.ndarray) -> np.ndarray:
        out = np.zeros((self.X.shape[1], dual.shape[1]))
        for (first, last), weight in zip(self.bands, weights, strict=True):
            for block in _iterate_columns(first, last):
                columns = (self.X[self.whole, block] - self._mean[block]) / self._scale[block]
                out[block] = weight * (columns.T @ dual) / self._scale[block, None]
        return out

    def _combine(self, split: int, a: np.ndarray, b: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return K_γ of rows a and b with rows a, (n_a + n_b, n_a), about the mean of a."""
        if self._shared is None:
            return np.tensordot(weights, self._each[split], 1)
        at, columns = self._place[np.concatenate([a, b])], self._place[a]
        kernel = np.zeros((len(at), len(columns)))
        for weight, band in zip(weights, self._shared, strict=True):
            if weight:
                kernel += weight * band[np.ix_(at, columns)]
        if not self.fit_intercept:
            return kernel
        mean = kernel[: len(a)].mean(axis=0)
        return kernel - kernel.mean(axis=1, keepdims=True) - mean + mean.mean()

    def _multiply(
        self, rows: np.ndarray, n_columns: int, mean: np.ndarray, scale: np.ndarray
    ) -> np.ndarray:
        """Return the kernel of each band, (n_bands, n_rows, n_columns)."""
        kernels = np.zeros((len(self.bands), len(rows), n_columns))
        for kernel, (first, last) in zip(kernels, self.bands, strict=True):
            for block in _iterate_columns(first, last):
                columns = (self.X[rows, block] - mean[block]) / scale[block]
                kernel += columns @ columns[:n_columns].T
        return kernels

    def _find_scale(self, rows: np.ndarray, mean: np.ndarray) -> np.ndarray:
        scale = np.ones(self.X.shape[1])
        if self.standardize:
            for block in _iterate_columns(0, self.X.shape[1]):
                variance = ((self.X[rows, block] - mean[block]) ** 2).mean(axis=0)
                scale[block] = compute_scale(variance, mean[block], len(rows))
        return scale

    def _read(self, rows: np.ndarray, columns: slice, centred: bool) -> TargetMoments:
        targets = np.asarray(self.Y[rows, columns], np.float64)
        every = np.arange(len(rows))
        mean = compute_mean(targets, every) if centred else np.zeros(targets.shape[1])
        products = np.ascontiguousarray((targets - mean).T)
        return TargetMoments(mean, np.einsum("ij,ij->i", products, products), products)


def _iterate_columns(first: int, last: int) -> list[slice]:
    return [slice(first + b.start, first + b.stop) for b in iterate_blocks(last - first, COLUMNS)]
