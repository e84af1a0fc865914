"""The kernel form: the answers of ridge_problem.py from the kernel matrix of the training rows.

For more features than samples.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Self

import numpy as np

from neurodecode.numerics.moments import (
    TargetMoments,
    compute_mean,
    compute_scale,
    iterate_blocks,
)
from neurodecode.numerics.ridge_basis import (
    HeldOut,
    Scoring,
    hold_out,
    make_kernel_basis,
    plan_scores,
    score_and_bound,
)
from neurodecode.numerics.ridge_problem import READ_TARGETS, Columns, Splits


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
        self._offsets: list[tuple[np.ndarray, np.ndarray]] = []
        for split, (train, test) in enumerate(splits):
            a = np.concatenate([rows[p] for p in train])
            values, dual, kernel = self._decompose(train, test)
            left = kernel @ dual
            offset = left.mean(axis=0)
            left = left - offset
            self._coordinates.append((a, dual * values, rows[test], left))
            self._offsets.append((values, offset))
            self.held_out.append(self._hold_out(split, dtype))

    @property
    def x_mean(self) -> np.ndarray:
        """Mean of the features over the refit's rows; zero without intercept."""
        return self._shift if self.fit_intercept else np.zeros_like(self._shift)

    @property
    def n_splits(self) -> int:
        """Training sets to choose alphas by."""
        return len(self.splits)

    def with_targets(self, Y: np.ndarray) -> Self:
        """Return the same features with other targets."""
        self.find_basis()
        other = copy.copy(self)
        other.Y = Y
        return other

    def get_coordinates(self, split: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return a split's training rows, what projects them, held-out rows, and the same."""
        return self._coordinates[split]

    def load(self, columns: slice) -> np.ndarray:
        """Return some targets."""
        return self.Y[:, columns]

    def load_exact(self, columns: slice, chosen: np.ndarray) -> np.ndarray:
        """Return some of these targets."""
        return self.Y[:, columns][:, chosen]

    def take(self, loaded: np.ndarray, columns: Columns) -> np.ndarray:
        """Return some of the targets loaded."""
        return loaded[:, columns]

    def read(self, split: int, loaded: np.ndarray) -> tuple[TargetMoments, TargetMoments]:
        """Return the moments of targets over a split's training and held-out rows."""
        a, train, b, test = self._coordinates[split]
        return (
            _project(loaded, a, train, self.fit_intercept),
            _project(loaded, b, test, True),
        )

    def score(
        self, split: int, loaded: np.ndarray, alphas: np.ndarray, scoring: Scoring, exact: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return scores, their bounds and the held-out squares of some targets."""
        held_out = self._hold_out(split, np.dtype(np.float64)) if exact else self.held_out[split]
        plan = plan_scores(held_out, alphas, 0.0)
        scores, bounds = np.empty((2, len(alphas), loaded.shape[1]))
        squares = np.empty(loaded.shape[1])
        for columns in iterate_blocks(len(squares), READ_TARGETS):
            train, test = self.read(split, loaded[:, columns])
            squares[columns] = test.squares
            scores[:, columns], bounds[:, columns] = score_and_bound(
                held_out, train, test, alphas, scoring, plan
            )
        return scores, bounds, squares

    def solve(
        self, loaded: np.ndarray, alphas: np.ndarray, exact: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the refit's weights (n_features, n), targets' means, and weights' errors."""
        values, dual, scale = self.find_basis()
        rows = self.refit_rows
        targets = _project(loaded, rows, dual * values, self.fit_intercept)
        weights = dual @ (targets.products / (values + alphas[:, None])).T
        out = np.zeros((self.X.shape[1], weights.shape[1]))
        for block in iterate_blocks(self.X.shape[1], 4096):
            out[block] = ((self.X[rows, block] - self.x_mean[block]) / scale[block]).T @ weights
        return out / scale[:, None], targets.mean, np.zeros(len(alphas))

    def _hold_out(self, split: int, dtype: np.dtype) -> HeldOut:
        (values, offset), left = self._offsets[split], self._coordinates[split][3]
        return hold_out(values, left.T @ left, offset, len(left), dtype)

    def find_basis(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return eigenvalues, dual vectors and scales of the refit, made when first needed."""
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
    Y: np.ndarray, rows: np.ndarray, coordinates: np.ndarray, centred: bool
) -> TargetMoments:
    targets = np.asarray(Y[rows], np.float64)
    mean = compute_mean(targets, np.arange(len(rows))) if centred else np.zeros(targets.shape[1])
    targets -= mean
    squares = np.einsum("ij,ij->j", targets, targets)
    return TargetMoments(mean, squares, targets.T @ coordinates)
