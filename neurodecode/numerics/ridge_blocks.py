"""Voxelwise ridge in blocks of targets: what all blocks share is made once and kept as arrays.

The features' side of every outer fold (Gram matrices of its inner folds, an eigenbasis per inner
training set and one of the refit) does not depend on the targets. It is computed first and taken
apart into named arrays, from which each block of targets, in whatever process, is fitted. Sums of
products are taken once per *atom*, a set of rows that lie in the same part of every outer fold, and
added up for each training set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from neurodecode.core.artifacts import Array
from neurodecode.core.checks import check_finite
from neurodecode.numerics.inner_folds import Roles, assign_inner_folds, check_roles
from neurodecode.numerics.moments import (
    FeatureMoments,
    TargetMoments,
    choose_block_rows,
    compute_feature_moments,
    compute_mean,
    compute_target_moments,
    iterate_blocks,
    merge_features,
    merge_targets,
)
from neurodecode.numerics.records import put_together, take_apart
from neurodecode.numerics.ridge_basis import HeldOut
from neurodecode.numerics.ridge_grid import RidgeOptions
from neurodecode.numerics.ridge_kernel import KernelProblem
from neurodecode.numerics.ridge_prepared import choose_form
from neurodecode.numerics.ridge_problem import (
    SHARED_BYTES,
    SINGLE_ROUNDING,
    Parts,
    PrimalProblem,
    fit_single,
)

LEFT_OUT = ("X", "Y", "parts", "_kernel")  # of a problem: given again with each block, or done with
MOST_ATOMS = 32  # more of them, and adding their sums up costs more than taking them anew


@dataclass(frozen=True, eq=False)
class FoldRows:
    """The rows of one outer fold.

    Parameters
    ----------
    train, test : array of int
    parts : sequence of array of int
        Inner folds of the training rows; or these and the validation rows.
    splits : sequence of (training parts, held-out part)
        What alphas are chosen on; empty for a single alpha.
    refit : tuple of int
        Parts that the final weights are fitted on: the training rows.
    """

    train: np.ndarray
    test: np.ndarray
    parts: Sequence[np.ndarray]
    splits: Sequence[tuple[tuple[int, ...], int]]
    refit: tuple[int, ...]

    @property
    def used(self) -> np.ndarray:
        """Rows whose targets are read to fit."""
        return np.concatenate(list(self.parts))


@dataclass(frozen=True, eq=False)
class RidgeRows:
    """The rows of all outer folds, and the atoms that they have in common.

    Parameters
    ----------
    folds : sequence of FoldRows
    atoms : sequence of array of int
        Empty where folds have too little in common.
    members : per fold and part, the numbers of its atoms
    """

    folds: Sequence[FoldRows]
    atoms: Sequence[np.ndarray]
    members: Sequence[Sequence[np.ndarray]]

    @property
    def n_sums(self) -> int:
        """Sets of rows whose sums are held at once."""
        n_parts = max(len(fold.parts) for fold in self.folds)
        return n_parts + (len(self.atoms) if len(self.folds) > 1 else 0)


def lay_out_rows(
    roles: Roles,
    groups: np.ndarray,
    n_alphas: int,
    n_inner_folds: int,
    seed: int,
    *,
    shared: bool,
) -> RidgeRows:
    """Return the rows of every outer fold by part.

    Parameters
    ----------
    roles : sequence of (train, validation, test), arrays of ascending int
    groups : array, shape (n_samples,)
        Rows of one group share an inner fold.
    n_alphas : int
        A single one is used as it is, without inner folds.
    shared : bool
        All folds see the same targets.

    Raises
    ------
    DataError
        A fold without rows to train or test on, or without two inner folds.
    """
    check_roles(roles, "ridge")
    train = [part[0] for part in roles]
    labels = None
    if n_alphas > 1 and any(not len(part[1]) for part in roles):
        labels = assign_inner_folds(groups, train, n_inner_folds, seed)
    folds = []
    for k, (rows, validation, test) in enumerate(roles):
        if n_alphas == 1:
            folds.append(FoldRows(rows, test, [rows], [], (0,)))
        elif len(validation):
            folds.append(FoldRows(rows, test, [rows, validation], [((0,), 1)], (0,)))
        else:
            assert labels is not None
            parts = [np.flatnonzero(labels[k] == p) for p in range(labels[k].max() + 1)]
            every = tuple(range(len(parts)))
            splits = [(tuple(p for p in every if p != held), held) for held in every]
            folds.append(FoldRows(rows, test, parts, splits, every))
    return _find_atoms(folds, len(groups), shared)


def _find_atoms(folds: Sequence[FoldRows], n_samples: int, shared: bool) -> RidgeRows:
    part_of = np.full((len(folds), n_samples), -1)
    for row, fold in zip(part_of, folds, strict=True):
        for number, rows in enumerate(fold.parts):
            row[rows] = number
    patterns, atom = np.unique(part_of, axis=1, return_inverse=True)
    atom, n_atoms = np.ravel(atom), patterns.shape[1]
    if not shared or n_atoms > MOST_ATOMS or 4 * n_atoms > n_samples:
        return RidgeRows(folds, [], [])
    taken = np.flatnonzero((patterns >= 0).any(axis=0))  # the others are tested only
    atoms = [np.flatnonzero(atom == a) for a in taken]
    members = [
        [np.flatnonzero(pattern[taken] == part) for part in range(len(fold.parts))]
        for pattern, fold in zip(patterns, folds, strict=True)
    ]
    return RidgeRows(folds, atoms, members)


# --------------------------------------------------------------------------- what blocks share


def compute_atoms(X: np.ndarray, rows: RidgeRows, options: RidgeOptions) -> list[FeatureMoments]:
    """Return the moments of the features of each atom; none where they would not fit in memory.

    Raises
    ------
    DataError
        Features that are not finite.
    """
    used = np.unique(np.concatenate([fold.used for fold in rows.folds]))
    for block in iterate_blocks(len(used), choose_block_rows(X.shape[1])):
        check_finite(np.asarray(X[used[block]]), what="features", where="ridge")
    if 8 * len(rows.atoms) * X.shape[1] ** 2 > SHARED_BYTES:
        return []
    return [compute_feature_moments(X, part, options.block_rows) for part in rows.atoms]


def prepare_fold(
    X: np.ndarray,
    rows: RidgeRows,
    k: int,
    options: RidgeOptions,
    atoms: Sequence[FeatureMoments],
) -> dict[str, np.ndarray]:
    """Return what every block of targets needs of one outer fold, as named arrays.

    Parameters
    ----------
    X : array, shape (n_samples, n_features)
    atoms : sequence of FeatureMoments
        Of compute_atoms.
    """
    fold, none = rows.folds[k], np.zeros((len(X), 0), X.dtype)
    how: dict[str, Any] = {
        "standardize": options.standardize,
        "fit_intercept": options.fit_intercept,
        "dtype": np.dtype(np.float32 if X.dtype in (np.float16, np.float32) else np.float64),
    }
    if choose_fold_form(X.shape[1], fold, options) == "kernel":
        kernel = KernelProblem(X, none, fold.parts, fold.splits, fold.refit, **how)
        kernel.find_basis()
        return take_apart(kernel, LEFT_OUT)
    if atoms:
        features = [merge_features([atoms[a] for a in m]) for m in rows.members[k]]
    else:
        features = [compute_feature_moments(X, p, options.block_rows) for p in fold.parts]
    problem = PrimalProblem(Parts(features, _no_targets), fold.splits, fold.refit, **how)
    problem.find_basis()
    means = [moments.mean for moments in (atoms or features)]
    if rows.atoms and not atoms:
        means = [compute_mean(X, part) for part in rows.atoms]
    return {
        **take_apart(problem, LEFT_OUT),
        "means": np.stack(means),
        "squares": np.stack([part.squares for part in features]),
        "single": np.array(fit_single(features)),
    }


def _no_targets(columns: slice) -> Sequence[TargetMoments]:
    return ()


def choose_fold_form(n_features: int, fold: FoldRows, options: RidgeOptions) -> str:
    """Return "primal" or "kernel": the form in which a fold is fitted."""
    return choose_form(n_features, len(fold.train), options.solver)


# -------------------------------------------------------------------------- a block of targets


class BlockMoments:
    """Moments of a block of targets, taken once per atom for all outer folds where these share.

    Parameters
    ----------
    X : array, shape (n_samples, n_features)
    read : callable
        Gives the targets (n_samples, n_targets) as a fold sees them.
    rows : RidgeRows
    """

    def __init__(self, X: np.ndarray, read: Callable[[int], np.ndarray], rows: RidgeRows) -> None:
        self.X, self.read, self.rows = X, read, rows
        self._atoms: dict[tuple[int, int, bool], list[TargetMoments]] = {}

    def make_problem(
        self, k: int, arrays: Mapping[str, Array], options: RidgeOptions
    ) -> tuple[PrimalProblem | KernelProblem, np.ndarray]:
        """Return the problem of an outer fold for these targets, and the targets."""
        fold, Y = self.rows.folds[k], self.read(k)
        if choose_fold_form(self.X.shape[1], fold, options) == "kernel":
            return put_together(KernelProblem, arrays, (HeldOut,), X=self.X, Y=Y), Y
        classes = (HeldOut, FeatureMoments)
        parts = self._make_parts(k, arrays, Y, options)
        return put_together(PrimalProblem, arrays, classes, parts=parts), Y

    def _make_parts(
        self, k: int, arrays: Mapping[str, Array], Y: np.ndarray, options: RidgeOptions
    ) -> Parts:
        X, means = self.X, np.asarray(arrays["means"])
        sets = self.rows.atoms or self.rows.folds[k].parts
        members = (
            self.rows.members[k] if self.rows.atoms else [np.array([s]) for s in range(len(sets))]
        )
        none = np.zeros((0, 0))
        known = [FeatureMoments(len(s), m, none) for s, m in zip(sets, means, strict=True)]
        features = [
            replace(_unite_means([known[a] for a in m]), squares=squares)
            for m, squares in zip(members, np.asarray(arrays["squares"]), strict=True)
        ]

        def compute(targets: Any, columns: slice, dtype: type) -> list[TargetMoments]:
            return [
                compute_target_moments(
                    X, targets, part, columns, moments.mean, options.block_rows, dtype
                )
                for part, moments in zip(sets, known, strict=True)
            ]

        def unite(every: Sequence[TargetMoments]) -> list[TargetMoments]:
            return [
                every[m[0]]
                if len(m) == 1
                else merge_targets([known[a] for a in m], [every[a] for a in m])
                for m in members
            ]

        single = (
            bool(np.asarray(arrays["single"])) and X.dtype == np.float32 and Y.dtype == np.float32
        )

        def take(columns: slice) -> list[TargetMoments]:
            dtype = np.float32 if single else np.float64
            if not self.rows.atoms:
                return compute(Y, columns, dtype)
            key = (columns.start, columns.stop, single)
            if key not in self._atoms:
                self._atoms.clear()  # one block at a time: that is what bounds the memory
                self._atoms[key] = compute(Y, columns, dtype)
            return unite(self._atoms[key])

        def recompute(columns: slice, chosen: np.ndarray) -> list[TargetMoments]:
            return unite(compute(Y[:, columns][:, chosen], slice(None), np.float64))

        if single:
            return Parts(features, _keep_last(take), SINGLE_ROUNDING, recompute)
        return Parts(features, _keep_last(take))


def _keep_last(
    compute: Callable[[slice], list[TargetMoments]],
) -> Callable[[slice], list[TargetMoments]]:
    kept: dict[tuple[int, int], list[TargetMoments]] = {}

    def compute_or_keep(columns: slice) -> list[TargetMoments]:
        key = (columns.start, columns.stop)
        if key not in kept:
            kept.clear()
            kept[key] = compute(columns)
        return kept[key]

    return compute_or_keep


def _unite_means(parts: Sequence[FeatureMoments]) -> FeatureMoments:
    n = sum(part.n for part in parts)
    mean = sum((part.n / n) * part.mean for part in parts)
    return FeatureMoments(n, np.asarray(mean), parts[0].squares)


class LazyTargets:
    """All targets, of which a block is read when it is sliced, and the last one is kept.

    Parameters
    ----------
    read : callable
        Takes a block of voxels; gives a function from fold to array.
    blocks : sequence of slice
        Of voxels.
    per_voxel : int
        Targets of one voxel.
    dtype : dtype
        Of what ``read`` gives.
    """

    def __init__(
        self,
        read: Callable[[slice], Callable[[int], np.ndarray]],
        blocks: Sequence[slice],
        per_voxel: int = 1,
        dtype: np.dtype | type = np.float32,
    ) -> None:
        self.read, self.per_voxel, self.dtype = read, per_voxel, np.dtype(dtype)
        self.n_targets = blocks[-1].stop * per_voxel
        self._kept: tuple[slice, Callable[[int], np.ndarray]] | None = None

    def as_seen(self, fold: int) -> Any:
        """Return what slices and has a shape as the targets of a fold have."""
        return _LazyFold(self, fold)

    def take(self, columns: slice, fold: int) -> np.ndarray:
        """Return some targets, shape (n_samples, n)."""
        block = slice(columns.start // self.per_voxel, columns.stop // self.per_voxel)
        if self._kept is None or self._kept[0] != block:
            self._kept = (block, self.read(block))
        return self._kept[1](fold)


@dataclass(frozen=True, eq=False)
class _LazyFold:
    """The targets of one fold, unread."""

    targets: LazyTargets
    fold: int

    @property
    def shape(self) -> tuple[int, int]:
        return (0, self.targets.n_targets)

    @property
    def dtype(self) -> np.dtype:
        return self.targets.dtype

    def __getitem__(self, key: tuple[Any, slice]) -> np.ndarray:
        return self.targets.take(key[1], self.fold)[key[0]]
