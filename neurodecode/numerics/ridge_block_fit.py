"""One block of targets of a voxelwise ridge: alphas chosen, weights solved, test rows predicted.

What a target gets does not depend on the others of its block, but for the last digits: the grid of
alphas grows for those targets alone that gain at its edge.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from neurodecode.core.artifacts import Array
from neurodecode.core.checks import check_finite
from neurodecode.core.errors import DataError
from neurodecode.numerics.moments import choose_block_rows, iterate_blocks
from neurodecode.numerics.ridge import predict_ridge
from neurodecode.numerics.ridge_blocks import BlockMoments, FoldRows
from neurodecode.numerics.ridge_grid import (
    EDGE_GAIN,
    RidgeOptions,
    choose_alphas,
    extend_grid,
    score_grid,
    warn_edges,
)
from neurodecode.numerics.ridge_problem import Problem

NOT_TRIED = -1e30  # score of an alpha that is not offered to a target


@dataclass(frozen=True, eq=False)
class BlockFit:
    """What one outer fold gives for a block of targets.

    Parameters
    ----------
    weights : array, shape (n_features, n_targets)
    intercept, best_alphas : array of float64, shape (n_targets,)
    predictions : array, shape (n_test_rows, n_targets)
    edges : array of float64, shape (5,)
        Targets whose best alpha is the smallest tried, and that alpha; the same of the largest;
        and targets that are constant over the training rows.
    warnings : tuple of str
        Of a choice made for all targets together.
    """

    weights: np.ndarray
    intercept: np.ndarray
    best_alphas: np.ndarray
    predictions: np.ndarray
    edges: np.ndarray
    warnings: tuple[str, ...] = ()


def fit_block(
    moments: BlockMoments,
    k: int,
    arrays: Mapping[str, Array],
    alphas: Sequence[float],
    options: RidgeOptions,
    first: int = 0,
) -> BlockFit:
    """Fit one outer fold for a block of targets.

    Parameters
    ----------
    moments : BlockMoments
        Of the block.
    k : int
        Outer fold.
    arrays : mapping of str to array
        Of ridge_blocks.prepare_fold; with "best_alpha" where one was chosen for all targets.
    alphas : sequence of float
    options : RidgeOptions
    first : int
        Number of the block's first target among all, for messages.

    Raises
    ------
    DataError
        Targets that are not finite, or constant.
    """
    fold, X = moments.rows.folds[k], moments.X
    problem, Y = moments.make_problem(k, arrays, options)
    n_targets = Y.shape[1]
    options = replace(options, block_targets=n_targets)
    edges = np.zeros(5)
    edges[4] = _check_targets(Y, fold, options, first)
    warnings: tuple[str, ...] = ()
    if not fold.splits:
        best = np.full(n_targets, float(alphas[0]))
    elif "best_alpha" in arrays:
        best = np.full(n_targets, float(np.asarray(arrays["best_alpha"])))
    else:
        grid, scores, importance = _score(problem, fold, X, Y, alphas, options, first)
        best = choose_alphas(grid, scores, importance, options)
        if options.alpha_per_target:
            edges[:4] = _count_edges(grid, scores)
        else:
            warnings = warn_edges(grid, scores, importance, options)
    weights, intercept = _solve(problem, best, options)
    predictions = predict_ridge(X[fold.test], weights, intercept)
    return BlockFit(weights, intercept, best, predictions, edges, warnings)


def choose_alpha_for_all(
    moments: BlockMoments,
    k: int,
    arrays: Mapping[str, Array],
    alphas: Sequence[float],
    options: RidgeOptions,
) -> tuple[float, tuple[str, ...]]:
    """Return the one alpha of a fold that is best for all targets, and warnings.

    Parameters
    ----------
    moments : BlockMoments
        Of all targets, which may be read as they are sliced.
    options : RidgeOptions
        ``block_targets`` is how many are read at a time.
    """
    fold, X = moments.rows.folds[k], moments.X
    problem, Y = moments.make_problem(k, arrays, options)
    grid, scores, importance = _score(problem, fold, X, Y, alphas, options, 0)
    best = choose_alphas(grid, scores, importance, options)
    return float(best[0]), warn_edges(grid, scores, importance, options)


def word_warnings(edges: Iterable[np.ndarray], n_targets: int) -> list[str]:
    """Return a sentence for each thing worth knowing of all blocks of a fold.

    Parameters
    ----------
    edges : iterable of array, shape (5,)
        Of each block (BlockFit).
    n_targets : int
        In all.
    """
    table = np.stack(list(edges))
    found = []
    if n_constant := int(table[:, 4].sum()):
        found.append(
            f"ridge: {n_constant} of {n_targets} targets are constant over training rows and "
            "predicted as that constant."
        )
    for at, word, pick in ((0, "smallest", np.min), (2, "largest", np.max)):
        some = table[:, at] > 0
        if some.any():
            found.append(
                f"ridge: the best alpha of {int(table[:, at].sum())} of {n_targets} targets is the "
                f"{word} of the grid, {pick(table[some, at + 1]):.3g}, and they still gain there. "
                "Widen alphas, or raise extend_alphas."
            )
    return found


def _score(
    problem: Problem,
    fold: FoldRows,
    X: np.ndarray,
    Y: np.ndarray,
    alphas: Sequence[float],
    options: RidgeOptions,
    first: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the grid, as far as it was grown, and each target's scores and importance."""
    grid = np.unique(np.asarray(alphas, np.float64))
    lenient = replace(options, constant_targets="predict")
    n_splits = len(fold.splits)
    scores, importance = score_grid(problem, n_splits, X, Y, grid, lenient)
    undefined = np.flatnonzero(np.isnan(scores).all(axis=0))
    if len(undefined) and options.constant_targets == "refuse":
        raise DataError(
            f"ridge: {len(undefined)} of {Y.shape[1]} targets never vary within held-out rows "
            f"(first: {(first + undefined[:5]).tolist()}), so that no alpha can be chosen for "
            "them. Allowed: targets that vary in at least one inner fold. Use fewer inner folds, "
            "drop those targets, or set constant_targets='predict'."
        )
    if options.alpha_per_target:
        grid, scores = _grow_grid(problem, n_splits, X, Y, grid, scores, lenient)
    else:
        grid, scores = extend_grid(problem, n_splits, X, Y, grid, scores, importance, lenient)
    return grid, scores, importance


