"""One block of targets of a voxelwise ridge: alphas chosen, weights solved, test rows predicted.

What a target gets does not depend on the others of its block, but for the last digits: the grid of
alphas grows for those targets alone that gain at its edge.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from neurodecode.core.artifacts import Array
from neurodecode.numerics.ridge import predict_ridge
from neurodecode.numerics.ridge_blocks import BlockMoments
from neurodecode.numerics.ridge_checks import check_targets, word_constant
from neurodecode.numerics.ridge_grid import (
    RidgeOptions,
    choose_alphas,
    count_edges,
    iterate_targets,
    refuse_undefined,
    search_alphas,
    search_common_alpha,
    warn_edges,
    word_edges,
)
from neurodecode.numerics.ridge_prepared import make_weights, place, solve_targets


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
    made, Y = moments.make_problem(k, arrays, options)
    problem = place(made, X, options)
    whole = slice(0, Y.shape[1])
    options = replace(options, block_targets=Y.shape[1])
    edges = np.zeros(5)
    edges[4] = check_targets(Y, fold.train, fold.used, options, first)
    warnings: tuple[str, ...] = ()
    if not fold.splits:
        best = np.full(Y.shape[1], float(alphas[0]))
    elif "best_alpha" in arrays:
        best = np.full(Y.shape[1], float(np.asarray(arrays["best_alpha"])))
    else:
        offered = np.unique(np.asarray(alphas, np.float64))
        if options.alpha_per_target:
            grid = search_alphas(problem, whole, offered, options)
        else:
            grid = search_common_alpha(problem, [whole], offered, options)
        refuse_undefined(grid.scores, options, first)
        best = choose_alphas(grid, offered[-1], options)
        if options.alpha_per_target:
            edges[:4] = count_edges(grid, options)
        else:
            warnings = warn_edges(grid, options)
    weights, intercept = make_weights(X, Y, options)
    solve_targets(problem, whole, best, weights, intercept, options)
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
    made, Y = moments.make_problem(k, arrays, options)
    problem = place(made, moments.X, options)
    offered = np.unique(np.asarray(alphas, np.float64))
    grid = search_common_alpha(problem, iterate_targets(moments.X, Y, options), offered, options)
    refuse_undefined(grid.scores, options)
    return float(choose_alphas(grid, offered[-1], options)[0]), warn_edges(grid, options)


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
    constant = word_constant(int(table[:, 4].sum()), n_targets)
    return [*constant, *word_edges(table[:, :4], n_targets)]
