"""A fold's diffusion model depends on its training stimuli and its seed, and on nothing else."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from neurodecode.core.errors import DataError
from neurodecode.reconstruction.train_diffusion import TrainDiffusion

N, SIZE = 24, 8
TINY = {
    "size_px": SIZE, "widths": (16,), "n_steps": 4, "batch_size": 4, "n_warmup": 2,
    "execution": {"device": "cpu"},
}  # fmt: skip


def train(toy, **settings):
    return TrainDiffusion(**{**TINY, **settings}).run(
        toy["stimuli"], toy["features"], toy["training"], toy["split"]
    )


def test_a_test_stimulus_leaves_the_weights_bit_identical(toy):
    fold = toy["split"].fold(1)
    changed = dict(toy)
    images = np.array(toy["stimuli"].data)
    images[fold.test] = 255 - images[fold.test]
    changed["stimuli"] = replace(toy["stimuli"], data=images)
    embeddings = np.array(toy["features"].data)
    embeddings[fold.test] += 7
    changed["features"] = replace(toy["features"], data=embeddings)
    estimates = np.array(toy["training"].data)
    estimates[toy["training"].rows["fold"] != 1] = 0.5
    changed["training"] = replace(toy["training"], data=estimates)
    one, other = train(toy), train(changed)
    first, second = one.for_fold(1), other.for_fold(1)
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])
    moved = one.for_fold(0), other.for_fold(0)
    assert any((moved[0][name] != moved[1][name]).any() for name in moved[0])


def test_same_seed_same_bytes_other_seed_other_weights(toy):
    augmented = {"shift_px": 1.0, "rotation_deg": 5.0, "scale_share": 0.1, "dropout": 0.2}
    augmented["condition_noise"] = 0.5
    one, same = train(toy, **augmented), train(toy, **augmented)
    other = train(toy, **augmented, seed=1)
    for name in one.arrays:
        np.testing.assert_array_equal(one.arrays[name], same.arrays[name])
        assert one.arrays[name].dtype == np.float32
    differ = [name for name in one.arrays if (one.arrays[name] != other.arrays[name]).any()]
    assert any("network" in name for name in differ)
    np.testing.assert_array_equal(one.curve["fold0/loss"], same.curve["fold0/loss"])


def test_folds_are_blocks_of_their_own(toy):
    stage = TrainDiffusion(**TINY)
    inputs = {key: toy[key] for key in ("stimuli", "features", "split")}
    assert stage.blocks(**inputs) == ["fold0", "fold1"]
    alone = stage.run_block("fold1", **inputs)
    whole = stage.run(**inputs)
    for name, array in whole.for_fold(1).items():
        np.testing.assert_array_equal(array, alone[name])


@pytest.mark.parametrize("scaling", ["common", "columns"])
def test_scaling_of_the_embedding_is_that_of_the_training_rows(toy, scaling):
    inputs = {key: toy[key] for key in ("stimuli", "features", "split")}
    model = TrainDiffusion(**TINY, condition_scaling=scaling).run(**inputs).for_fold(0)
    rows = toy["features"].data[toy["split"].fold(0).train]
    expected = rows.std(0) if scaling == "columns" else np.full(5, np.sqrt(rows.var(0).mean()))
    np.testing.assert_allclose(model["condition_mean"], rows.mean(0), atol=1e-6)
    np.testing.assert_allclose(model["condition_scale"], expected, rtol=1e-5)


def test_without_a_split_there_is_one_model(toy):
    model = TrainDiffusion(**TINY).run(toy["stimuli"])
    assert model.n_folds == 0
    assert model.curve["loss"].shape == (4,)
    assert model.settings["network"]["n_conditions"] == 0
    assert model.settings["image_shape"] == [SIZE, SIZE, 1]


def test_the_loss_falls(toy):
    inputs = {key: toy[key] for key in ("stimuli", "features")}
    settings = {**TINY, "n_steps": 40, "batch_size": 8, "n_warmup": 5}
    loss = TrainDiffusion(**settings).run(**inputs).curve["loss"]
    assert loss[-10:].mean() < 0.5 * loss[:5].mean()


def test_several_estimates_of_a_sample_are_as_many_examples(toy):
    from neurodecode.reconstruction.diffusion_examples import read_examples

    once = toy["training"]
    twice = once.take(np.r_[np.arange(N), np.arange(N)])
    found = read_examples("here", toy["stimuli"], toy["features"], twice, toy["split"], 0)
    trained = toy["split"].fold(0).train
    assert len(found.images) == 2 * len(trained)
    expected = np.r_[trained, trained]
    np.testing.assert_allclose(found.images, toy["stimuli"].data[expected] / np.float32(255))
    np.testing.assert_array_equal(found.embeddings, toy["features"].data[expected])


def test_predictions_of_test_rows_are_refused(toy):
    with pytest.raises(DataError, match="nested: true"):
        TrainDiffusion(**TINY).run(toy["stimuli"], estimates=toy["test"], split=toy["split"])
    with pytest.raises(DataError, match="no split"):
        TrainDiffusion(**TINY).run(toy["stimuli"], estimates=toy["training"])
    other = replace(toy["training"], split="other")
    with pytest.raises(DataError, match="another split"):
        TrainDiffusion(**TINY).run(toy["stimuli"], estimates=other, split=toy["split"])


def test_bad_settings_are_refused(toy):
    with pytest.raises(ValidationError, match="no multiple of 4"):
        TrainDiffusion(size_px=10, widths=(8, 8), patch_px=2)
    with pytest.raises(ValidationError, match="multiple of 8"):
        TrainDiffusion(widths=(12,))
    with pytest.raises(DataError, match="padded to 4"):
        TrainDiffusion(**{**TINY, "size_px": 4, "fit": "pad"}).run(toy["stimuli"])
