"""Which of the candidates is it? Ranks of the true one, and what follows from them.

Pairwise and n-way accuracies are exact expectations over all draws of distractors (hypergeometric),
not estimates from random draws: with D distractors of which b are more similar than the target,
the target wins against k of them, drawn without replacement, with probability
C(D - b, k) / C(D, k). Pairwise identification is k = 1.

Ties: "half" puts the target at a random place among those it ties with, so that a tie counts
one half in a pair; "strict" counts a tie as a failure. Published code does the latter:
``r = np.corrcoef(reals, predictions)[:N, N:]; success = r < np.diag(r); success.sum(0).mean() /
(N - 1)`` (Ozcelik and VanRullen 2023, Scotti et al. 2023 and 2024).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Similarity = Literal["correlation", "cosine", "euclid"]
Ties = Literal["half", "strict"]

# Similarities of equal rows differ by rounding, as matrix products group their sums differently.
TIE_TOLERANCE = 1e-10


def compute_similarity(
    first: np.ndarray, second: np.ndarray, kind: Similarity = "correlation"
) -> np.ndarray:
    """Similarity of all rows of one array with all rows of the other; higher is more alike.

    A row without variation (correlation) or length (cosine) resembles every other equally: its
    similarities are zero, and ties.

    Parameters
    ----------
    first : array, shape (n_first, n_features)
    second : array, shape (n_second, n_features)
    kind : {"correlation", "cosine", "euclid"}
        "euclid" gives the negative distance.

    Returns
    -------
    similarity : array of float64, shape (n_first, n_second)
    """
    x, y = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if kind == "euclid":
        # About the common mean, so that the expansion of the square loses little.
        centre = y.mean(axis=0)
        x, y = x - centre, y - centre
        squares = (x**2).sum(1)[:, None] + (y**2).sum(1)[None] - 2 * x @ y.T
        distance = np.sqrt(np.maximum(squares, 0))
        return -distance / max(float(distance.max()), np.finfo(np.float64).tiny)
    return _unit_rows(x, kind) @ _unit_rows(y, kind).T


def _unit_rows(rows: np.ndarray, kind: Similarity) -> np.ndarray:
    if kind == "correlation":
        flat = np.ptp(rows, axis=1) == 0
        rows = rows - rows.mean(axis=1, keepdims=True)
        rows[flat] = 0
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(length > 0, length, 1)


@dataclass(frozen=True)
class Ranks:
    """Place of each target among its distractors.

    Parameters
    ----------
    n_better, n_tied, n_distractors : arrays of int, shape (n_rows,)
    """

    n_better: np.ndarray
    n_tied: np.ndarray
    n_distractors: np.ndarray


def rank_targets(similarity: np.ndarray, targets: np.ndarray, allowed: np.ndarray) -> Ranks:
    """Count the distractors that are more similar than the target, and those that tie.

    Parameters
    ----------
    similarity : array, shape (n_rows, n_candidates)
    targets : array of int, shape (n_rows,)
        Column of each row's true candidate.
    allowed : array of bool, shape (n_rows, n_candidates)
        Which candidates are distractors of each row; never the target or its duplicates.
    """
    true = similarity[np.arange(len(targets)), targets][:, None]
    better = (similarity > true + TIE_TOLERANCE) & allowed
    tied = (np.abs(similarity - true) <= TIE_TOLERANCE) & allowed
    return Ranks(better.sum(1), tied.sum(1), allowed.sum(1))


def score_pairwise(ranks: Ranks, ties: Ties = "half") -> np.ndarray:
    """Share of distractors that the target beats; NaN without distractors. Chance 1/2."""
    return score_n_way(ranks, 2, ties)


def score_n_way(ranks: Ranks, n_way: int, ties: Ties = "half") -> np.ndarray:
    """Probability that the target comes first among itself and n_way - 1 random distractors.

    Returns
    -------
    accuracy : array, shape (n_rows,)
        NaN where there are fewer than n_way - 1 distractors. Chance 1 / n_way.
    """
    n_drawn = n_way - 1
    if ties == "strict":
        return _share_of_draws(ranks.n_distractors, ranks.n_better + ranks.n_tied, n_drawn)
    # With ties in random order, the target stands behind 0, 1, ... n_tied of them alike.
    total = np.zeros(len(ranks.n_better))
    most = int(ranks.n_tied.max(initial=0))
    for behind in range(most + 1):
        counts = behind <= ranks.n_tied
        share = _share_of_draws(ranks.n_distractors, ranks.n_better + behind, n_drawn)
        total = total + np.where(counts, share, 0)
    return total / (ranks.n_tied + 1)


def _share_of_draws(n_all: np.ndarray, n_bad: np.ndarray, n_drawn: int) -> np.ndarray:
    """Return C(all - bad, drawn) / C(all, drawn), the share of draws without a bad one."""
    share = np.ones(len(n_all))
    for i in range(n_drawn):
        share = share * np.maximum(n_all - n_bad - i, 0) / np.maximum(n_all - i, 1)
    return np.where(n_all >= n_drawn, share, np.nan)


def score_top_k(ranks: Ranks, k: int, ties: Ties = "half") -> np.ndarray:
    """Probability that the target is among the k most similar of all candidates.

    Returns
    -------
    accuracy : array, shape (n_rows,)
        Chance k / (n_distractors + 1), and NaN where there are no distractors.
    """
    if ties == "strict":
        found = (ranks.n_better + ranks.n_tied < k).astype(np.float64)
    else:
        found = np.clip(k - ranks.n_better, 0, ranks.n_tied + 1) / (ranks.n_tied + 1)
    return np.where(ranks.n_distractors > 0, found, np.nan)
