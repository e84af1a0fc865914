"""encoding.ridge recovers a planted code and keeps its splits clean."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import Ridge as Reference

from neurodecode.core.artifacts import (
    TEST,
    TRAIN,
    VALIDATION,
    Features,
    Foldwise,
    Responses,
    Space,
    Split,
    make_items,
    make_samples,
)
from neurodecode.core.digests import digest_array
from neurodecode.core.errors import DataError
from neurodecode.core.stage import Execution
from neurodecode.encoding.ridge import Ridge
from neurodecode.numerics.ridge import predict_ridge

N_ITEMS, N_REPEATS, N_FEATURES, N_VOXELS, N_FOLDS = 40, 3, 6, 5, 4


def make_problem(unit="stimulus", noise=0.1, shape=(N_FEATURES,)):
    rng = np.random.default_rng(0)
    values = rng.standard_normal((N_ITEMS, *shape)).astype(np.float32)
    ids = np.array([f"item{i:02d}" for i in range(N_ITEMS)])
    order = rng.permutation(N_ITEMS)  # features lie in another order than samples
    features = Features(data=values[order], items=make_items(ids[order], values[order]))
    shown = np.tile(np.arange(N_ITEMS), N_REPEATS)
    weights = rng.standard_normal((int(np.prod(shape)), N_VOXELS))
    data = values.reshape(N_ITEMS, -1)[shown] @ weights + 3
    data = (data + noise * rng.standard_normal(data.shape)).astype(np.float32)
    runs = [f"{r:02d}" for r in np.repeat(np.arange(N_REPEATS), N_ITEMS)]
    samples = make_samples(dataset="toy", stimulus_id=ids[shown], run=runs)
    space = Space(kind="parcels", names=np.array(list("abcde")))
    roles = np.where(shown % N_FOLDS == np.arange(N_FOLDS)[:, None], TEST, TRAIN).astype(np.int8)
    split = Split(roles=roles, samples=samples, unit=unit)
    return features, Responses(data=data, samples=samples, space=space), split, weights


def test_planted_weights_and_predictions():
    features, responses, split, weights = make_problem()
    out = Ridge(alphas=(1e-2, 1.0, 100.0)).run(features, responses, split)
    predictions, model = out["predictions"], out["model"]
    assert predictions.of == "responses"
    assert predictions.data.dtype == np.float32
    assert (predictions.split, predictions.unit) == (split.digest, "stimulus")
    assert list(predictions.space.names) == list("abcde")
    truth = responses.data[predictions.rows["row"]]
    assert np.corrcoef(truth.ravel(), predictions.data.ravel())[0, 1] > 0.99
    for fold in split.folds():
        arrays = model.for_fold(fold.number)
        np.testing.assert_allclose(arrays["weights"], weights, atol=0.06)
        mine = np.flatnonzero(predictions.rows["fold"] == fold.number)
        np.testing.assert_array_equal(predictions.rows["row"][mine], fold.test)
        X = features.read_for(responses.samples["stimulus_id"][fold.test])
        again = predict_ridge(X, arrays["weights"], arrays["intercept"])
        np.testing.assert_array_equal(again, predictions.data[mine])


def test_single_alpha_equals_scikit_learn_per_fold():
    features, responses, split, _ = make_problem()
    out = Ridge(alphas=(7.0,)).run(features, responses, split)["predictions"]
    X = features.read_for(responses.samples["stimulus_id"])
    for fold in split.folds():
        model = Reference(7.0).fit(X[fold.train], responses.data[fold.train])
        mine = out.data[out.rows["fold"] == fold.number]
        np.testing.assert_allclose(mine, model.predict(X[fold.test]), atol=1e-4)


def test_repeats_never_lie_on_both_sides_of_inner_folds():
    # Each item has features of its own: only memory of the same item can predict anything.
    features, responses, split, _ = make_problem(shape=(29,))
    rng = np.random.default_rng(1)
    per_item = rng.standard_normal((N_ITEMS, N_VOXELS)).astype(np.float32)
    item = np.unique(responses.samples["stimulus_id"], return_inverse=True)[1]
    responses = replace(responses, data=per_item[item])
    stage = Ridge(alphas=(1e-3, 1e6), extend_alphas=0)
    out = stage.run(features, responses, split)
    for k in range(N_FOLDS):
        assert (out["model"].for_fold(k)["best_alphas"] == 1e6).all()
    leaky = replace(split, samples=split.samples.with_columns(each=np.arange(120)), unit="each")
    responses = replace(responses, samples=leaky.samples)
    out = stage.run(features, responses, leaky)
    assert (out["model"].for_fold(0)["best_alphas"] == 1e-3).all()


def test_validation_rows_choose_alphas():
    features, responses, split, _ = make_problem()
    roles = np.array(split.roles)
    item = np.tile(np.arange(N_ITEMS), N_REPEATS)
    roles[(roles == TRAIN) & (item % 5 == 0)] = VALIDATION
    split = replace(split, roles=roles)
    out = Ridge(alphas=(1e-2, 1e4), extend_alphas=0).run(features, responses, split)
    changed = np.array(responses.data)
    fold = split.fold(0)
    changed[fold.validation] += 0.01
    again = Ridge(alphas=(1e-2, 1e4), extend_alphas=0).run(
        features, replace(responses, data=changed), split
    )
    assert (out["model"].for_fold(0)["best_alphas"] == 1e-2).all()
    before, after = (o["model"].for_fold(0)["weights"] for o in (out, again))
    np.testing.assert_array_equal(before, after)  # they choose, but are not fitted


def test_edge_of_the_grid_is_said_and_grown():
    features, responses, split, _ = make_problem()
    stay = Ridge(alphas=(1e3, 1e4), extend_alphas=0).run(features, responses, split)["model"]
    assert len(stay.settings["warnings"]) == N_FOLDS
    assert stay.settings["warnings"][0].startswith("fold 0: ridge: the best alpha of 5 of 5")
    grow = Ridge(alphas=(1e3, 1e4), extend_alphas=6).run(features, responses, split)["model"]
    assert max(grow.for_fold(k)["best_alphas"].max() for k in range(N_FOLDS)) < 100


def test_foldwise_scaling_is_fitted_and_selection_that_differs_refused():
    features, responses, split, _ = make_problem()
    steps = Foldwise.identity(N_FOLDS, N_VOXELS, split.digest)
    scaled = replace(responses, foldwise=steps.then(np.ones(N_VOXELS), np.full(N_VOXELS, 2.0)))
    plain = Ridge(alphas=(1.0,)).run(features, responses, split)["predictions"]
    out = Ridge(alphas=(1.0,)).run(features, scaled, split)["predictions"]
    np.testing.assert_allclose(out.data, (plain.data - 1) / 2, atol=1e-5)
    selected = np.ones((N_FOLDS, N_VOXELS), bool)
    selected[:, 2] = False
    out = Ridge(alphas=(1.0,)).run(
        features, replace(responses, foldwise=replace(steps, selected=selected)), split
    )["predictions"]
    assert list(out.space.names) == list("abde")
    np.testing.assert_allclose(out.data, np.delete(plain.data, 2, axis=1), atol=1e-5)
    selected[1, 0] = False
    with pytest.raises(DataError, match="each fold keeps other voxels"):
        Ridge().run(features, replace(responses, foldwise=replace(steps, selected=selected)), split)


def test_epochs_and_tokens_are_flattened():
    features, responses, split, _ = make_problem(shape=(3, 2))
    epochs = replace(responses, data=responses.data[:, :4].reshape(-1, 2, 2), space=Space())
    out = Ridge(alphas=(1.0,)).run(features, epochs, split)["predictions"]
    flat = Ridge(alphas=(1.0,)).run(features, responses, split)["predictions"]
    assert out.data.shape == (120, 2, 2)
    np.testing.assert_allclose(out.data.reshape(120, 4), flat.data[:, :4], atol=1e-6)


def test_samples_without_a_stimulus_are_refused_unless_unused():
    features, responses, split, _ = make_problem()
    ids = np.array(responses.samples["stimulus_id"])
    ids[5] = ""
    samples = responses.samples.with_columns(stimulus_id=ids)
    responses, split = replace(responses, samples=samples), replace(split, samples=samples)
    with pytest.raises(DataError, match="1 of 120 samples in the split show no stimulus"):
        Ridge(alphas=(1.0,)).run(features, responses, split)
    roles = np.array(split.roles)
    roles[:, 5] = 0
    out = Ridge(alphas=(1.0,)).run(features, responses, replace(split, roles=roles))
    assert 5 not in out["predictions"].rows["row"]


@pytest.mark.parametrize("settings", [{"alphas": ()}, {"alphas": (0.0,)}, {"n_inner_folds": 1}])
def test_bad_settings_are_refused(settings):
    with pytest.raises(ValueError, match="validation error"):
        Ridge(**settings)


def fit_in_blocks(width=2, change=None, **settings):
    """Return the outputs of one fit in one go and in blocks of so many voxels."""
    features, responses, split, _ = make_problem(**settings.pop("problem", {}))
    if change is not None:
        responses, split = change(responses, split)
    given = {"alphas": (1e-2, 1.0, 100.0), **settings}
    whole = Ridge(**given).run(features, responses, split)
    stage = Ridge(**given, block_voxels=width)
    inputs = {"features": features, "responses": responses, "split": split}
    assert len(stage.blocks(**inputs)) > 1
    return whole, stage.run(**inputs)


def add_validation(responses, split):
    roles = np.array(split.roles)
    item = np.tile(np.arange(N_ITEMS), N_REPEATS)
    roles[(roles == TRAIN) & (item % 5 == 0)] = VALIDATION
    return responses, replace(split, roles=roles)


def add_scaling(responses, split):
    steps = Foldwise.identity(N_FOLDS, N_VOXELS, split.digest)
    centre = np.arange(N_FOLDS)[:, None] + np.arange(N_VOXELS)
    selected = np.ones((N_FOLDS, N_VOXELS), bool)
    selected[:, 2] = False
    steps = replace(steps.then(centre, 2.0 + centre), selected=selected)
    return replace(responses, foldwise=steps), split


def make_epochs(responses, split):
    data = responses.data[:, [0, 1, 2, 3, 4, 0]].reshape(len(responses.data), 3, 2)
    return replace(responses, data=data, space=Space()), split


@pytest.mark.parametrize(
    ("change", "settings"),
    [
        (None, {}),
        (None, {"alphas": (3.0,)}),
        (None, {"scoring": "correlation", "standardize": True}),
        (None, {"problem": {"shape": (150,)}}),  # more features than rows: the kernel form
        (None, {"alpha_per_target": False}),
        (None, {"alpha_per_target": False, "alphas": (1e3, 1e4), "extend_alphas": 6}),
        (None, {"alpha_per_target": False, "problem": {"shape": (150,)}}),
        (add_validation, {}),
        (add_scaling, {}),
        (make_epochs, {}),
        (make_epochs, {"alpha_per_target": False}),
    ],
)
def test_blocks_give_what_one_fit_of_all_voxels_gives(change, settings):
    whole, parts = fit_in_blocks(change=change, **settings)
    first, second = whole["predictions"], parts["predictions"]
    np.testing.assert_allclose(first.data, second.data, atol=2e-5)
    assert digest_array(first.rows["row"]) == digest_array(second.rows["row"])
    assert first.data.shape == second.data.shape
    ours, theirs = whole["model"].arrays, parts["model"].arrays
    assert list(ours) == list(theirs)
    for name in ours:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-4, atol=1e-5, err_msg=name)
    assert whole["model"].settings["warnings"] == parts["model"].settings["warnings"]


def test_warnings_of_blocks_are_added_up():
    whole, parts = fit_in_blocks(alphas=(1e3, 1e4), extend_alphas=0)
    for made in (whole, parts):
        told = made["model"].settings["warnings"]
        assert len(told) == N_FOLDS
        assert "the best alpha of 5 of 5 targets is the smallest of the grid, 1e+03" in told[0]


def test_voxels_of_later_blocks_are_named_by_their_number_among_all():
    features, responses, split, _ = make_problem()
    flat = np.array(responses.data)
    flat[:, 3] = 7.0
    with pytest.raises(DataError, match=r"1 of 2 targets are constant .* \(first: \[3\]\)"):
        Ridge(alphas=(1.0,), block_voxels=2).run(features, replace(responses, data=flat), split)
    row = split.fold(0).train[1]
    flat[row, 3] = np.nan
    with pytest.raises(DataError, match=r"in 1 of 2 columns \(first: \['3'\]\)"):
        Ridge(alphas=(1.0,), block_voxels=2).run(features, replace(responses, data=flat), split)


def test_weights_can_be_left_out():
    features, responses, split, _ = make_problem()
    model = Ridge(alphas=(1.0,), keep_weights="none").run(features, responses, split)["model"]
    assert set(model.for_fold(0)) == {"intercept", "best_alphas"}


def test_the_memory_plan_is_kept_and_decides_the_blocks():
    features, responses, split, _ = make_problem()
    model = Ridge(alphas=(1.0,)).run(features, responses, split)["model"]
    assert model.settings["memory"].startswith("5 voxels in one go, about 0.3 GB of memory")
    small = Ridge(alphas=(1.0,), limit_gb=0.01).run(features, responses, split)["model"]
    assert small.settings["memory"].endswith("more than the limit of 0.0 GB")


@pytest.mark.parametrize("block_voxels", [None, 2])
def test_features_that_are_not_finite_are_refused(block_voxels):
    features, responses, split, _ = make_problem()
    data = np.array(features.data)
    data[3, 1] = np.inf
    with pytest.raises(DataError, match=r"ridge: features hold 3 values that are NaN or infinite"):
        Ridge(block_voxels=block_voxels).run(replace(features, data=data), responses, split)


@pytest.mark.parametrize("settings", [{}, {"block_voxels": 2}, {"solver": "kernel"}])
@pytest.mark.parametrize("alpha_per_target", [True, False])
def test_torch_gives_what_numpy_does(settings, alpha_per_target):
    features, responses, split, _ = make_problem(noise=2.0)
    given = {"alphas": (1.0, 10.0, 100.0), "alpha_per_target": alpha_per_target, **settings}
    expected = Ridge(**given).run(features, responses, split)
    on_torch = Ridge(**given, backend="torch", execution=Execution(device="cpu"))
    found = on_torch.run(features, responses, split)
    scale = np.abs(expected["predictions"].data).max()
    np.testing.assert_allclose(
        found["predictions"].data, expected["predictions"].data, atol=1e-4 * scale
    )
    for fold in range(N_FOLDS):
        np.testing.assert_array_equal(
            found["model"].for_fold(fold)["best_alphas"],
            expected["model"].for_fold(fold)["best_alphas"],
        )
