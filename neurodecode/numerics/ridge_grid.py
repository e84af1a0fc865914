"""The grid of alphas: how it is scored, chosen from, and grown where the best lies on its edge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from neurodecode.core.errors import DataError
from neurodecode.numerics.moments import iterate_blocks
from neurodecode.numerics.ridge_basis import Scoring, score_alphas
from neurodecode.numerics.ridge_problem import Problem

Solver = Literal["auto", "primal", "kernel"]
DEFAULT_ALPHAS = tuple(float(f"{a:.4g}") for a in np.logspace(0, 7, 15))
TARGET_BYTES = 512 * 2**20
EDGE_GAIN = 1e-3  # a decade further that gains less than about this is not worth a warning


@dataclass(frozen=True)
class RidgeOptions:
    """How ridge is fitted.

    Parameters
    ----------
    scoring : {"r2", "correlation"}
        What the best alpha maximises on held-out rows.
    alpha_per_target : bool
        False takes the one alpha that is best for all targets together: by the R² of all of
        them, 1 - Σ errors² / Σ deviations² (targets weigh by their variance), or by their mean
        correlation.
    standardize : bool
        Divide each feature by its deviation over the training rows; features that are constant
        there get weight zero.
    fit_intercept : bool
    solver : {"auto", "primal", "kernel"}
        "auto" takes the kernel form when features outnumber training rows.
    extend_alphas : int
        Decades by which the grid may grow on either side.
    constant_targets : {"refuse", "predict"}
        Targets that are constant over training rows are refused, or predicted as that constant.
    weights : {"as_features", "float32"}
        Type of the weights kept; the intercept makes up for the rounding of them at the mean.
    block_rows, block_targets : int or None
        Rows and targets worked on at once; None bounds them by memory.
    """

    scoring: Scoring = "r2"
    alpha_per_target: bool = True
    standardize: bool = False
    fit_intercept: bool = True
    solver: Solver = "auto"
    extend_alphas: int = 0
    constant_targets: Literal["refuse", "predict"] = "refuse"
    weights: Literal["as_features", "float32"] = "as_features"
    block_rows: int | None = None
    block_targets: int | None = None


def iterate_targets(X: np.ndarray, Y: np.ndarray, options: RidgeOptions) -> list[slice]:
    """Return blocks of targets whose moments fit the working memory."""
    width = 8 * 8 * min(X.shape)  # moments of some five parts, and sums of them
    size = options.block_targets or max(64, TARGET_BYTES // max(1, width))
    return iterate_blocks(Y.shape[1], size)


def score_grid(
    problem: Problem,
    n_splits: int,
    X: np.ndarray,
    Y: np.ndarray,
    alphas: np.ndarray,
    options: RidgeOptions,
) -> tuple[np.ndarray, np.ndarray]:
    """Score alphas for all targets on all splits.

    Returns
    -------
    scores : array of float64, shape (n_alphas, n_targets)
        Mean over the splits where the target varies; NaN where it varies in none. For one alpha
        of all targets by R², each split weighs by the target's held-out squares.
    weights : array of float64, shape (n_targets,)
        What each target's score weighs among all.

    Raises
    ------
    DataError
        Such targets, unless the options say that constant ones are to be predicted.
    """
    mean = np.empty((len(alphas), Y.shape[1]))
    weights = np.empty(Y.shape[1])
    pooled = not options.alpha_per_target and options.scoring == "r2"
    for columns in iterate_targets(X, Y, options):
        total = np.zeros((len(alphas), columns.stop - columns.start))
        count = np.zeros(total.shape[1])
        for split in range(n_splits):
            train, test = problem.read_targets(split, columns)
            scores = score_alphas(problem.held_out[split], train, test, alphas, options.scoring)
            defined = np.isfinite(scores).all(axis=0)
            weight = np.where(defined, test.squares if pooled else 1.0, 0.0)
            total[:, defined] += scores[:, defined] * weight[defined]
            count += weight
        weights[columns] = count if pooled else 1.0
        mean[:, columns] = np.where(count > 0, total / np.where(count > 0, count, 1), np.nan)
    undefined = np.flatnonzero(np.isnan(mean).all(axis=0))
    if len(undefined) and options.constant_targets == "refuse":
        raise DataError(
            f"ridge: {len(undefined)} of {Y.shape[1]} targets never vary within held-out rows "
            f"(first: {undefined[:5].tolist()}), so that no alpha can be chosen for them. Allowed: "
            "targets that vary in at least one inner fold. Use fewer inner folds, drop those "
            "targets, or set constant_targets='predict'."
        )
    return mean, weights


def extend_grid(
    problem: Problem,
    n_splits: int,
    X: np.ndarray,
    Y: np.ndarray,
    alphas: np.ndarray,
    scores: np.ndarray,
    weights: np.ndarray,
    options: RidgeOptions,
) -> tuple[np.ndarray, np.ndarray]:
    """Grow the grid by decades at an edge for as long as targets gain there."""
    for at_end in (False, True):
        for _ in range(options.extend_alphas):
            if not _find_edge(scores, weights, at_end, options).any():
                break
            edge, before = (alphas[-1], alphas[-2]) if at_end else (alphas[0], alphas[1])
            n_steps = max(1, round(1 / abs(np.log10(edge / before))))
            direction = 1.0 if at_end else -1.0
            new = np.sort(edge * 10 ** (direction * np.arange(1, n_steps + 1) / n_steps))
            found, _ = score_grid(problem, n_splits, X, Y, new, options)
            alphas = np.concatenate([alphas, new] if at_end else [new, alphas])
            scores = np.concatenate([scores, found] if at_end else [found, scores])
    return alphas, scores


def _find_edge(
    scores: np.ndarray, weights: np.ndarray, at_end: bool, options: RidgeOptions
) -> np.ndarray:
    """Tell which targets have their best score on an edge, and gained by the step up to it."""
    if len(scores) < 2:
        return np.zeros(scores.shape[1], bool)
    if not options.alpha_per_target:
        scores = _average_targets(scores, weights)[:, None]
    edge, before = (scores[-1], scores[-2]) if at_end else (scores[0], scores[1])
    return (edge >= scores.max(axis=0)) & (edge - before > EDGE_GAIN)


def _average_targets(scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the score of each alpha over all targets that have one."""
    defined = ~np.isnan(scores).any(axis=0)
    return np.asarray(np.average(scores[:, defined], axis=1, weights=weights[defined]))


