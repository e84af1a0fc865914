import numpy as np
import pytest
from scipy import stats

from neurodecode.core.errors import DataError, UserError
from neurodecode.evaluation.identification import Identification
from tests.evaluation.evaluation_data import (
    make_features,
    make_predictions,
    make_random_images,
    make_reconstructions,
    make_stimuli,
)


def find(scores, name, column="value"):
    return scores.summary[column][scores.summary["name"].tolist().index(name)]


def plant(n=40, d=25, noise=1.0, seed=0):
    rng = np.random.default_rng(seed)
    true = rng.normal(size=(n, d))
    return true, true + noise * rng.normal(size=(n, d))


def test_equals_brute_force_in_both_directions():
    true, decoded = plant(n=15, noise=2.0)
    scores = Identification(n_way=(5,)).run(make_predictions(decoded), make_features(true))
    forward, backward = np.zeros(15), np.zeros(15)
    for i in range(15):
        for j in set(range(15)) - {i}:
            r = [stats.pearsonr(decoded[i], true[k]).statistic for k in (i, j)]
            forward[i] += (r[0] > r[1]) / 14
            r = [stats.pearsonr(true[i], decoded[k]).statistic for k in (i, j)]
            backward[i] += (r[0] > r[1]) / 14
    np.testing.assert_allclose(scores.values, forward)
    np.testing.assert_allclose(scores.items["pairwise backward"], backward)
    assert find(scores, "pairwise") == pytest.approx(forward.mean())
    assert find(scores, "top-1") == pytest.approx(np.isclose(forward, 1).mean())
    assert find(scores, "5-way", "chance") == 0.2
    assert find(scores, "top-1", "chance") == pytest.approx(1 / 15)


def test_order_of_features_does_not_matter():
    true, decoded = plant()
    features = make_features(true)
    first = Identification().run(make_predictions(decoded), features)
    again = Identification().run(make_predictions(decoded), features.take(np.arange(40)[::-1]))
    np.testing.assert_allclose(first.values, again.values)
    assert first.test_set == again.test_set


def test_planted_probability_is_recovered():
    # In one dimension, with distance: P(closer to the truth) is known by integration.
    rng = np.random.default_rng(1)
    n, noise = 600, 0.5
    true = rng.uniform(-1, 1, (n, 1)) * 1.0
    decoded = true + noise * rng.normal(size=(n, 1))
    stage = Identification(similarity="euclid", direction="forward", n_permutations=0)
    scores = stage.run(make_predictions(decoded), make_features(true))
    distance = np.abs(decoded - true)
    low, high = np.clip(decoded - distance, -1, 1), np.clip(decoded + distance, -1, 1)
    expected = 1 - ((high - low) / 2).mean()
    assert find(scores, "pairwise") == pytest.approx(expected, abs=0.01)
    assert find(scores, "pairwise", "low") < expected < find(scores, "pairwise", "high")


def test_noise_is_at_chance_and_p_is_uniform():
    p = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        decoded, true = rng.normal(size=(2, 12, 10))
        stage = Identification(n_permutations=99, n_bootstrap=10, n_way=(), seed=seed)
        p.append(find(stage.run(make_predictions(decoded), make_features(true)), "pairwise", "p"))
    assert stats.kstest(p, "uniform").pvalue > 0.01
    true, decoded = plant()
    scores = Identification().run(make_predictions(decoded), make_features(true))
    assert find(scores, "pairwise", "p") < 0.002


def test_repeats_are_scored_against_each_stimulus_once():
    true, decoded = plant(n=10)
    ids = np.tile([f"s{i:03d}" for i in range(10)], 2)
    noisy = np.concatenate([decoded, np.random.default_rng(5).normal(size=decoded.shape)])
    scores = Identification(n_way=(10,)).run(make_predictions(noisy, ids), make_features(true))
    once = Identification(n_way=(10,)).run(make_predictions(decoded), make_features(true))
    np.testing.assert_allclose(scores.values[:10], once.values)
    assert scores.summary["n_units"][0] == 10
    assert "10 candidates" in scores.notices[0]


def test_duplicates_are_no_distractors():
    true, _ = plant(n=6)
    true[5] = true[0]
    scores = Identification(n_way=()).run(make_predictions(true), make_features(true))
    assert (scores.values == 1).all()
    assert any("1 stimuli share" in notice for notice in scores.notices)
    other = make_features(true + np.eye(6, 25), source=["p", "q", "r", "s", "t", "p"])
    scores = Identification(n_way=()).run(make_predictions(true), other)
    assert any("1 stimuli share" in notice for notice in scores.notices)
    assert len(np.unique(scores.items["unit"])) == 5


def test_clusters_are_not_identification():
    rng = np.random.default_rng(2)
    category = np.array(["6", "9"])[np.arange(60) % 2]
    centre = np.where(category == "6", 3.0, -3.0)[:, None] * rng.normal(size=(1, 20))
    true, decoded = (centre + rng.normal(size=(60, 20)) for _ in range(2))
    stage = Identification(within="category", n_way=())
    scores = stage.run(make_predictions(decoded), make_features(true, category=category))
    assert find(scores, "pairwise") > 0.7
    assert find(scores, "pairwise within category") == pytest.approx(0.5, abs=0.1)
    assert find(scores, "pairwise within category 6", "n") == 30
    assert np.isnan(scores.items["pairwise within category 6"][1])


