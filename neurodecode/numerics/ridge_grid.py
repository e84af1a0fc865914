"""The grid of alphas: how it is scored, chosen from, and grown where the best lies on its edge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from neurodecode.core.errors import DataError
from neurodecode.numerics.moments import iterate_blocks
from neurodecode.numerics.ridge_basis import Scoring
from neurodecode.numerics.ridge_problem import Problem

Solver = Literal["auto", "primal", "kernel"]
DEFAULT_ALPHAS = tuple(float(f"{a:.4g}") for a in np.logspace(0, 7, 15))
TARGET_BYTES = 512 * 2**20
EXACT_TARGETS = 2048  # taken again at once
SCORE_ERROR = 2e-5  # of any score
LOWEST = -1e300
LOSS = 5e-7  # of score, by taking another alpha than the best: half of what is promised
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
    backend : {"numpy", "torch"}
        What multiplies. Eigenbases, and what has to be taken in float64, are NumPy's either way.
    device : str
        Of torch: "cpu", "cuda", "mps", "auto".
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
    backend: Literal["numpy", "torch"] = "numpy"
    device: str = "cpu"
    block_rows: int | None = None
    block_targets: int | None = None


def iterate_targets(X: np.ndarray, Y: np.ndarray, options: RidgeOptions) -> list[slice]:
    """Return blocks of targets whose moments fit the working memory."""
    width = 8 * 8 * min(X.shape)  # moments of some five parts, and sums of them
    size = options.block_targets or max(64, TARGET_BYTES // max(1, width))
    return iterate_blocks(Y.shape[1], size)


@dataclass(frozen=True, eq=False)
class GridScores:
    """Scores of some targets on a grid of alphas.

    Parameters
    ----------
    alphas : array of float64, shape (n_alphas,)
        Ascending.
    scores : array of float64, shape (n_alphas, n_targets)
        Mean over the splits where the target varies; NaN where it varies in none, and for alphas
        by which the grid was extended for other targets.
    bounds : array of float64, shape (n_alphas, n_targets)
        Of the rounding errors of the scores.
    weights : array of float64, shape (n_targets,)
        What each target's score weighs among all.
    """

    alphas: np.ndarray
    scores: np.ndarray
    bounds: np.ndarray
    weights: np.ndarray

    def add(self, more: GridScores, at_end: bool) -> GridScores:
        """Return the grid with further alphas on one side."""
        first, second = (self, more) if at_end else (more, self)
        return GridScores(
            np.concatenate([first.alphas, second.alphas]),
            np.concatenate([first.scores, second.scores]),
            np.concatenate([first.bounds, second.bounds]),
            self.weights,
        )


def score_grid(
    problem: Problem,
    loaded: Any,
    n_targets: int,
    alphas: np.ndarray,
    options: RidgeOptions,
    exact: bool = False,
) -> GridScores:
    """Score alphas for some targets on all splits.

    For one alpha of all targets by R², each split weighs by the target's held-out squares.

    Parameters
    ----------
    loaded : what problem.load returned for the targets
    exact : bool
        Score in float64, whatever the features' type.
    """
    pooled = not options.alpha_per_target and options.scoring == "r2"
    count = np.zeros(n_targets)
    total, error = np.zeros((2, len(alphas), n_targets))
    for split in range(problem.n_splits):
        found, bound, squares = problem.score(split, loaded, alphas, options.scoring, exact)
        defined = np.isfinite(found).all(axis=0)
        weight = np.where(defined, squares if pooled else 1.0, 0.0)
        total += np.where(defined, found, 0.0) * weight
        error += np.where(defined, bound, 0.0) * weight
        count += weight
    some = np.where(count > 0, count, 1.0)
    scores = np.where(count > 0, total / some, np.nan)
    bounds = np.where(count > 0, error / some, np.nan)
    weights = count if pooled else np.ones(n_targets)
    return GridScores(alphas, scores, bounds, weights)


def join_grids(grids: Sequence[GridScores]) -> GridScores:
    """Return the scores of all targets together, on the grid that holds all their alphas."""
    alphas = np.unique(np.concatenate([grid.alphas for grid in grids]))
    weights = np.concatenate([grid.weights for grid in grids])
    scores, bounds = np.full((2, len(alphas), len(weights)), np.nan)
    start = 0
    for grid in grids:
        columns = slice(start, start := start + len(grid.weights))
        rows = np.searchsorted(alphas, grid.alphas)
        scores[rows, columns], bounds[rows, columns] = grid.scores, grid.bounds
    return GridScores(alphas, scores, bounds, weights)


def search_alphas(
    problem: Problem,
    columns: slice,
    alphas: np.ndarray,
    options: RidgeOptions,
) -> GridScores:
    """Score alphas for some targets, each on the grid as extended for it, and settle close calls.

    Where float32 cannot tell which alpha is best, the scores are taken again in float64.
    """
    n_targets = columns.stop - columns.start
    loaded = problem.load(columns)
    grid = score_grid(problem, loaded, n_targets, alphas, options)

    def score(new: np.ndarray, wanted: np.ndarray) -> GridScores:
        found = score_grid(problem, problem.take(loaded, wanted), len(wanted), new, options)
        scores, bounds = np.full((2, len(new), n_targets), np.nan)
        scores[:, wanted], bounds[:, wanted] = found.scores, found.bounds
        return GridScores(new, scores, bounds, grid.weights)

    grid = extend_grid(grid, score, options)
    unsettled = np.flatnonzero(find_unsettled(grid))
    for chosen in iterate_blocks(len(unsettled), EXACT_TARGETS):
        places = unsettled[chosen]
        again = problem.load_exact(columns, places)
        exact = score_grid(problem, again, len(places), grid.alphas, options, exact=True)
        scored = ~np.isnan(grid.scores[:, places])
        grid.scores[:, places] = np.where(scored, exact.scores, np.nan)
    return grid


def search_common_alpha(
    problem: Problem, blocks: Sequence[slice], alphas: np.ndarray, options: RidgeOptions
) -> GridScores:
    """Score alphas for all targets, on a grid that is extended for all of them together."""

    def score(new: np.ndarray, _: np.ndarray) -> GridScores:
        grids = [
            score_grid(problem, problem.load(block), block.stop - block.start, new, options)
            for block in blocks
        ]
        return join_grids(grids)

    grid = score(alphas, np.zeros(0, int))
    return extend_grid(grid, score, options)


def find_unsettled(grid: GridScores) -> np.ndarray:
    """Tell for which targets the alpha that seems best may not be, or a score may be far off."""
    scores = np.where(np.isnan(grid.scores), LOWEST, grid.scores)
    best = np.argmax(scores, axis=0)[None]
    may_lose = grid.bounds + np.take_along_axis(grid.bounds, best, axis=0)
    may_lose -= np.take_along_axis(scores, best, axis=0) - scores
    np.put_along_axis(may_lose, best, -np.inf, axis=0)
    return ((may_lose > LOSS) | (grid.bounds > SCORE_ERROR)).any(axis=0)


def extend_grid(
    grid: GridScores,
    score: Callable[[np.ndarray, np.ndarray], GridScores],
    options: RidgeOptions,
) -> GridScores:
    """Grow the grid by decades at an edge, for the targets that gain there, while they do.

    Parameters
    ----------
    score : callable
        Scores alphas for some targets (by their places); NaN for the others.
    """
    for at_end in (False, True):
        for _ in range(options.extend_alphas):
            gaining = _find_edge(grid.scores, grid.weights, at_end, options)
            if not gaining.any():
                break
            alphas = grid.alphas
            edge, before = (alphas[-1], alphas[-2]) if at_end else (alphas[0], alphas[1])
            n_steps = max(1, round(1 / abs(np.log10(edge / before))))
            direction = 1.0 if at_end else -1.0
            new = np.sort(edge * 10 ** (direction * np.arange(1, n_steps + 1) / n_steps))
            grid = grid.add(score(new, np.flatnonzero(gaining)), at_end)
    return grid


def refuse_undefined(scores: np.ndarray, options: RidgeOptions, first: int = 0) -> None:
    """Refuse targets that no split could score.

    Parameters
    ----------
    scores : array, shape (n_alphas, n_targets)
    first : int
        Number of the first target among all, for messages.

    Raises
    ------
    DataError
        Such targets, unless the options say that constant ones are to be predicted.
    """
    undefined = np.flatnonzero(np.isnan(scores).all(axis=0))
    if len(undefined) and options.constant_targets == "refuse":
        raise DataError(
            f"ridge: {len(undefined)} of {scores.shape[1]} targets never vary within held-out rows "
            f"(first: {(first + undefined[:5]).tolist()}), so that no alpha can be chosen for "
            "them. Allowed: targets that vary in at least one inner fold. Use fewer inner folds, "
            "drop those targets, or set constant_targets='predict'."
        )


def _find_edge(
    scores: np.ndarray, weights: np.ndarray, at_end: bool, options: RidgeOptions
) -> np.ndarray:
    """Tell which targets have their best score on an edge, and gained by the step up to it."""
    if len(scores) < 2:
        return np.zeros(scores.shape[1], bool)
    if not options.alpha_per_target:
        mean = _average_targets(scores, weights)[:, None]
        return np.repeat(_find_edge_of(mean, at_end), scores.shape[1])
    return _find_edge_of(scores, at_end)


def _find_edge_of(scores: np.ndarray, at_end: bool) -> np.ndarray:
    edge, before = (scores[-1], scores[-2]) if at_end else (scores[0], scores[1])
    best = np.where(np.isnan(scores), -np.inf, scores).max(axis=0)
    return (edge >= best) & (edge - before > EDGE_GAIN)


def _average_targets(scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the score of each alpha over all targets that have one."""
    defined = ~np.isnan(scores).any(axis=0)
    return np.asarray(np.average(scores[:, defined], axis=1, weights=weights[defined]))


