"""Images made by a diffusion model follow their condition, their seed and their fold's weights."""

from dataclasses import replace

import numpy as np
import pytest

from neurodecode.core.artifacts import Reconstructions
from neurodecode.core.errors import DataError
from neurodecode.reconstruction.diffusion import Diffusion
from neurodecode.reconstruction.pixels import Pixels
from neurodecode.reconstruction.train_diffusion import TrainDiffusion

N, SIZE = 24, 8
TINY = {
    "size_px": SIZE, "widths": (16,), "n_steps": 4, "batch_size": 4, "n_warmup": 2,
    "execution": {"device": "cpu"},
}  # fmt: skip

CPU = {"execution": {"device": "cpu"}}


@pytest.fixture(scope="module")
def conditional(toy):
    """One model of all images, conditional on the embedding, trained until it obeys."""
    settings = {**TINY, "n_steps": 120, "batch_size": 8, "learning_rate": 4e-3, "n_warmup": 5}
    return TrainDiffusion(**settings).run(toy["stimuli"], toy["features"])


@pytest.fixture(scope="module")
def restoring(toy):
    """One model per fold, conditional on the embedding and the estimate; hardly trained."""
    return TrainDiffusion(**TINY).run(
        toy["stimuli"], toy["features"], toy["training"], toy["split"]
    )


def find_side(images):
    """Return 0 where the left half is brighter, 1 where the right is."""
    halves = images.reshape(len(images), SIZE, 2, SIZE // 2).mean(axis=(1, 3))
    return halves.argmax(1)


def test_samples_match_the_class_of_their_embedding(toy, conditional):
    made = Diffusion(n_steps=10, **CPU).run(conditional, toy["features"])
    assert made.data.shape == (N, 1, SIZE, SIZE, 1)
    assert 0 <= made.data.min() <= made.data.max() <= 1
    np.testing.assert_array_equal(find_side(made.data[:, 0]), toy["kind"])
    truth = toy["stimuli"].data / 255
    assert np.abs(made.data[:, 0] - truth).mean() < 0.15


def test_swapped_embeddings_swap_the_images(toy, conditional):
    swapped = replace(toy["features"], data=toy["features"].data[np.arange(N) ^ 1])
    made = Diffusion(n_steps=10, **CPU).run(conditional, swapped)
    np.testing.assert_array_equal(find_side(made.data[:, 0]), 1 - toy["kind"])


def test_without_guidance_the_embedding_does_not_count(toy, conditional):
    prior = Diffusion(n_steps=4, guidance=0, **CPU)
    swapped = replace(toy["features"], data=toy["features"].data[::-1])
    one, other = prior.run(conditional, toy["features"]), prior.run(conditional, swapped)
    np.testing.assert_array_equal(one.data, other.data)


def test_same_seed_same_bytes(toy, restoring):
    stage = Diffusion(n_steps=3, n_samples=2, seed=5, **CPU)
    one = stage.run(restoring, replace_rows(toy), toy["test"])
    two = stage.run(restoring, replace_rows(toy), toy["test"])
    np.testing.assert_array_equal(one.data, two.data)
    assert one.seeds.tolist() == [5, 6]
    assert np.abs(one.data[:, 0] - one.data[:, 1]).max() > 0
    alone = Diffusion(n_steps=3, seed=6, **CPU).run(restoring, replace_rows(toy), toy["test"])
    np.testing.assert_array_equal(alone.data[:, 0], one.data[:, 1])


def test_images_do_not_depend_on_the_batch(toy, restoring):
    features = replace_rows(toy)
    whole = Diffusion(n_steps=3, **CPU).run(restoring, features, toy["test"])
    small = {"execution": {"device": "cpu", "batch_size": 1}}
    single = Diffusion(n_steps=3, **small).run(restoring, features, toy["test"])
    np.testing.assert_allclose(single.data, whole.data, atol=2e-5)
    order = np.random.default_rng(0).permutation(N)[:7]
    some = Diffusion(n_steps=3, **CPU).run(restoring, features.take(order), toy["test"])
    np.testing.assert_allclose(some.data, whole.data[order], atol=2e-5)


def test_strength_zero_returns_the_estimate(toy, restoring):
    made = Diffusion(strength=0, **CPU).run(restoring, replace_rows(toy), toy["test"])
    np.testing.assert_array_equal(made.data, Pixels().run(toy["test"]).data)


def test_more_strength_goes_further_from_the_estimate(toy, restoring):
    estimate = toy["test"].data.reshape(N, 1, SIZE, SIZE, 1).clip(0, 1)
    moved = [
        np.abs(
            Diffusion(n_steps=10, strength=s, **CPU)
            .run(restoring, replace_rows(toy), toy["test"])
            .data
            - estimate
        ).mean()
        for s in (0.0, 0.3, 1.0)
    ]
    assert moved[0] == 0 < moved[1] < moved[2]


def test_each_row_is_made_by_its_folds_model(toy, restoring):
    arrays = dict(restoring.arrays)
    for name in arrays:
        if name.startswith("fold1/network"):
            arrays[name] = arrays[name] * 0.5
    stage = Diffusion(n_steps=2, **CPU)
    before = stage.run(restoring, replace_rows(toy), toy["test"])
    after = stage.run(replace(restoring, arrays=arrays), replace_rows(toy), toy["test"])
    changed = np.abs(before.data - after.data).reshape(N, -1).max(1) > 0
    np.testing.assert_array_equal(changed, toy["test"].rows["fold"] == 1)


def test_estimates_are_joined_by_row_not_by_place(toy, restoring):
    stage = Diffusion(n_steps=2, **CPU)
    straight = stage.run(restoring, replace_rows(toy), toy["test"])
    shuffled = toy["test"].take(np.random.default_rng(1).permutation(N))
    again = stage.run(restoring, replace_rows(toy), shuffled)
    np.testing.assert_array_equal(straight.data, again.data)
    shown = Pixels().run(shuffled)
    assert isinstance(shown, Reconstructions)
    np.testing.assert_array_equal(
        straight.data, stage.run(restoring, replace_rows(toy), shown).data
    )


def test_what_does_not_fit_is_refused(toy, restoring, conditional):
    stage = Diffusion(n_steps=2, **CPU)
    with pytest.raises(DataError, match="estimates, but none"):
        stage.run(restoring, replace_rows(toy))
    with pytest.raises(DataError, match="conditional on 5 features"):
        stage.run(restoring, estimates=toy["test"])
    with pytest.raises(DataError, match="which items"):
        stage.run(conditional)
    with pytest.raises(DataError, match="would not be used"):
        stage.run(conditional, toy["features"], toy["test"])
    with pytest.raises(DataError, match="different splits"):
        stage.run(restoring, replace(replace_rows(toy), split="other"), toy["test"])
    with pytest.raises(DataError, match="no fold"):
        stage.run(restoring, toy["features"], toy["test"])
    wide = replace(toy["features"], data=np.zeros((N, 6), np.float32))
    with pytest.raises(DataError, match="trained on"):
        stage.run(conditional, wide)
    with pytest.raises(DataError, match="no diffusion model"):
        stage.run(replace(conditional, settings={}), toy["features"])


def replace_rows(toy):
    """The true embeddings as if decoded, with the rows of the test predictions."""
    return replace(toy["test"], data=toy["features"].data, extractor={"name": "toy"})
