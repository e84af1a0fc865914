import numpy as np
import pytest
from scipy.spatial.distance import cdist

from neurodecode.numerics.identification import (
    Ranks,
    compute_similarity,
    rank_targets,
    score_n_way,
    score_pairwise,
    score_top_k,
)


def rank_all(similarity):
    n = len(similarity)
    return rank_targets(similarity, np.arange(n), ~np.eye(n, dtype=bool))


@pytest.mark.parametrize("kind", ["correlation", "cosine", "euclid"])
def test_similarity_orders_as_scipy(kind):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(6, 9)), rng.normal(3, 1, size=(8, 9))
    distance = cdist(x, y, "euclidean" if kind == "euclid" else kind)
    found = compute_similarity(x, y, kind)
    if kind == "euclid":
        np.testing.assert_allclose(-found * distance.max(), distance, atol=1e-9)
    else:
        np.testing.assert_allclose(1 - found, distance, atol=1e-12)


def test_published_two_way_code_gives_the_same_with_strict_ties():
    rng = np.random.default_rng(1)
    reals = rng.normal(size=(50, 30))
    predictions = 0.3 * reals + rng.normal(size=(50, 30))
    n = len(reals)
    r = np.corrcoef(reals, predictions)[:n, n:]
    success = r < np.diag(r)
    published = success.sum(0) / (n - 1)
    ranks = rank_all(compute_similarity(predictions, reals))
    np.testing.assert_allclose(score_pairwise(ranks, "strict"), published, atol=1e-12)


def test_ties_count_half_or_nothing():
    similarity = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0], [1.0, 2.0, 1.0]])
    ranks = rank_all(similarity)
    np.testing.assert_allclose(score_pairwise(ranks), [0.75, 0.5, 0.25])
    np.testing.assert_allclose(score_pairwise(ranks, "strict"), [0.5, 0, 0])
    np.testing.assert_allclose(score_top_k(ranks, 1), [0.5, 1 / 3, 0])
    np.testing.assert_allclose(score_top_k(ranks, 1, "strict"), [0, 0, 0])


def test_equal_predictions_tie_whatever_the_rounding():
    rng = np.random.default_rng(2)
    same = np.tile(rng.normal(size=(1, 501)), (37, 1))
    ranks = rank_all(compute_similarity(rng.normal(size=(37, 501)), same))
    np.testing.assert_allclose(score_pairwise(ranks), 0.5)


def test_rounding_breaks_no_ties():
    similarity = 0.5 + 1e-14 * np.random.default_rng(4).normal(size=(6, 6))
    np.testing.assert_allclose(score_pairwise(rank_all(similarity)), 0.5)


def test_constant_rows_tie_with_all():
    rng = np.random.default_rng(3)
    ranks = rank_all(compute_similarity(np.full((5, 8), 0.1), rng.normal(size=(5, 8))))
    np.testing.assert_allclose(score_pairwise(ranks), 0.5)


@pytest.mark.parametrize("n_way", [2, 5, 10])
@pytest.mark.parametrize("ties", ["half", "strict"])
def test_n_way_expectation_equals_random_draws(n_way, ties):
    rng = np.random.default_rng(n_way)
    similarity = rng.integers(0, 12, size=(4, 40)).astype(float)
    similarity[:, 0] = [11, 10, 8, 5]
    allowed = np.ones((4, 40), bool)
    allowed[:, 0] = False
    ranks = rank_targets(similarity, np.zeros(4, int), allowed)
    exact = score_n_way(ranks, n_way, ties)
    wins = np.zeros(4)
    n_draws = 4000
    for _ in range(n_draws):
        drawn = similarity[:, rng.choice(np.arange(1, 40), n_way - 1, replace=False)]
        better = (drawn > similarity[:, :1]).any(axis=1)
        tied = (drawn == similarity[:, :1]).sum(axis=1)
        wins += np.where(better, 0, (tied == 0) if ties == "strict" else 1 / (1 + tied))
    np.testing.assert_allclose(exact, wins / n_draws, atol=0.03)


def test_n_way_at_its_ends():
    ranks = Ranks(np.array([0, 3]), np.array([0, 0]), np.array([9, 9]))
    np.testing.assert_allclose(score_n_way(ranks, 10), [1, 0])
    assert np.isnan(score_n_way(ranks, 11)).all()
    np.testing.assert_allclose(score_n_way(ranks, 2), score_pairwise(ranks))