def warn_edges(
    alphas: np.ndarray, scores: np.ndarray, weights: np.ndarray, options: RidgeOptions
) -> tuple[str, ...]:
    """Return a sentence for each edge of the grid on which best alphas remain."""
    warnings = []
    for at_end, word in ((False, "smallest"), (True, "largest")):
        on_edge = _find_edge(scores, weights, at_end, options)
        if on_edge.any():
            edge = alphas[-1 if at_end else 0]
            warnings.append(
                f"ridge: the best alpha of {int(on_edge.sum())} of {len(on_edge)} targets is the "
                f"{word} of the grid, {edge:.3g}, and they still gain there. Widen alphas, or "
                "raise extend_alphas."
            )
    return tuple(warnings)


def choose_alphas(
    alphas: np.ndarray, scores: np.ndarray, weights: np.ndarray, options: RidgeOptions
) -> np.ndarray:
    """Return the best alpha of each target, shape (n_targets,); the smallest among equals."""
    undefined = np.isnan(scores).any(axis=0)
    if not options.alpha_per_target and not undefined.all():
        best = int(np.argmax(_average_targets(scores, weights)))
        return np.full(scores.shape[1], alphas[best])
    # A target that cannot be scored is one that hardly varies: shrink it to its mean.
    filled = np.where(undefined, 0.0, scores)
    return np.where(undefined, alphas[-1], alphas[np.argmax(filled, axis=0)])
