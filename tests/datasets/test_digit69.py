import os

import numpy as np
import pytest

from neurodecode.core.errors import DataError
from neurodecode.core.raw import list_data_roots
from neurodecode.datasets.digit69 import FACTS, Digit69, make_digit69

ABSENT = not any((root / FACTS["file"]).exists() for root in list_data_roots())
needs_file = pytest.mark.skipif(
    ABSENT, reason=f"{FACTS['file']} is in none of the data folders: set NEURODECODE_DATA"
)


@pytest.fixture
def variables():
    """The file's layout with planted pixels: item number, row and column can be read off."""
    rng = np.random.default_rng(0)
    found = {}
    for name, n in (("Trn", 90), ("Test", 10)):
        images = np.zeros((n, 28, 28), np.uint8)
        images[:, 3, 20] = 200  # upright: row 20, column 3
        images[:, 0, 0] = np.arange(n)
        images[:, 0, 1] = n
        found[f"stim{name}"] = images.reshape(n, 784)
        found[f"fmri{name}"] = rng.normal(size=(n, FACTS["n_voxels"]))
        found[f"label{name}"] = np.repeat([1, 2], n // 2).astype(np.uint8)[:, None]
    return found


def test_layout_is_turned_into_upright_images_and_named_trials(variables):
    out = make_digit69(variables)
    responses, stimuli = out["responses"], out["stimuli"]
    assert stimuli.data.shape == (100, 28, 28, 1)
    assert stimuli.data[0, 20, 3, 0] == 200
    assert stimuli.data[0, 3, 20, 0] == 0
    np.testing.assert_array_equal(responses.data[90:], variables["fmriTest"])
    samples = responses.samples
    assert samples["stimulus_id"][[0, 89, 90]].tolist() == [
        "digit69/train/00",
        "digit69/train/89",
        "digit69/test/00",
    ]
    assert samples["published_part"].tolist() == ["train"] * 90 + ["test"] * 10
    assert samples["category"][[0, 44, 45, 89, 90, 99]].tolist() == ["6", "6", "9", "9", "6", "9"]
    assert set(samples["run"]) == {"01"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.pop("stimTest"), "stimTest is nothing"),
        (lambda v: v.update(fmriTrn=v["fmriTrn"].T), r"fmriTrn is float64 of shape \(3092, 90\)"),
        (lambda v: v.update(labelTrn=v["labelTrn"] + 5), r"labels are \[1, 2, 6, 7\]"),
        (lambda v: v.update(stimTrn=v["stimTrn"] / 255), "images range from 0.0 to 200.0"),
        (lambda v: v["fmriTest"].__setitem__((0, 0), np.nan), "fmriTest holds 1 values"),
    ],
)
def test_another_file_is_refused(variables, change, message):
    change(variables)
    with pytest.raises(DataError, match=message):
        make_digit69(variables)


def test_absent_file_tells_where_it_was_looked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEURODECODE_DATA", os.fspath(tmp_path / "elsewhere"))
    with pytest.raises(DataError, match=r"elsewhere.*DGMM.*NEURODECODE_DATA"):
        Digit69().sources()


def test_damaged_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("NEURODECODE_DATA", os.fspath(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digit69").mkdir()
    (tmp_path / FACTS["file"]).write_bytes(b"MATLAB 5.0 MAT-file" + b" " * 109 + b"xx")
    with pytest.raises(DataError, match="cannot be read as a MATLAB file"):
        Digit69().run()


@needs_file
@pytest.mark.real_data
def test_the_recording_is_what_the_facts_say():
    from PIL import Image
    from sklearn.datasets import load_digits

    out = Digit69().run()
    responses, stimuli = out["responses"], out["stimuli"]
    assert responses.data.shape == (100, FACTS["n_voxels"])
    assert {c: int((stimuli.items["category"] == c).sum()) for c in "69"} == FACTS["n_per_class"]
    assert len(set(stimuli.items["digest"])) == 100
    assert (stimuli.data.min(), stimuli.data.max()) == (0, 255)

    digits = load_digits()
    references = {c: digits.images[digits.target == int(c)].mean(0).ravel() for c in "69"}

    def compare(category, reference, transposed):
        mean = stimuli.data[stimuli.items["category"] == category, ..., 0].mean(0)
        image = Image.fromarray((mean.T if transposed else mean).astype(np.float32))
        small = np.asarray(image.resize((8, 8), Image.Resampling.BICUBIC)).ravel()
        return np.corrcoef(small, references[reference])[0, 1]

    assert compare("6", "6", False) == pytest.approx(0.56, abs=0.02)
    assert compare("6", "6", True) == pytest.approx(0.24, abs=0.02)
    for own, other in ("69", "96"):
        assert compare(own, own, False) > compare(own, other, False)