def _grow_grid(
    problem: Problem,
    n_splits: int,
    X: np.ndarray,
    Y: np.ndarray,
    alphas: np.ndarray,
    scores: np.ndarray,
    options: RidgeOptions,
) -> tuple[np.ndarray, np.ndarray]:
    """Grow the grid by decades at an edge, for the targets that gain there."""
    for at_end in (False, True):
        for _ in range(options.extend_alphas):
            wants = _find_edge(scores, at_end)
            if not wants.any():
                break
            edge, before = (alphas[-1], alphas[-2]) if at_end else (alphas[0], alphas[1])
            n_steps = max(1, round(1 / abs(np.log10(edge / before))))
            steps = np.arange(1, n_steps + 1) / n_steps
            new = np.sort(edge * 10 ** (steps if at_end else -steps))
            found, _ = score_grid(problem, n_splits, X, Y, new, options)
            found[:, ~wants] = NOT_TRIED
            alphas = np.concatenate([alphas, new] if at_end else [new, alphas])
            scores = np.concatenate([scores, found] if at_end else [found, scores])
    return alphas, scores


def _find_edge(scores: np.ndarray, at_end: bool) -> np.ndarray:
    """Tell which targets have their best score on an edge, and gained by the step up to it."""
    edge, before = (scores[-1], scores[-2]) if at_end else (scores[0], scores[1])
    return (edge >= scores.max(axis=0)) & (edge - before > EDGE_GAIN)  # NaN where undefined: False


def _count_edges(alphas: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return how many targets still gain at the smallest and largest alpha, and these alphas."""
    low, high = (_find_edge(scores, at_end).sum() for at_end in (False, True))
    return np.array([low, alphas[0], high, alphas[-1]])


def _solve(
    problem: Problem, alphas: np.ndarray, options: RidgeOptions
) -> tuple[np.ndarray, np.ndarray]:
    block, mean = problem.solve(slice(0, len(alphas)), alphas)
    weights = block.astype(np.float32) if options.weights == "float32" else block
    if not options.fit_intercept:
        return weights, np.zeros(len(alphas))
    # From the weights as kept: a large mean would multiply what rounding took from them.
    intercept = np.empty(len(alphas))
    for columns in iterate_blocks(len(alphas), choose_block_rows(len(weights))):
        rounded = weights[:, columns].astype(np.float64)
        intercept[columns] = mean[columns] - problem.x_mean @ rounded
    return weights, intercept


def _check_targets(Y: np.ndarray, fold: FoldRows, options: RidgeOptions, first: int) -> int:
    """Raise DataError for targets that cannot be fitted; return how many are constant."""
    used = fold.used
    names = [str(first + i) for i in range(Y.shape[1])]
    for block in iterate_blocks(len(used), choose_block_rows(Y.shape[1])):
        check_finite(Y[used[block]], what="targets", where="ridge", columns=names)
    same = np.ones(Y.shape[1], bool)
    for block in iterate_blocks(len(fold.train), choose_block_rows(Y.shape[1])):
        same &= (Y[fold.train[block]] == Y[fold.train[0]]).all(axis=0)
    constant = np.flatnonzero(same)
    if len(constant) and options.constant_targets == "refuse":
        raise DataError(
            f"ridge: {len(constant)} of {Y.shape[1]} targets are constant over the "
            f"{len(fold.train)} training rows (first: {(first + constant[:5]).tolist()}). Allowed: "
            "targets that vary. Drop them first (preprocessing.select_voxels with by: variance "
            "and threshold: 1e-12, say), or set constant_targets='predict'."
        )
    return len(constant)
