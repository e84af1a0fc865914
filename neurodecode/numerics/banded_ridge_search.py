"""The search over band weights: every candidate and alpha for every target, best so far kept.

Each candidate is first looked at in float32, where a bound on its score at any alpha costs little
(banded_ridge_screen.py). Only pairs of target and alpha whose bound exceeds the target's best so
far are scored, with products rotated in float64, and only these scores decide. The bound is given
a margin for rounding: eight times the largest difference from the score itself that has been seen
where the two should agree, which the first candidate shows for all targets. So the choice is that
of scoring everything, at a fraction of the price.

Splits are worked on side by side, on as many threads as BLAS may take, each with one thread of
BLAS: an eigendecomposition gains little from a second, and the bytes do not depend on how many
there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from neurodecode.core.device import limit_threads
from neurodecode.core.progress import track
from neurodecode.numerics.banded_ridge_problem import Basis, SearchProblem
from neurodecode.numerics.banded_ridge_screen import SINGLE, bound_scores
from neurodecode.numerics.moments import TargetMoments, iterate_blocks
from neurodecode.numerics.ridge_basis import Scoring, score_alphas
from neurodecode.numerics.ridge_grid import EDGE_GAIN

SEARCH_BYTES = 2**30  # products of one block of targets
MARGIN = 8.0


@dataclass(frozen=True, eq=False)
class Search:
    """What was found for each target.

    Parameters
    ----------
    scores : array of float64, shape (n_targets,)
        Best mean over the splits in which the target varies; NaN where it varies in none.
    candidate : array of int, shape (n_targets,)
        The first among equals.
    alphas : array of float64, shape (n_targets,)
    on_edge : array of int, shape (n_targets,)
        -1 or 1 where the best alpha is the smallest or largest tried and the target still gains
        there; else 0.
    """

    scores: np.ndarray
    candidate: np.ndarray
    alphas: np.ndarray
    on_edge: np.ndarray


def search_candidates(
    problem: SearchProblem,
    n_targets: int,
    candidates: np.ndarray,
    alphas: np.ndarray,
    *,
    scoring: Scoring,
    dtype: np.dtype,
    extend_alphas: int = 0,
    block_targets: int | None = None,
) -> Search:
    """Find the best candidate and alpha of each target.

    Parameters
    ----------
    candidates : array of float64, shape (n_candidates, n_bands)
    alphas : array of float64, shape (n_alphas,)
        Ascending.
    dtype : dtype
        float32 or float64: of the sums that decide.
    extend_alphas : int
        Decades that targets whose best alpha lies on the edge may go further, with their best
        candidate.
    """
    per_target = 24 * problem.n_splits * problem.n_products
    size = block_targets or max(64, SEARCH_BYTES // max(1, per_target))
    n_threads = min(_count_threads(), problem.n_splits)
    with limit_threads(1), ThreadPoolExecutor(n_threads) as pool:
        found = [
            _search_block(problem, columns, candidates, alphas, scoring, dtype, extend_alphas, pool)
            for columns in iterate_blocks(n_targets, size)
        ]
    return Search(
        *(np.concatenate([getattr(f, name) for f in found], axis=-1) for name in vars(found[0]))
    )


def _search_block(
    problem: SearchProblem,
    columns: slice,
    candidates: np.ndarray,
    alphas: np.ndarray,
    scoring: Scoring,
    dtype: np.dtype,
    extend_alphas: int,
    pool: Executor,
) -> Search:
    sources = [problem.read_targets(split, columns) for split in range(problem.n_splits)]
    rounded = [_round(*pair) for pair in sources]
    n = columns.stop - columns.start
    best = Search(
        np.full(n, -np.inf), np.zeros(n, np.int64), np.full(n, alphas[-1]), np.zeros(n, np.int64)
    )
    margin = 0.0
    for m, weights in enumerate(track(candidates, "banded ridge")):
        make = partial(problem.make_basis, weights=weights, dtype=dtype)
        bases = list(pool.map(make, range(problem.n_splits)))
        if m == 0:
            possible = np.ones((len(alphas), n), bool)
        else:
            bounds = _bound(bases, rounded, alphas, best.alphas, scoring, pool)
            possible = bounds > best.scores - margin
        hopeful = np.flatnonzero(possible.any(axis=0))
        scores = _score(bases, sources, alphas, scoring, hopeful, possible[:, hopeful])
        nodes = best.alphas[hopeful]
        gained = hopeful[_keep_better(best, hopeful, scores, alphas, m)]
        _find_edges(best, bases, sources, alphas, scoring, gained)
        if m == 0:
            nodes = best.alphas[hopeful]
            bounds = _bound(bases, rounded, alphas, best.alphas, scoring, pool)
        seen = (alphas[:, None] == nodes) & np.isfinite(scores)
        difference = np.abs(bounds[:, hopeful][seen] - scores[seen])
        margin = max(margin, MARGIN * difference.max(initial=0.0))
    if extend_alphas and len(alphas) > 1:
        _extend(problem, best, sources, candidates, alphas, scoring, dtype, extend_alphas)
    best.scores[np.isneginf(best.scores)] = np.nan
    return best


def _round(train: TargetMoments, test: TargetMoments) -> tuple[TargetMoments, TargetMoments]:
    """Return moments of targets scaled to unit length in training, with products in float32."""
    length = np.sqrt(np.where(train.squares > 0, train.squares, 1.0))
    scaled = [
        TargetMoments(
            part.mean / length,
            part.squares / length**2,
            (part.products / length[:, None]).astype(SINGLE),
        )
        for part in (train, test)
    ]
    return scaled[0], scaled[1]


def _bound(
    bases: Sequence[Basis],
    rounded: Sequence[tuple[TargetMoments, TargetMoments]],
    alphas: np.ndarray,
    nodes: np.ndarray,
    scoring: Scoring,
    pool: Executor,
) -> np.ndarray:
    """Return bounds on mean scores over splits, (n_alphas, n_targets)."""

    def bound_split(basis: Basis, pair: tuple[TargetMoments, TargetMoments]) -> np.ndarray:
        turns = (basis.train, basis.test)
        return bound_scores(basis.held_out, turns, *pair, alphas, nodes, scoring)

    return _average(pool.map(bound_split, bases, rounded))


def _score(
    bases: Sequence[Basis],
    sources: Sequence[tuple[TargetMoments, TargetMoments]],
    alphas: np.ndarray,
    scoring: Scoring,
    targets: np.ndarray,
    wanted: np.ndarray | None = None,
) -> np.ndarray:
    """Return mean scores over splits, (n_alphas, n_targets); -inf where not wanted or defined.

    Parameters
    ----------
    wanted : array of bool or None, shape (n_alphas, n_targets)
        None scores every alpha.
    """

    def score_split(basis: Basis, pair: tuple[TargetMoments, TargetMoments]) -> np.ndarray:
        train, test = (
            TargetMoments(m.mean[targets], m.squares[targets], m.products[targets] @ turn)
            for m, turn in zip(pair, (basis.train, basis.test), strict=True)
        )
        if wanted is None or wanted.all():
            return score_alphas(basis.held_out, train, test, alphas, scoring)
        scores = np.full(wanted.shape, np.nan)
        for a, row in enumerate(wanted):
            at = np.flatnonzero(row)
            if not len(at):
                continue
            some = [TargetMoments(m.mean[at], m.squares[at], m.products[at]) for m in (train, test)]
            one = alphas[a : a + 1]
            scores[a, at] = score_alphas(basis.held_out, some[0], some[1], one, scoring)[0]
        return scores

    return _average(score_split(*each) for each in zip(bases, sources, strict=True))


def _count_threads() -> int:
    from threadpoolctl import threadpool_info

    return max((p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"), default=1)


def _average(per_split: Iterable[np.ndarray]) -> np.ndarray:
    """Return the mean over the splits where it is defined; -inf where it is in none."""
    total, count = np.zeros((2, 1, 1))
    for scores in per_split:
        defined = np.isfinite(scores)
        total = total + np.where(defined, scores, 0.0)
        count = count + defined
    return np.where(count > 0, total / np.maximum(count, 1), -np.inf)


def _keep_better(
    best: Search, targets: np.ndarray, scores: np.ndarray, alphas: np.ndarray, candidate: int
) -> np.ndarray:
    """Write what is better into the best so far, in place; return which targets gained."""
    at = scores.argmax(axis=0)
    top = scores[at, np.arange(len(targets))]
    better = top > best.scores[targets]
    rows = targets[better]
    best.scores[rows] = top[better]
    best.candidate[rows] = candidate
    best.alphas[rows] = alphas[at[better]]
    best.on_edge[rows] = 0
    return better


def _find_edges(
    best: Search,
    bases: Sequence[Basis],
    sources: Sequence[tuple[TargetMoments, TargetMoments]],
    alphas: np.ndarray,
    scoring: Scoring,
    targets: np.ndarray,
) -> None:
    """Note which targets have their best on an edge, and gained by the step up to it."""
    if len(alphas) < 2:
        return
    for side, edge, before in ((-1, alphas[0], alphas[1]), (1, alphas[-1], alphas[-2])):
        there = targets[best.alphas[targets] == edge]
        if len(there):
            inner = _score(bases, sources, np.array([before]), scoring, there)[0]
            best.on_edge[there[best.scores[there] - inner > EDGE_GAIN]] = side


def _extend(
    problem: SearchProblem,
    best: Search,
    sources: Sequence[tuple[TargetMoments, TargetMoments]],
    candidates: np.ndarray,
    alphas: np.ndarray,
    scoring: Scoring,
    dtype: np.dtype,
    n_decades: int,
) -> None:
    """Grow the grid by decades for targets that gain on its edge, in place."""
    for m in np.unique(best.candidate[best.on_edge != 0]):
        bases = [problem.make_basis(s, candidates[m], dtype) for s in range(problem.n_splits)]
        for side in (-1, 1):
            targets = np.flatnonzero((best.candidate == m) & (best.on_edge == side))
            edge, before = (alphas[0], alphas[1]) if side < 0 else (alphas[-1], alphas[-2])
            n_steps = max(1, round(1 / abs(np.log10(edge / before))))
            for _ in range(n_decades):
                if not len(targets):
                    break
                steps = edge * 10 ** (side * np.arange(n_steps + 1) / n_steps)
                scores = _score(bases, sources, steps, scoring, targets)
                best.on_edge[targets] = 0
                gained = _keep_better(best, targets, scores[1:], steps[1:], int(m))
                gained &= best.alphas[targets] == steps[-1]
                targets, edge = targets[gained & (scores[-1] - scores[-2] > EDGE_GAIN)], steps[-1]
                best.on_edge[targets] = side