def test_p_within_a_category_holds_where_the_category_is_known():
    p, p_over_all = [], []
    category = np.array(["6", "9"])[np.arange(40) % 2]
    stage = Identification(
        within="category", n_way=(), direction="forward", n_permutations=99, n_bootstrap=2
    )
    for seed in range(60):
        rng = np.random.default_rng(seed)
        centre = np.where(category == "6", 2.0, -2.0)[:, None] * rng.normal(size=(1, 20))
        true, decoded = (centre + rng.normal(size=(40, 20)) for _ in range(2))
        scores = stage.run(make_predictions(decoded), make_features(true, category=category))
        p.append(find(scores, "pairwise within category", "p"))
        p_over_all.append(find(scores, "pairwise", "p"))
    assert stats.kstest(p, "uniform").pvalue > 0.01
    assert np.max(p_over_all) <= 0.05
    scores = stage.run(make_predictions(true), make_features(true, category=category))
    assert find(scores, "pairwise within category", "p") == pytest.approx(0.01)
    pairs = (np.arange(40) % 37).astype(str)  # three pairs: eight orders
    scores = stage.run(make_predictions(true), make_features(true, category=pairs))
    assert np.isnan(find(scores, "pairwise within category", "p"))
    assert any("Too few items share a category" in notice for notice in scores.notices)


def test_candidates_of_the_fold():
    true, decoded = plant(n=8, noise=2)
    fold = np.repeat([0, 1], 4)
    stage = Identification(candidates="fold", n_way=())
    scores = stage.run(make_predictions(decoded, fold=fold), make_features(true))
    parts = [
        stage.run(make_predictions(decoded).take(rows), make_features(true))
        for rows in (np.arange(4), np.arange(4, 8))
    ]
    for name in ("pairwise", "pairwise backward", "top-1"):
        joined = np.concatenate([part.items[name] for part in parts])
        np.testing.assert_allclose(scores.items[name], joined)


def test_knowing_only_the_training_mean_is_chance_within_and_below_it_across_folds():
    true, _ = plant(n=40)
    fold = np.arange(40) % 8
    mean = np.stack([true[fold != f].mean(axis=0) for f in fold])
    predictions, features = make_predictions(mean, fold=fold), make_features(true)
    within = Identification().run(predictions, features)
    assert find(within, "pairwise backward") == 0.5
    assert find(within, "pairwise") == pytest.approx(0.5)
    pooled = Identification(candidates="pooled").run(predictions, features)
    assert find(pooled, "pairwise backward") < 0.3
    assert any("below the stated chance" in notice for notice in pooled.notices)
    with pytest.raises(DataError, match="candidates: pooled"):
        Identification().run(make_predictions(mean, fold=np.arange(40)), features)


def test_large_choices_are_left_out_with_a_notice():
    true, decoded = plant(n=12)
    scores = Identification().run(make_predictions(decoded), make_features(true))
    assert "50-way" not in scores.summary["name"]
    assert any("50-way was left out" in notice for notice in scores.notices)


def test_images_with_samples_are_averaged_never_picked():
    images = make_random_images(9)
    stimuli = make_stimuli(images)
    rng = np.random.default_rng(0)
    made = np.stack([images / 255, rng.random(images.shape)], axis=1)
    both = Identification().run(reconstructions=make_reconstructions(made), stimuli=stimuli)
    alone = [
        Identification().run(reconstructions=make_reconstructions(made[:, [s]]), stimuli=stimuli)
        for s in range(2)
    ]
    np.testing.assert_allclose(both.values, (alone[0].values + alone[1].values) / 2)
    assert (alone[0].values == 1).all()
    assert any("no best of" in notice for notice in both.notices)


def test_refusals():
    true, decoded = plant(n=6)
    predictions, features = make_predictions(decoded), make_features(true)
    with pytest.raises(UserError, match="either predictions and features"):
        Identification().run(predictions=predictions)
    with pytest.raises(DataError, match="absent"):
        Identification().run(predictions, features.take(np.arange(5)))
    with pytest.raises(DataError, match="shape"):
        Identification().run(predictions, make_features(true[:, :4]))
    with pytest.raises(DataError, match="nothing to tell apart"):
        Identification().run(predictions.take(np.array([0])), features)
    small = make_reconstructions(np.random.default_rng(0).random((3, 1, 8, 8, 1)))
    stimuli = make_stimuli(make_random_images(3))
    with pytest.raises(DataError, match="Set size_px"):
        Identification().run(reconstructions=small, stimuli=stimuli)
    Identification(size_px=12).run(reconstructions=small, stimuli=stimuli)


def test_backward_chance_holds_where_stimuli_repeat():
    """Decoded rows that collapse onto their stimulus' own noise know nothing of the truth."""
    n, d, repeats = 12, 30, 3
    rng = np.random.default_rng(5)
    ids = np.tile([f"s{i}" for i in range(n)], repeats)
    found = []
    for _ in range(60):
        true = rng.normal(size=(n, d))
        decoded = np.tile(rng.normal(size=(n, d)), (repeats, 1))  # all repeats of one are alike
        scores = Identification(n_way=(), n_permutations=0, n_bootstrap=50).run(
            make_predictions(decoded, stimulus_id=ids),
            make_features(true, ids=[f"s{i}" for i in range(n)]),
        )
        found.append(find(scores, "top-1 backward"))
    chance = find(scores, "top-1 backward", "chance")
    assert chance == pytest.approx(1 / n)
    assert abs(np.mean(found) - chance) < 3 * np.std(found) / np.sqrt(len(found)) + 1e-9
