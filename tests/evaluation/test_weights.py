"""Weights and patterns as maps, against the covariance that Haufe et al. write down."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from neurodecode.core.artifacts import Features, Foldwise, Model
from neurodecode.core.errors import DataError
from neurodecode.evaluation.weights import Weights, compute_patterns
from tests.examples import (
    N_FEATURES,
    N_FOLDS,
    N_VOXELS,
    make_features,
    make_responses,
    make_split,
)


def make_encoder(n_folds: int = N_FOLDS, seed: int = 0) -> Model:
    rng = np.random.default_rng(seed)
    shape = (N_FEATURES, N_VOXELS)
    arrays = {f"fold{k}/weights": rng.normal(size=shape) for k in range(n_folds)}
    return Model(stage="encoding.ridge", arrays=arrays, n_folds=n_folds)


def stack(model: Model) -> np.ndarray:
    return np.stack([model.arrays[f"fold{k}/weights"] for k in range(model.n_folds)])


def run(model: Model, features: Features | None = None, **settings: object) -> np.ndarray:
    stage = Weights(**settings)  # type: ignore[arg-type]
    return np.asarray(stage.run(model, make_responses(), features).values)


def test_weights_are_averaged_over_folds_and_joined_over_the_features_of_a_band() -> None:
    model, features = make_encoder(), make_features()
    mean = stack(model).mean(axis=0)
    np.testing.assert_allclose(run(model), np.linalg.norm(mean, axis=0))
    first, end = features.bands["high"]
    inside = mean[first:end]
    np.testing.assert_allclose(run(model, features, band="high"), np.linalg.norm(inside, axis=0))
    np.testing.assert_allclose(run(model, features, band="high", join="mean"), inside.mean(axis=0))
    np.testing.assert_allclose(run(model, features, band="high", feature=1), inside[1])
    np.testing.assert_allclose(run(model, feature=3), mean[3])
    deviation = np.asarray(features.data).std(axis=0)
    np.testing.assert_allclose(
        run(model, features, feature=3, scale_features=True), mean[3] * deviation[3], rtol=1e-6
    )


def plant(n: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Haufe et al. 2014, section 2.1: one voxel with signal and noise, one with that noise only."""
    rng = np.random.default_rng(0)
    signal, noise = rng.normal(size=(2, n))
    X = np.stack([signal + noise, noise], axis=1) + 0.01 * rng.normal(size=(n, 2))
    weights = np.linalg.lstsq(X, signal, rcond=None)[0]
    return X, weights[:, None]


def test_a_voxel_that_only_cancels_noise_has_a_weight_but_no_pattern() -> None:
    X, weights = plant()
    assert abs(weights[1, 0]) > 0.9 * abs(weights[0, 0]), "the weight misleads"
    pattern = compute_patterns(X, weights)[:, 0]
    np.testing.assert_allclose(pattern, [1, 0], atol=0.05)
    written_out = np.cov(X.T) @ weights / np.var(X @ weights, ddof=1)
    np.testing.assert_allclose(pattern, written_out[:, 0], rtol=1e-6)


def test_patterns_of_a_decoder_over_training_rows_of_each_fold() -> None:
    responses, split = make_responses(), make_split()
    rng = np.random.default_rng(1)
    arrays = {f"fold{k}/weights": rng.normal(size=(N_VOXELS, N_FEATURES)) for k in range(N_FOLDS)}
    model = Model(stage="decoding.ridge", arrays=arrays, n_folds=N_FOLDS)
    scores = Weights(feature=2).run(model, responses, split=split)
    expected = []
    for fold in split.folds():
        X = np.asarray(responses.data, np.float64)[fold.train]
        w = arrays[f"fold{fold.number}/weights"][:, 2]
        expected.append(np.cov(X.T) @ w / np.var(X @ w, ddof=1))
    np.testing.assert_allclose(scores.values, np.mean(expected, axis=0), rtol=1e-6)
    assert "Patterns of a decoder (Haufe" in scores.notices[0]
    plain = Weights(feature=2, kind="weights").run(model, responses)
    np.testing.assert_allclose(plain.values, stack(model).mean(axis=0)[:, 2])
    assert "do not show where signal is" in plain.notices[0]


def test_features_that_are_decoded_as_a_constant_are_left_out_and_counted() -> None:
    arrays = {"weights": np.random.default_rng(0).normal(size=(N_VOXELS, N_FEATURES))}
    arrays["weights"][:, 1] = 0
    model = Model(stage="decoding.ridge", arrays=arrays)
    scores = Weights().run(model, make_responses())
    assert np.isfinite(scores.values).all()
    assert "1 of them constant" in scores.metric
    with pytest.raises(DataError, match="nothing but constants"):
        Weights(feature=1).run(model, make_responses())


def test_the_map_is_drawn_with_its_caution_on_two_sided_colours() -> None:
    from neurodecode.plotting.brain_map import BrainMap

    scores = Weights(feature=0).run(make_encoder(), make_responses())
    assert scores.space is make_responses().space
    document = BrainMap(surfaces=("flat",)).run(scores)
    assert "correlated features share them" in document.html
    assert "chance, are shown" not in document.html


def test_folds_that_keep_other_voxels() -> None:
    kept = np.ones((N_FOLDS, N_VOXELS), bool)
    kept[0, 0] = kept[:, 3] = False
    steps = replace(Foldwise.identity(N_FOLDS, N_VOXELS, "x"), selected=kept)
    responses = replace(make_responses(), foldwise=steps)
    arrays = {
        f"fold{k}/weights": np.full((N_FEATURES, kept[k].sum()), k + 1.0) for k in range(N_FOLDS)
    }
    model = Model(stage="encoding.ridge", arrays=arrays, n_folds=N_FOLDS)
    values = Weights(feature=0).run(model, responses).values
    np.testing.assert_allclose(values, [2.5, 2, 2, np.nan, 2, 2, 2, 2])


@pytest.mark.parametrize(
    ("model", "settings", "words"),
    [
        (make_encoder(), {"kind": "patterns"}, "is an encoder"),
        (make_encoder(), {"band": "high"}, "no features are given"),
        (make_encoder(), {"feature": 9}, "Allowed: 0 to 4"),
        (
            Model(stage="reconstruction.x", arrays={"weights": np.ones((2, 2))}),
            {},
            "no weights per",
        ),
        (Model(stage="encoding.x", arrays={"layers": np.ones((2, 2))}), {}, "Unknown array"),
        (Model(stage="encoding.x", arrays={"weights": np.ones((5, 3))}), {}, "weights of 3 voxels"),
    ],
)
def test_refusals(model: Model, settings: dict[str, object], words: str) -> None:
    with pytest.raises(DataError, match=words):
        run(model, **settings)  # type: ignore[arg-type]


def test_refusals_of_features_and_settings() -> None:
    other = replace(make_features(), data=np.ones((12, 3), np.float32), bands={})
    with pytest.raises(DataError, match="the features have 3 columns"):
        run(make_encoder(), other)
    with pytest.raises(ValidationError, match="Leave one of them out"):
        Weights(kind="patterns", scale_features=True)
