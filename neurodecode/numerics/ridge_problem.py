"""What is scored for alphas and what is solved; the primal form (the other: ridge_kernel.py).

Both forms answer the same questions: the held-out features of each split in the basis of its
training set, what is needed of a block of targets, the moments of these for each split, and the
weights of the refit. Where float32 is used, each can be asked for in float64 as well.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np

from neurodecode.numerics.moments import (
    FeatureMoments,
    TargetMoments,
    compute_feature_moments,
    compute_target_moments,
    iterate_blocks,
    merge_features,
    merge_targets,
    move_targets_to_zero,
    move_to_zero,
)
from neurodecode.numerics.ridge_basis import (
    HeldOut,
    Scoring,
    hold_out,
    make_basis,
    plan_scores,
    score_and_bound,
)

Splits = Sequence[tuple[tuple[int, ...], int]]
Columns = slice | np.ndarray
SHARED_BYTES = 2**30
READ_TARGETS = 1024  # whose moments are summed at once
SINGLE_ROUNDING = 3e-8  # of products in float32, in units of the columns' norms (moments.py)
SINGLE_RANGE = 1e-28, 1e28  # variances of features that can be multiplied in float32


@dataclass(frozen=True, eq=False)
class Parts:
    """Moments of disjoint sets of rows, from which training sets are summed.

    Parameters
    ----------
    features : sequence of FeatureMoments
    compute_targets : callable
        Gives the TargetMoments of each part for a slice of targets.
    rounding : float
        Error of the products in them, in units of the norms of their columns; 0 for float64.
    recompute : callable or None
        Gives those of some targets of a slice, by their places in it, in float64; None where
        compute_targets does.
    read : callable or None
        Gives the features, the targets and the rows of each part, for sums to be taken elsewhere
        (ridge_torch.py); None where they have been taken.
    """

    features: Sequence[FeatureMoments]
    compute_targets: Callable[[slice], Sequence[TargetMoments]]
    rounding: float = 0.0
    recompute: Callable[[slice, np.ndarray], Sequence[TargetMoments]] | None = None
    read: Callable[[], tuple[np.ndarray, np.ndarray, Sequence[np.ndarray]]] | None = None


class Problem(Protocol):
    """What fitting needs of either form.

    What ``load`` returns for a block of targets is each form's own affair.
    """

    @property
    def n_splits(self) -> int:
        """Training sets to choose alphas by."""
        ...

    def load(self, columns: slice) -> Any:
        """Return what is needed of some targets."""
        ...

    def load_exact(self, columns: slice, chosen: np.ndarray) -> Any:
        """Return what is needed of some of these targets, in float64 throughout."""
        ...

    def take(self, loaded: Any, columns: Columns) -> Any:
        """Return what is needed of some of the targets loaded."""
        ...

    def score(
        self, split: int, loaded: Any, alphas: np.ndarray, scoring: Scoring, exact: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return scores, their bounds (n_alphas, n_targets), and held-out squares (n_targets,).

        With ``exact``, in float64 throughout, of what load_exact returned.
        """
        ...

    def solve(
        self, loaded: Any, alphas: np.ndarray, exact: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the refit's weights (n_features, n), targets' means, and weights' errors.

        Errors are relative to the norm of a target's weights, shape (n,).
        """
        ...

    @property
    def x_mean(self) -> np.ndarray:
        """Mean of the features over the refit's rows; zero without intercept."""
        ...


def bound_weights(
    values: np.ndarray,
    squares: np.ndarray,
    shrink: np.ndarray,
    length: np.ndarray,
    rounding: float,
) -> np.ndarray:
    """Return the errors of weights that come of the products' rounding, over the weights' norm.

    Products are off by about as much in every coordinate, which is then shrunk like them.

    Parameters
    ----------
    squares, shrink, length : array, shape (n_targets,)
        Of the targets; norm of 1/(λ + α); norm of the weights.
    """
    if not rounding or not len(values):
        return np.zeros(len(squares))
    error = rounding * shrink * np.sqrt(values.mean() * squares)
    return np.asarray(error / np.where(length > 0, length, 1.0))


def collect_parts(
    X: np.ndarray,
    Y: np.ndarray,
    rows: Sequence[np.ndarray],
    block_rows: int | None,
    features: Sequence[FeatureMoments] | None = None,
) -> Parts:
    """Return the moments of parts; those of targets are computed when a block is asked for.

    Parameters
    ----------
    features : sequence of FeatureMoments or None
        Of the parts, where computed before.
    """
    if features is None:
        features = [compute_feature_moments(X, part, block_rows) for part in rows]
    single = X.dtype == np.float32 and Y.dtype == np.float32 and fit_single(features)
    kept: dict[tuple[int, int], list[TargetMoments]] = {}

    def compute(targets: np.ndarray, columns: slice, dtype: type) -> list[TargetMoments]:
        return [
            compute_target_moments(X, targets, part, columns, moments.mean, block_rows, dtype)
            for part, moments in zip(rows, features, strict=True)
        ]

    def compute_targets(columns: slice) -> list[TargetMoments]:
        key = (columns.start, columns.stop)
        if key not in kept:
            kept.clear()  # one block at a time: that is what bounds the memory
            kept[key] = compute(Y, columns, np.float32 if single else np.float64)
        return kept[key]

    def recompute(columns: slice, chosen: np.ndarray) -> list[TargetMoments]:
        return compute(Y[:, columns][:, chosen], slice(None), np.float64)

    def read() -> tuple[np.ndarray, np.ndarray, Sequence[np.ndarray]]:
        return X, Y, rows

    if single:
        return Parts(features, compute_targets, SINGLE_ROUNDING, recompute, read)
    return Parts(features, compute_targets, read=read)


def fit_single(features: Sequence[FeatureMoments]) -> bool:
    """Tell whether features of these moments can be multiplied in float32."""
    variances = np.stack([np.diag(part.squares) / part.n for part in features])
    low, high = SINGLE_RANGE
    return bool(((variances == 0) | ((variances > low) & (variances < high))).all())


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
        shared.append(_join_atoms(atoms, targets, members))
    return shared


def _join_atoms(
    atoms: Parts, targets: Sequence[TargetMoments], members: Sequence[np.ndarray]
) -> Parts:
    features = atoms.features

    def join(every: Sequence[TargetMoments], columns: Columns) -> list[TargetMoments]:
        return [
            merge_targets([features[a] for a in part], [every[a].take(columns) for a in part])
            for part in members
        ]

    def compute_targets(columns: slice) -> list[TargetMoments]:
        return join(targets, columns)

    joined = [merge_features([features[a] for a in part]) for part in members]
    if (exact := atoms.recompute) is None:
        return Parts(joined, compute_targets)

    def recompute(columns: slice, chosen: np.ndarray) -> list[TargetMoments]:
        return join(exact(columns, chosen), slice(None))

    return Parts(joined, compute_targets, atoms.rounding, recompute)


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
        self._bases = []
        for split, (train, _) in enumerate(splits):
            self._bases.append(make_basis(self._merge(train), standardize))
            self.held_out.append(self._hold_out(split, dtype))
        self._train = self._merge(refit)
        self._basis: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def x_mean(self) -> np.ndarray:
        """Mean of the features over the refit's rows; zero without intercept."""
        return self._train.mean

    @property
    def n_splits(self) -> int:
        """Training sets to choose alphas by."""
        return len(self.splits)

    def with_parts(self, parts: Parts) -> Self:
        """Return the same features with other targets."""
        self.find_basis()
        other = copy.copy(self)
        other.parts = parts
        return other

    def load(self, columns: slice) -> Sequence[TargetMoments]:
        """Return the moments of some targets by part."""
        return self.parts.compute_targets(columns)

    def load_exact(self, columns: slice, chosen: np.ndarray) -> Sequence[TargetMoments]:
        """Return the moments of some of these targets by part, in float64 throughout."""
        if self.parts.recompute is None:
            return self.take(self.load(columns), chosen)
        return self.parts.recompute(columns, chosen)

    def take(self, loaded: Sequence[TargetMoments], columns: Columns) -> list[TargetMoments]:
        """Return the moments of some of the targets loaded."""
        return [part.take(columns) for part in loaded]

    def read(
        self, split: int, loaded: Sequence[TargetMoments]
    ) -> tuple[TargetMoments, TargetMoments]:
        """Return the moments of targets over a split's training and held-out rows."""
        train, test = self.splits[split]
        return self._merge_targets(train, loaded), loaded[test]

    def score(
        self,
        split: int,
        loaded: Sequence[TargetMoments],
        alphas: np.ndarray,
        scoring: Scoring,
        exact: bool,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return scores, their bounds and the held-out squares of some targets."""
        held_out = self._hold_out(split, np.dtype(np.float64)) if exact else self.held_out[split]
        plan = plan_scores(held_out, alphas, 0.0 if exact else self.parts.rounding)
        squares = loaded[self.splits[split][1]].squares
        scores, bounds = np.empty((2, len(alphas), len(squares)))
        for columns in iterate_blocks(len(squares), READ_TARGETS):
            pair = self.read(split, self.take(loaded, columns))
            scores[:, columns], bounds[:, columns] = score_and_bound(
                held_out, *pair, alphas, scoring, plan
            )
        return scores, bounds, squares

    def solve(
        self, loaded: Sequence[TargetMoments], alphas: np.ndarray, exact: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the refit's weights (n_features, n), targets' means, and weights' errors."""
        values, vectors = self.find_basis()
        targets = self._merge_targets(self.refit, loaded)
        coordinates = targets.products @ vectors
        shrink = 1 / (values + alphas[:, None])
        coordinates *= shrink
        rounding = 0.0 if exact else self.parts.rounding
        sizes = [np.sqrt(np.einsum("ij,ij->i", a, a)) for a in (shrink, coordinates)]
        error = bound_weights(values, targets.squares, sizes[0], sizes[1], rounding)
        return vectors @ coordinates.T, targets.mean, error

    def find_basis(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the basis of the refit (ridge_basis.make_basis), made when it is first needed."""
        if self._basis is None:
            self._basis = make_basis(self._train, self.standardize)
        return self._basis

    def _hold_out(self, split: int, dtype: np.dtype) -> HeldOut:
        train, test = self.splits[split]
        values, vectors = self._bases[split]
        left = self.parts.features[test]
        mean = self._average(train)
        squares = vectors.T @ left.squares @ vectors
        offset = (left.mean - mean) @ vectors
        return hold_out(values, squares, offset, left.n, dtype, vectors)

    def _average(self, parts: Sequence[int]) -> np.ndarray:
        features = [self.parts.features[p] for p in parts]
        n = sum(part.n for part in features)
        mean = np.asarray(sum((part.n / n) * part.mean for part in features))
        return mean if self.fit_intercept else np.zeros_like(mean)

    def _merge(self, parts: Sequence[int]) -> FeatureMoments:
        merged = merge_features([self.parts.features[p] for p in parts])
        return merged if self.fit_intercept else move_to_zero(merged)

    def _merge_targets(
        self, parts: Sequence[int], loaded: Sequence[TargetMoments]
    ) -> TargetMoments:
        features = [self.parts.features[p] for p in parts]
        merged = merge_targets(features, [loaded[p] for p in parts])
        if self.fit_intercept:
            return merged
        return move_targets_to_zero(merge_features(features), merged)
