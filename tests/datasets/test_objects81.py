import numpy as np
import pytest

from neurodecode.core.errors import DataError
from neurodecode.core.leakage import check_scores
from neurodecode.core.trace import derive_lineage
from neurodecode.datasets.objects81 import FACTS, Objects81, make_objects81
from neurodecode.encoding.ridge import Ridge
from neurodecode.evaluation.encoding import Encoding
from neurodecode.evaluation.split import Split


@pytest.fixture
def arrays():
    """The file's layout; column c of the responses is its region's number at every category."""
    rng = np.random.default_rng(0)
    index = np.sort(np.r_[np.arange(1, 8), rng.integers(1, 8, FACTS["n_voxels"] - 7)])
    return {
        "betas": (rng.normal(size=(81, 1)) + index).astype(np.float32),
        "roi_index": index.astype(np.int16),
        "roi_names": np.array(FACTS["roi_names"]),
        "categories": np.array([f"thing{i:02d}" for i in range(81)]),
        "alexnet_pcs": rng.normal(size=(81, 20)).astype(np.float32),
        "word2vec_pcs": rng.normal(size=(81, 30)).astype(np.float32),
    }


def test_regions_categories_and_features_keep_their_places(arrays, tmp_path, monkeypatch):
    (tmp_path / "objects81").mkdir()
    np.savez(tmp_path / FACTS["file"], **arrays)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEURODECODE_DATA", str(tmp_path))
    out = Objects81().run()
    responses = out["responses"]
    assert responses.data.shape == (81, 696)
    for number, name in enumerate(FACTS["roi_names"], 1):
        inside = responses.data[0, responses.space.rois[name]] - arrays["betas"][0].mean()
        expected = number - arrays["roi_index"].mean()
        np.testing.assert_allclose(inside, expected, atol=1e-4)
    assert responses.samples["stimulus_id"][3] == "objects81/thing03"
    assert responses.samples["category"][3] == "thing03"
    for name in ("alexnet", "word2vec"):
        wanted = responses.samples["stimulus_id"][::-1]
        np.testing.assert_array_equal(out[name].read_for(wanted), arrays[f"{name}_pcs"][::-1])
        assert out[name].bands == {name: (0, FACTS["n_components"][name])}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop("word2vec_pcs"), "word2vec_pcs is absent"),
        (lambda a: a.update(betas=a["betas"].T), r"betas is float32 of shape \(696, 81\)"),
        (lambda a: a["betas"].__setitem__((0, 0), np.nan), "betas holds 1 values"),
        (lambda a: a["roi_index"].__setitem__(0, 0), r"numbered \[0 1 2"),
        (lambda a: a["categories"].__setitem__(0, "thing01"), "1 categories are there twice"),
    ],
)
def test_another_file_is_refused(arrays, change, message):
    change(arrays)
    with pytest.raises(DataError, match=message):
        make_objects81(arrays)


def test_a_damaged_file_is_refused(tmp_path, monkeypatch):
    (tmp_path / "objects81").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEURODECODE_DATA", str(tmp_path))
    for content in (b"", b"PK\x03\x04 and no more", b"text"):
        (tmp_path / FACTS["file"]).write_bytes(content)
        with pytest.raises(DataError, match="cannot be read as an archive"):
            Objects81().run()


def test_that_components_saw_all_categories_is_printed_and_not_refused(arrays):
    out = make_objects81(arrays)
    responses = out["responses"]
    split = Split(by="stimulus", n_folds=3).run(responses)
    inputs = {"features": out["alexnet"], "responses": responses, "split": split}
    stage = Ridge(alphas=(10.0,))
    made = derive_lineage(stage, inputs, dict(stage.run(**inputs)), step="encoded")
    scored = {"predictions": made["predictions"], "responses": responses}
    notices = check_scores(scored, step="scores")
    assert any("computed over all 81 categories" in text for text in notices), notices


@pytest.mark.real_data
def test_the_recording_is_what_the_facts_say_and_reaches_the_known_score(find_data):
    """Mean r of AlexNet at least 0.41, r within each of ten folds over categories."""
    find_data(FACTS["file"])
    out = Objects81().run()
    responses = out["responses"]
    assert len(set(responses.samples["category"])) == FACTS["n_categories"]
    split = Split(by="stimulus", n_folds=10).run(responses)
    predicted = Ridge(scoring="correlation").run(
        features=out["alexnet"], responses=responses, split=split
    )["predictions"]
    scores = Encoding(within="fold", n_permutations=0).run(predicted, responses)
    assert np.nanmean(scores.values) >= 0.41
