"""A bound on the score of every alpha, at the price of one of them.

What each alpha costs is the quadratic form s(α) = b_αᵀ G b_α of the held-out features
(ridge_basis.py). With the image G b of the weights b at one alpha, the form at all others is
bounded from below by the inequality of Cauchy and Schwarz,

    s(α) ≥ (b_αᵀ G b)² / (bᵀ G b),

which needs no further product with G. Less error bounds the score from above. Around the alpha
taken, weights are nearly parallel and the bound is tight; far from it the score is low anyway. So
a target's alpha with the best candidate so far tells of most other candidates that they cannot
win, and only the rest is computed as it should be. In float32: see banded_ridge_search.py for the
margin that rounding is given.
"""

from __future__ import annotations

import numpy as np

from neurodecode.numerics.moments import TargetMoments, find_constant, iterate_blocks
from neurodecode.numerics.ridge_basis import HeldOut, Scoring

SCREENED_TARGETS = 512  # at a time: their coordinates stay in the processor's cache
SINGLE = np.dtype(np.float32)


def bound_scores(
    held_out: HeldOut,
    turns: tuple[np.ndarray, np.ndarray],
    train: TargetMoments,
    test: TargetMoments,
    alphas: np.ndarray,
    nodes: np.ndarray,
    scoring: Scoring,
) -> np.ndarray:
    """Return an upper bound on the score of every alpha for every target.

    Parameters
    ----------
    held_out : HeldOut
    turns : (train, test), arrays of float64, shape (n_products, n_components)
        Turn products into coordinates.
    train, test : TargetMoments
        Of targets of unit length over the training rows; products in float32.
    alphas : array of float64, shape (n_alphas,)
    nodes : array of float64, shape (n_targets,)
        The alpha at which each target's score itself is computed.

    Returns
    -------
    bounds : array of float64, shape (n_alphas, n_targets)
        The score where the alpha is the target's node, and at most 1; NaN where the target is
        constant over the held-out rows.
    """
    turn_train, turn_test = (_round_turn(turn, held_out.unit) for turn in turns)
    values = held_out.values.astype(SINGLE)
    shrink = (1 / (held_out.values + alphas[:, None] / held_out.unit)).astype(SINGLE)
    shifted = shrink * held_out.offset.astype(SINGLE)
    triangle = held_out.triangle.astype(SINGLE)
    gram = (triangle + triangle.T) / 2
    undefined = find_constant(test.squares / held_out.n, test.mean, held_out.n)
    bounds = np.empty((len(alphas), len(train.mean)))
    for block in iterate_blocks(len(train.mean), SCREENED_TARGETS):
        total = np.where(undefined[block], np.nan, test.squares[block])
        q = train.products[block] @ turn_train
        c = test.products[block] @ turn_test
        c *= q
        cross = (shrink @ c.T).astype(np.float64)
        weights = values + (nodes[block, None] / held_out.unit).astype(SINGLE)
        np.divide(q, weights, out=weights)
        image = weights @ gram
        own = np.einsum("ij,ij->i", image, weights).astype(np.float64)
        image *= q
        across = (shrink @ image.T).astype(np.float64)
        square = across**2 / np.where(own > 0, own, np.inf)
        if scoring == "correlation":
            length = np.sqrt(square * total)
            known = np.isfinite(length)
            inside = np.minimum(np.maximum(cross, 0.0), length)
            bound = np.where(length > 0, inside / np.where(length > 0, length, 1.0), cross > 0)
            bounds[:, block] = np.where(known, bound, np.nan)
            continue
        shift = (test.mean - train.mean)[block] - (shifted @ q.T).astype(np.float64)
        bounds[:, block] = (2 * cross - square - held_out.n * shift**2) / total
    return bounds


def _round_turn(turn: np.ndarray, unit: float) -> np.ndarray:
    return np.asarray(turn / np.sqrt(unit), SINGLE)
