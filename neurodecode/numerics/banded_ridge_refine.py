"""Band weights moved along the gradient of the cross-validated score, for each target by itself.

With H = Λ + Vᵀ diag(ρ) V in the eigenbasis V of the target's best candidate γ, ρ_b = γ_b / δ_b for
the features of band b, the weights are b = H⁻¹ q (the notation of ridge_basis.py). The score s of
held-out rows is a function of b, and its gradient by θ_b = log δ_b is, by the implicit function
theorem (Bengio 2000, Neural Computation 12, 1889; Dupré la Tour et al. 2022, section 2.3.4),

    ds/dθ_b = ρ_b (V_b a)ᵀ (V_b b),      H a = ds/db.

Both systems are solved by conjugate gradients for all targets of a candidate at once. At the
candidate itself ρ is one number and H is diagonal, so that Λ + mean(ρ) is a good preconditioner
for as long as band weights have not moved by orders of magnitude. A step is kept where it gains
more than the solver's tolerance; otherwise it is halved. So no target's score can fall.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neurodecode.core.progress import track
from neurodecode.numerics.banded_ridge_problem import PrimalBands
from neurodecode.numerics.banded_ridge_search import Search
from neurodecode.numerics.moments import TargetMoments, find_constant, iterate_blocks
from neurodecode.numerics.ridge_basis import Scoring

LEAST_GAIN = 1e-5  # of a step that is kept; well above what the tolerance leaves open
TOLERANCE = 1e-6
FIRST_STEP = 1.0  # in log units, for the band with the steepest slope
N_ITERATIONS = 200
BLOCK_BYTES = 2**28


@dataclass(frozen=True, eq=False)
class Split:
    """One split in the eigenbasis of a candidate, and some targets in it."""

    values: np.ndarray  # (p,)
    vectors: np.ndarray  # (n_used_features, p)
    gram: np.ndarray  # (p, p), of held-out features
    offset: np.ndarray  # (p,)
    n: int
    q: np.ndarray  # (n_targets, p)
    c: np.ndarray  # (n_targets, p)
    total: np.ndarray  # (n_targets,)
    shift: np.ndarray  # (n_targets,)
    defined: np.ndarray  # (n_targets,)


def refine_deltas(
    problem: PrimalBands,
    search: Search,
    candidates: np.ndarray,
    deltas: np.ndarray,
    n_steps: int,
    scoring: Scoring,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Move each target's log band weights uphill from its best candidate.

    Targets whose score is zero or less stay: what predicts nothing has no weights to find. A band
    to which the candidate gives no weight stays out.

    Parameters
    ----------
    problem : PrimalBands
    search : Search
    candidates : array, shape (n_candidates, n_bands)
    deltas : array, shape (n_bands, n_targets)
        log(γ / α) of the best candidates.
    n_steps : int

    Returns
    -------
    deltas : array, shape (n_bands, n_targets)
    scores : array, shape (n_targets,)
        None lower than the search's.
    refined : array of bool, shape (n_targets,)
    """
    deltas, scores = deltas.copy(), search.scores.copy()
    refined = np.zeros(len(scores), bool)
    hopeful = np.nan_to_num(scores, nan=-1.0) > 0
    size = max(1, BLOCK_BYTES // (8 * 8 * problem.n_products * problem.n_splits))
    for columns in track(iterate_blocks(len(scores), size), "banded ridge: refinement"):
        sources = [problem.read_targets(number, columns) for number in range(problem.n_splits)]
        for m in np.unique(search.candidate[columns][hopeful[columns]]):
            used = np.flatnonzero(candidates[m])
            if len(used) < 2:  # of one band only alpha is left, which the grid has seen to
                continue
            inside = np.flatnonzero(hopeful[columns] & (search.candidate[columns] == m))
            targets = columns.start + inside
            theta, gain = _climb(
                list_splits(problem, candidates[m], sources, inside), candidates[m][used],
                problem.sizes[used], deltas[np.ix_(used, targets)].T, n_steps, scoring,
            )  # fmt: skip
            better = targets[gain > 0]
            refined[better] = True
            deltas[np.ix_(used, better)] = theta[gain > 0].T
            scores[targets] += gain
    return deltas, scores, refined


def list_splits(
    problem: PrimalBands,
    weights: np.ndarray,
    sources: Sequence[tuple[TargetMoments, TargetMoments]],
    inside: np.ndarray,
) -> list[Split]:
    """Return every split in the eigenbasis of band weights, for some of the targets read.

    Parameters
    ----------
    weights : array, shape (n_bands,)
    sources : sequence of (training, held-out) moments of targets
    inside : array of int
        Which of them.
    """
    splits = []
    for number, (train, test) in enumerate(sources):
        basis = problem.make_basis(number, weights, np.dtype(np.float64))
        held_out = basis.held_out
        unit = held_out.unit
        length = np.sqrt(np.where(train.squares > 0, train.squares, 1.0))[inside]
        turned = [m.products[inside] @ basis.train / length[:, None] for m in (train, test)]
        rows = np.linalg.norm(basis.train, axis=1)  # of an orthogonal matrix, times sqrt(γ)
        kept = rows > 0
        triangle = held_out.triangle
        splits.append(
            Split(
                held_out.values * unit, basis.train[kept] / rows[kept, None],
                (triangle + triangle.T) * (unit / 2), held_out.offset * np.sqrt(unit), held_out.n,
                turned[0], turned[1], (test.squares[inside] / length**2),
                (test.mean - train.mean)[inside] / length,
                ~find_constant(test.squares / held_out.n, test.mean, held_out.n)[inside],
            )
        )  # fmt: skip
    return splits


def _climb(
    splits: Sequence[Split],
    weights: np.ndarray,
    sizes: np.ndarray,
    theta: np.ndarray,
    n_steps: int,
    scoring: Scoring,
) -> tuple[np.ndarray, np.ndarray]:
    """Return log band weights (n_targets, n_bands) and what they gained (n_targets,)."""
    score, slope = evaluate_deltas(splits, weights, sizes, theta, scoring)
    first, step = score.copy(), np.full(len(score), FIRST_STEP)
    for _ in range(n_steps):
        steepest = np.abs(slope).max(axis=1)
        moved = theta + (step / np.where(steepest > 0, steepest, 1.0))[:, None] * slope
        new, new_slope = evaluate_deltas(splits, weights, sizes, moved, scoring)
        better = new > score + LEAST_GAIN
        theta, slope = (
            np.where(better[:, None], a, b) for a, b in ((moved, theta), (new_slope, slope))
        )
        score = np.where(better, new, score)
        step = np.where(better, step * 1.3, step / 2.5)
    return theta, score - first


def evaluate_deltas(
    splits: Sequence[Split],
    weights: np.ndarray,
    sizes: np.ndarray,
    theta: np.ndarray,
    scoring: Scoring,
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean scores over splits (n_targets,), and their gradient (n_targets, n_bands)."""
    score, slope = np.zeros(len(theta)), np.zeros_like(theta)
    count = np.zeros(len(theta))
    edges = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    rho = weights * np.exp(-theta)
    spread = np.repeat(rho, sizes, axis=1)
    for split in splits:
        b = solve_systems(split.values, split.vectors, spread, split.q)
        value, by_weights = _score_weights(split, b, scoring)
        a = solve_systems(split.values, split.vectors, spread, by_weights)
        both = (a @ split.vectors.T) * (b @ split.vectors.T)
        by_band = rho * np.add.reduceat(both, edges, axis=1)
        score += np.where(split.defined, value, 0.0)
        slope += np.where(split.defined[:, None], by_band, 0.0)
        count += split.defined
    return score / count, slope / count[:, None]


def _score_weights(split: Split, b: np.ndarray, scoring: Scoring) -> tuple[np.ndarray, np.ndarray]:
    """Return the score of weights and its gradient by them."""
    image, total = b @ split.gram, np.where(split.defined, split.total, 1.0)
    cross, square = (np.einsum("ij,ij->i", b, other) for other in (split.c, image))
    if scoring == "correlation":
        length = np.sqrt(np.maximum(square, 1e-300) * total)
        return cross / length, split.c / length[:, None] - image * (
            cross / (length * np.maximum(square, 1e-300))
        )[:, None]
    shift = split.shift - b @ split.offset
    value = (2 * cross - square - split.n * shift**2) / total
    by_weights = split.c - image + split.n * shift[:, None] * split.offset
    return value, by_weights * (2 / total)[:, None]


def solve_systems(
    values: np.ndarray, vectors: np.ndarray, spread: np.ndarray, right: np.ndarray
) -> np.ndarray:
    """Solve (diag(values) + Vᵀ diag(spread_t) V) x_t = right_t for all targets t together.

    Parameters
    ----------
    values : array, shape (n_components,)
    vectors : array, shape (n_features, n_components)
        Orthogonal.
    spread : array, shape (n_targets, n_features)
    right : array, shape (n_targets, n_components)

    Returns
    -------
    x : array, shape (n_targets, n_components)
        The residual's norm is below 1e-6 of the right side's, by the preconditioner's measure.
    """
    shrink = 1 / (values + spread.mean(axis=1, keepdims=True))
    x = right * shrink
    residual = right - _multiply(values, vectors, spread, x)
    z = residual * shrink
    direction = z.copy()
    energy = np.einsum("ij,ij->i", residual, z)
    enough = TOLERANCE**2 * np.einsum("ij,ij->i", right, right * shrink)
    for _ in range(N_ITERATIONS):
        if (energy <= enough).all():
            break
        image = _multiply(values, vectors, spread, direction)
        curvature = np.einsum("ij,ij->i", direction, image)
        length = np.where(curvature > 0, energy / np.where(curvature > 0, curvature, 1.0), 0.0)
        x += length[:, None] * direction
        residual -= length[:, None] * image
        z = residual * shrink
        before, energy = energy, np.einsum("ij,ij->i", residual, z)
        ratio = np.where(before > 0, energy / np.where(before > 0, before, 1.0), 0.0)
        direction = z + ratio[:, None] * direction
    return x


def _multiply(
    values: np.ndarray, vectors: np.ndarray, spread: np.ndarray, x: np.ndarray
) -> np.ndarray:
    return x * values + ((x @ vectors.T) * spread) @ vectors
