"""One training set in primal or kernel form: what is scored for alphas, and what is solved.

Both forms answer the same three questions: the held-out features of each split in the basis of its
training set, the moments of a block of targets for each split, and the weights of the refit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from neurodecode.numerics.moments import (
    FeatureMoments,
    TargetMoments,
    compute_feature_moments,
    compute_mean,
    compute_scale,
    compute_target_moments,
    iterate_blocks,
    merge_features,
    merge_targets,
    move_targets_to_zero,
    move_to_zero,
)
from neurodecode.numerics.ridge_basis import HeldOut, hold_out, make_basis, make_kernel_basis

Splits = Sequence[tuple[tuple[int, ...], int]]
SHARED_BYTES = 2**30


@dataclass(frozen=True, eq=False)
class Parts:
    """Moments of disjoint sets of rows, from which training sets are summed.

    Parameters
    ----------
    features : sequence of FeatureMoments
    compute_targets : callable
        Gives the TargetMoments of each part for a slice of targets.
    """

    features: Sequence[FeatureMoments]
    compute_targets: Callable[[slice], Sequence[TargetMoments]]


class Problem(Protocol):
    """What fitting needs of either form."""

    held_out: list[HeldOut]

    def read_targets(self, split: int, columns: slice) -> tuple[TargetMoments, TargetMoments]:
        """Return the moments of some targets over a split's training and held-out rows."""
        ...

    def solve(self, columns: slice, alphas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return weights (n_features, n) and targets' means (n,) of the refit."""
        ...

    @property
    def x_mean(self) -> np.ndarray:
        """Mean of the features over the refit's rows; zero without intercept."""
        ...


def collect_parts(
    X: np.ndarray, Y: np.ndarray, rows: Sequence[np.ndarray], block_rows: int | None
) -> Parts:
    """Return the moments of parts; those of targets are computed when a block is asked for."""
    features = [compute_feature_moments(X, part, block_rows) for part in rows]
    kept: dict[tuple[int, int], list[TargetMoments]] = {}

    def compute_targets(columns: slice) -> list[TargetMoments]:
        key = (columns.start, columns.stop)
        if key not in kept:
            kept.clear()  # one block at a time: that is what bounds the memory
            kept[key] = [
                compute_target_moments(X, Y, part, columns, moments.mean, block_rows)
                for part, moments in zip(rows, features, strict=True)
            ]
        return kept[key]

    return Parts(features, compute_targets)


def share_parts(
    X: np.ndarray, Y: np.ndarray, labels: np.ndarray, block_rows: int | None
) -> list[Parts] | None:
    """Compute moments once for all outer folds, if they fit in memory.

    Parameters
    ----------
    labels : array of int, shape (n_folds, n_samples)
        Part of each row in each outer fold; -1 where it takes no part.

    Returns
    -------
    parts : list of Parts, one per outer fold, or None
        None where the sums would not fit in memory or no rows are shared.
    """
    patterns, atom = np.unique(labels, axis=1, return_inverse=True)
    atom = np.ravel(atom)
    n_atoms, width = patterns.shape[1], X.shape[1]
    too_large = 8 * n_atoms * width * (width + Y.shape[1]) > SHARED_BYTES
    if len(labels) < 2 or too_large or 4 * n_atoms > labels.shape[1]:
        return None
    atoms = collect_parts(X, Y, [np.flatnonzero(atom == a) for a in range(n_atoms)], block_rows)
    targets = atoms.compute_targets(slice(0, Y.shape[1]))
    shared = []
    for pattern in patterns:
        members = [np.flatnonzero(pattern == part) for part in range(pattern.max() + 1)]
        shared.append(_join_atoms(atoms.features, targets, members))
    return shared


def _join_atoms(
    features: Sequence[FeatureMoments],
    targets: Sequence[TargetMoments],
    members: Sequence[np.ndarray],
) -> Parts:
    def compute_targets(columns: slice) -> list[TargetMoments]:
        return [
            merge_targets([features[a] for a in part], [targets[a].take(columns) for a in part])
            for part in members
        ]

    return Parts([merge_features([features[a] for a in part]) for part in members], compute_targets)


class PrimalProblem:
    """Gram matrices of the features; for more samples than features.

    Parameters
    ----------
    parts : Parts
    splits : sequence of (training parts, held-out part)
    refit : sequence of int
        Parts that the final weights are fitted on.
    """

    def __init__(
        self,
        parts: Parts,
        splits: Splits,
        refit: Sequence[int],
        *,
        standardize: bool,
        fit_intercept: bool,
        dtype: np.dtype,
    ) -> None:
        self.parts, self.splits, self.refit = parts, splits, refit
        self.standardize, self.fit_intercept = standardize, fit_intercept
        self.held_out = []
        for train, test in splits:
            moments, left = self._merge(train), parts.features[test]
            values, vectors = make_basis(moments, standardize)
            squares = vectors.T @ left.squares @ vectors
            offset = (left.mean - moments.mean) @ vectors
            self.held_out.append(hold_out(values, squares, offset, left.n, dtype, vectors))
        self._train = self._merge(refit)
        self._basis: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def x_mean(self) -> np.ndarray:
        """Mean of the features over the refit's rows; zero without intercept."""
        return self._train.mean

    def read_targets(self, split: int, columns: slice) -> tuple[TargetMoments, TargetMoments]:
        """Return the moments of some targets over a split's training and held-out rows."""
        train, test = self.splits[split]
        return self._merge_targets(train, columns), self.parts.compute_targets(columns)[test]

    def solve(self, columns: slice, alphas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return weights (n_features, n) and targets' means (n,) of the refit."""
        if self._basis is None:
            self._basis = make_basis(self._train, self.standardize)
        values, vectors = self._basis
        targets = self._merge_targets(self.refit, columns)
        coordinates = (targets.products @ vectors) / (values + alphas[:, None])
        return vectors @ coordinates.T, targets.mean

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


class KernelProblem:
    """Kernel matrix of the training rows; for more features than samples.

    The parameters are those of PrimalProblem, with the rows of each part in place of moments.
    """

    def __init__(
        self,
        X: np.ndarray,
        Y: np.ndarray,
        rows: Sequence[np.ndarray],
        splits: Splits,
        refit: Sequence[int],
        *,
        standardize: bool,
        fit_intercept: bool,
        dtype: np.dtype,
    ) -> None:
        self.X, self.Y, self.rows, self.splits = X, Y, rows, splits
        self.standardize, self.fit_intercept = standardize, fit_intercept
        self.refit_rows = np.concatenate([rows[p] for p in refit])
        # Without scaling, one kernel serves all splits: each is centred by an update of it.
        # The shift only saves digits, and is the mean of rows that the refit sees.
        shift = compute_mean(X, self.refit_rows)
        self._kernel: np.ndarray | None = None
        self._final: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
        if fit_intercept and not standardize:
            self._kernel = self._multiply(np.concatenate(list(rows)), shift, np.ones(X.shape[1]))
            self._place = np.cumsum([0, *(len(part) for part in rows)])
        self._shift = shift
        self.held_out = []
        self._coordinates: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = []
        for train, test in splits:
            a = np.concatenate([rows[p] for p in train])
            values, dual, kernel = self._decompose(train, test)
            left = kernel @ dual
            offset = left.mean(axis=0)
            left = left - offset
            self.held_out.append(hold_out(values, left.T @ left, offset, len(left), dtype))
            self._coordinates.append((a, dual * values, rows[test], left))

    @property
    def x_mean(self) -> np.ndarray:
        """Mean of the features over the refit's rows; zero without intercept."""
        return self._shift if self.fit_intercept else np.zeros_like(self._shift)

    def read_targets(self, split: int, columns: slice) -> tuple[TargetMoments, TargetMoments]:
        """Return the moments of some targets over a split's training and held-out rows."""
        a, train, b, test = self._coordinates[split]
        return (
            _project(self.Y, a, columns, train, self.fit_intercept),
            _project(self.Y, b, columns, test, True),
        )

    def solve(self, columns: slice, alphas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return weights (n_features, n) and targets' means (n,) of the refit."""
        values, dual, scale = self._solve_basis()
        rows = self.refit_rows
        targets = _project(self.Y, rows, columns, dual * values, self.fit_intercept)
        weights = dual @ (targets.products / (values + alphas[:, None])).T
        out = np.zeros((self.X.shape[1], weights.shape[1]))
        for block in iterate_blocks(self.X.shape[1], 4096):
            out[block] = ((self.X[rows, block] - self.x_mean[block]) / scale[block]).T @ weights
        return out / scale[:, None], targets.mean

    def _solve_basis(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if self._final is None:
            rows = self.refit_rows
            scale = self._find_scale(rows, self.x_mean)
            values, dual = make_kernel_basis(self._multiply(rows, self.x_mean, scale))
            self._final = (values, dual, scale)
        return self._final

    def _decompose(
        self, train: Sequence[int], test: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return values, dual and the held-out rows' centred kernel with the training rows."""
        if self._kernel is None:
            a = np.concatenate([self.rows[p] for p in train])
            mean = compute_mean(self.X, a) if self.fit_intercept else np.zeros(self.X.shape[1])
            both = np.concatenate([a, self.rows[test]])
            kernel = self._multiply(both, mean, self._find_scale(a, mean))
            values, dual = make_kernel_basis(kernel[: len(a), : len(a)])
            return values, dual, kernel[len(a) :, : len(a)]
        at = [np.arange(*self._place[p : p + 2]) for p in range(len(self.rows))]
        a, b = np.concatenate([at[p] for p in train]), at[test]
        inside, across = self._kernel[np.ix_(a, a)], self._kernel[np.ix_(b, a)]
        column = inside.mean(axis=0)
        values, dual = make_kernel_basis(inside - column - column[:, None] + column.mean())
        across = across - across.mean(axis=1, keepdims=True) - column + column.mean()
        return values, dual, across

    def _find_scale(self, rows: np.ndarray, mean: np.ndarray) -> np.ndarray:
        if not self.standardize:
            return np.ones(self.X.shape[1])
        variance = np.concatenate(
            [
                ((self.X[rows, block] - mean[block]) ** 2).mean(axis=0)
                for block in iterate_blocks(self.X.shape[1], 4096)
            ]
        )
        return compute_scale(variance, mean, len(rows))

    def _multiply(self, rows: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
        kernel = np.zeros((len(rows), len(rows)))
        for block in iterate_blocks(self.X.shape[1], 4096):
            columns = (self.X[rows, block] - mean[block]) / scale[block]
            kernel += columns @ columns.T
        return kernel


def _project(
    Y: np.ndarray, rows: np.ndarray, columns: slice, coordinates: np.ndarray, centred: bool
) -> TargetMoments:
    targets = np.asarray(Y[rows, columns], np.float64)
    mean = compute_mean(targets, np.arange(len(rows))) if centred else np.zeros(targets.shape[1])
    targets = targets - mean
    squares = np.einsum("ij,ij->j", targets, targets)
    return TargetMoments(mean, squares, targets.T @ coordinates)