def count_edges(grid: GridScores, options: RidgeOptions) -> np.ndarray:
    """Return how many targets still gain at the smallest and largest alpha, and these alphas.

    Returns
    -------
    edges : array of float64, shape (4,)
        Targets at the smallest, that alpha, targets at the largest, that alpha.
    """
    low, high = (
        _find_edge(grid.scores, grid.weights, at_end, options).sum() for at_end in (False, True)
    )
    return np.array([low, grid.alphas[0], high, grid.alphas[-1]])


def word_edges(edges: np.ndarray, n_targets: int) -> tuple[str, ...]:
    """Return a sentence for each edge of the grid on which best alphas remain.

    Parameters
    ----------
    edges : array, shape (n_blocks, 4)
        Of count_edges, of each block of targets.
    n_targets : int
        In all blocks.
    """
    warnings = []
    for at, word, pick in ((0, "smallest", np.min), (2, "largest", np.max)):
        some = edges[:, at] > 0
        if some.any():
            warnings.append(
                f"ridge: the best alpha of {int(edges[:, at].sum())} of {n_targets} targets is the "
                f"{word} of the grid, {pick(edges[some, at + 1]):.3g}, and they still gain there. "
                "Widen alphas, or raise extend_alphas."
            )
    return tuple(warnings)


def warn_edges(grid: GridScores, options: RidgeOptions) -> tuple[str, ...]:
    """Return a sentence for each edge of one grid on which best alphas remain."""
    return word_edges(count_edges(grid, options)[None], len(grid.weights))


def choose_alphas(grid: GridScores, otherwise: float, options: RidgeOptions) -> np.ndarray:
    """Return the best alpha of each target, shape (n_targets,); the smallest among equals.

    Parameters
    ----------
    otherwise : float
        For a target that cannot be scored. It hardly varies: a large one shrinks it to its mean.
    """
    alphas, scores, weights = grid.alphas, grid.scores, grid.weights
    undefined = np.isnan(scores).all(axis=0)
    if not options.alpha_per_target and not undefined.all():
        best = int(np.argmax(_average_targets(scores, weights)))
        return np.full(scores.shape[1], alphas[best])
    filled = np.where(np.isnan(scores), LOWEST, scores)
    return np.where(undefined, otherwise, alphas[np.argmax(filled, axis=0)])
