"""Artifacts keep their rows, tables and spaces together."""

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from neurodecode.core.artifacts import (
    ARTIFACTS,
    Features,
    Foldwise,
    Predictions,
    Reconstructions,
    Space,
    Stimuli,
    is_accepted,
    list_arrays,
    make_items,
    make_samples,
    read_images,
)
from neurodecode.core.errors import DataError
from neurodecode.core.packing import pack, unpack_artifact
from neurodecode.core.tables import Table
from tests.examples import (
    make_all,
    make_features,
    make_model,
    make_predictions,
    make_reconstructions,
    make_responses,
    make_scores,
    make_split,
    make_stimuli,
)


@pytest.mark.parametrize("kind", list(ARTIFACTS))
def test_every_kind_is_frozen_and_taken_apart(kind):
    artifact = make_all()[kind]
    assert artifact.kind() == kind
    with pytest.raises(FrozenInstanceError):
        artifact.lineage = None
    arrays, meta = pack(artifact)
    assert pack(unpack_artifact(kind, arrays, meta))[1] == meta
    assert len(list(list_arrays(artifact))) == len(arrays)


@pytest.mark.parametrize(
    "kind", ["responses", "stimuli", "features", "predictions", "reconstructions"]
)
def test_rows_and_table_go_together(kind):
    artifact = make_all()[kind]
    some = artifact.take([3, 1])
    np.testing.assert_array_equal(some.data, np.asarray(artifact.data)[[3, 1]])
    with pytest.raises(DataError, match=f"{kind}: data have 2 rows"):
        replace(artifact, data=artifact.data[:2])


def test_features_are_joined_by_identity():
    features = make_features()
    ids = np.array(["photo03", "photo00", "photo03"])
    np.testing.assert_array_equal(features.read_for(ids), features.data[[3, 0, 3]])
    with pytest.raises(DataError, match="'photo99'"):
        features.read_for(np.array(["photo99"]))
    assert make_stimuli().select(ids[:2]).items["id"].tolist() == ["photo03", "photo00"]


def test_responses_are_read_as_a_fold_sees_them():
    responses = make_responses()
    centre, scale = np.ones((3, 8)), np.full((3, 8), 2.0)
    selected = np.ones((3, 8), bool)
    selected[1, ::2] = False
    steps = Foldwise(centre=centre, scale=scale, selected=selected)
    foldwise = replace(responses, foldwise=steps)
    wanted = (responses.data[[4, 2]] - 1) / 2
    np.testing.assert_allclose(foldwise.read([4, 2], fold=0), wanted)
    np.testing.assert_allclose(foldwise.read([4, 2], fold=1), wanted[:, 1::2])
    assert foldwise.columns(fold=1).tolist() == [1, 3, 5, 7]
    assert foldwise.read(fold=0).dtype == np.float32
    with pytest.raises(DataError, match="read without one"):
        foldwise.read()
    twice = replace(responses, foldwise=steps.then(np.full((3, 8), 3.0), np.full((3, 8), 4.0)))
    np.testing.assert_allclose(twice.read([4, 2], fold=0), (wanted - 3) / 4, rtol=1e-6)


def test_a_space_keeps_its_columns():
    space = make_responses().space.take_columns(np.array([0, 6]))
    assert space.vertices.tolist() == [0, 12000]
    assert space.rois["FFA"].tolist() == [False, True]
    mask = np.zeros((2, 2, 2), bool)
    mask[0, 1] = mask[1, 0] = True
    volume = Space(kind="volume", mask=mask, affine=np.eye(4)).take_columns(np.array([1, 2]))
    assert np.argwhere(volume.mask).tolist() == [[0, 1, 1], [1, 0, 0]]


def test_samples_have_names_of_their_own():
    samples = make_samples(dataset="d", stimulus_id=["a", "b", "a"], run=["01", "01", "02"])
    assert samples["repeat"].tolist() == [0, 0, 1]
    assert len(np.unique(samples["sample_id"])) == 3
    other = make_samples(dataset="e", stimulus_id=["a", "b", "a"], run=["01", "01", "02"])
    assert not np.isin(other["sample_id"], samples["sample_id"]).any()
    assert "digest" in make_responses().samples


def test_items_are_digested_by_content():
    data = np.array([[1, 2], [3, 4], [1, 2]], np.uint8)
    items = make_items(["a", "b", "c"], data)
    assert items["digest"][0] == items["digest"][2] != items["digest"][1]
    assert items["source"].tolist() == ["a", "b", "c"]


def test_splits_name_their_rows():
    split = make_split()
    for fold in split.folds():
        assert len(fold.train) == 16
        assert len(fold.test) == 8
        assert not set(fold.train) & set(fold.test)
    split.check_covers(make_responses(), "here")
    with pytest.raises(DataError, match="here: the split was made for 24 other samples"):
        split.check_covers(make_responses().take(np.arange(24)[::-1]), "here")
    assert split.digest != replace(split, roles=split.roles[::-1]).digest


def test_a_model_gives_the_arrays_of_a_fold():
    model = make_model()
    assert model.for_fold(1)["weights"][0, 0] == 1.5
    with pytest.raises(DataError, match="no arrays for fold 7; it has 3 folds"):
        model.for_fold(7)


def test_what_will_do_for_what():
    assert is_accepted(Features, Predictions)
    assert is_accepted(Stimuli, Reconstructions)
    assert not is_accepted(Predictions, Features)
    assert (
        make_predictions().items["id"].tolist() == make_predictions().rows["stimulus_id"].tolist()
    )


def test_images_are_read_between_zero_and_one():
    images = read_images(make_stimuli())
    assert images.dtype == np.float32
    assert 0 <= images.min() < images.max() <= 1
    assert read_images(make_reconstructions()).shape == (24, 2, 8, 8, 1)
    with pytest.raises(DataError, match="text"):
        read_images(Stimuli(data=np.array(["a"]), items=Table({"id": ["a"]}), of="text"))


def test_scores_say_what_they_must():
    with pytest.raises(DataError, match=r"scores.summary: Unknown column"):
        replace(make_scores(), summary=Table({"name": ["x"], "value": [1.0]}))
