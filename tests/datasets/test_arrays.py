import struct

import h5py
import numpy as np
import pytest
import scipy.io
from pydantic import ValidationError

from neurodecode.core.artifacts import list_arrays
from neurodecode.core.digests import digest_array
from neurodecode.core.errors import DataError
from neurodecode.core.raw import list_data_roots
from neurodecode.core.stage import read_outputs
from neurodecode.datasets.arrays import Arrays
from neurodecode.datasets.digit69 import FACTS, Digit69, make_digit69

DIGIT69 = {
    "name": "digit69",
    "responses": ("fmriTrn", "fmriTest"),
    "stimuli": ("stimTrn", "stimTest"),
    "categories": ("labelTrn", "labelTest"),
    "category_names": {1: "6", 2: "9"},
    "parts": ("train", "test"),
    "id_template": "{name}/{part}/{row:02d}",
    "image_shape": (28, 28),
    "transpose": (0, 2, 1),
    "licence": FACTS["licence"],
    "origin": FACTS["origin"],
}
ABSENT = not any((root / FACTS["file"]).exists() for root in list_data_roots())


def check_same(got, expected):
    """Same arrays, tables, ids and metadata, to the last byte."""
    for name, artifact in expected.items():
        ours = {k: digest_array(np.asarray(a)) for k, a, _ in list_arrays(got[name])}
        theirs = {k: digest_array(np.asarray(a)) for k, a, _ in list_arrays(artifact)}
        assert list(ours) == list(theirs)
        assert ours == theirs
    for field in ("units", "t_r", "sfreq", "tmin", "foldwise"):
        assert getattr(got["responses"], field) == getattr(expected["responses"], field)
    assert got["responses"].space.kind == expected["responses"].space.kind
    for field in ("of", "licence", "origin"):
        assert getattr(got["stimuli"], field) == getattr(expected["stimuli"], field)


def make_variables(seed=0):
    """Recordings of digit69's layout, with responses that follow the images."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(784, FACTS["n_voxels"])) / 784
    found = {}
    for name, n in (("Trn", 90), ("Test", 10)):
        images = rng.integers(0, 256, (n, 784)).astype(np.uint8)
        found[f"stim{name}"] = images
        found[f"fmri{name}"] = images @ mixing + rng.normal(size=(n, FACTS["n_voxels"]))
        found[f"label{name}"] = np.repeat([1, 2], n // 2).astype(np.uint8)[:, None]
    return found


def write_matlab73(path, variables):
    """Write as MATLAB does: axes reversed, text as 16-bit codes, cells as references."""
    with h5py.File(path, "w", userblock_size=512) as file:
        refs = file.create_group("#refs#")
        for name, value in variables.items():
            if isinstance(value, list):
                cells = np.empty((1, len(value)), h5py.ref_dtype)
                for i, text in enumerate(value):
                    codes = np.array([[ord(c)] for c in text], np.uint16)
                    refs.create_dataset(f"{name}{i}", data=codes).attrs["MATLAB_class"] = b"char"
                    cells[0, i] = refs[f"{name}{i}"].ref
                file.create_dataset(name, data=cells).attrs["MATLAB_class"] = b"cell"
            else:
                file.create_dataset(name, data=value.T).attrs["MATLAB_class"] = b"double"
    with path.open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")


def write_hdf5(path, variables):
    with h5py.File(path, "w") as file:
        for name, value in variables.items():
            file[name] = value


def write_csv(path, columns):
    names, blocks = [], []
    for name, values in columns.items():
        values = np.asarray(values)
        texts = np.array([repr(v) for v in values.ravel().tolist()]).reshape(len(values), -1)
        if values.dtype.kind == "U":
            texts = values[:, None]
        names += [name] if texts.shape[1] == 1 else [f"{name}_{i}" for i in range(texts.shape[1])]
        blocks.append(texts)
    lines = [",".join(row) for row in np.concatenate(blocks, 1)]
    path.write_text("\n".join([",".join(names), *lines]) + "\n", encoding="utf-8")


def write_digit69(folder, kind, variables):
    """Write the recordings in a format; return the settings that differ."""
    path = folder / f"digits.{kind.split('-')[0]}"
    if kind == "mat-5":
        scipy.io.savemat(path, variables, do_compression=True)
    elif kind == "mat-73":
        write_matlab73(path, variables)
    elif kind == "npz":
        np.savez(path, **variables)
    elif kind == "h5":
        write_hdf5(path, variables)
    elif kind == "npy":
        for name, value in variables.items():
            np.save(folder / f"{name}.npy", value)
        keys = ("responses", "stimuli", "categories")
        return {"path": str(folder / "fmriTrn.npy")} | {
            key: tuple(f"{name}.npy::" for name in DIGIT69[key]) for key in keys
        }
    else:
        for part in ("Trn", "Test"):
            columns = {k: variables[f"{k}{part}"] for k in ("fmri", "stim", "label")}
            write_csv(folder / f"{part}.csv", columns)
        return {
            "path": str(folder / "Trn.csv"),
            "responses": ("fmri_*", "Test.csv::fmri_*"),
            "stimuli": ("stim_*", "Test.csv::stim_*"),
            "categories": ("label", "Test.csv::label"),
        }
    return {"path": str(path)}


def test_responses_may_come_without_stimuli(tmp_path):
    assert read_outputs(Arrays)["stimuli"].optional
    np.save(tmp_path / "r.npy", np.random.default_rng(0).normal(size=(3, 2)))
    out = Arrays(path=str(tmp_path / "r.npy"), name="r", orientation="voxels_first").run()
    assert "stimuli" not in out
    assert out["responses"].samples["stimulus_id"].tolist() == ["r/0000", "r/0001"]


@pytest.mark.parametrize("kind", ["mat-5", "mat-73", "npz", "npy", "h5", "csv"])
def test_every_format_gives_the_artifacts_of_the_native_loader(tmp_path, kind):
    variables = make_variables()
    stage = Arrays(**(DIGIT69 | write_digit69(tmp_path, kind, variables)))
    assert len(stage.sources()) == {"npy": 6, "csv": 2}.get(kind, 1)
    got = stage.run()
    check_same(got, make_digit69(variables))
    assert got["check"].html == "<p>Nothing to report.</p>"


@pytest.mark.skipif(ABSENT, reason=f"{FACTS['file']} absent: set NEURODECODE_DATA")
@pytest.mark.real_data
def test_the_real_recording_comes_out_as_from_its_own_loader():
    expected = Digit69().run()
    got = Arrays(path=FACTS["file"], **DIGIT69).run()
    check_same(got, expected)
    assert "shifted" not in got["check"].html
    # Rolled by one trial, the check sees it although the rows are sorted by class.
    from neurodecode.datasets.array_checks import check_arrays

    data, images = got["responses"].data, got["stimuli"].data
    ids = got["responses"].samples["stimulus_id"]
    findings = check_arrays(np.roll(data, 1, 0), ids, got["stimuli"].items["id"], images)
    assert any("shifted by -1" in finding for finding in findings)


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Twelve trials of six pictures over two runs, in the working folder."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    pictures = rng.random((6, 4, 5, 3))
    shown = np.array([0, 1, 2, 3, 4, 5, 5, 4, 3, 2, 1, 0])
    arrays = {
        "betas": rng.normal(size=(12, 7)).astype(np.float32),
        "pictures": pictures,
        "shown": shown,
        "names": np.array([f"pic{i}" for i in range(6)]),
        "shown_names": np.array([f"pic{i}" for i in shown]),
        "kinds": np.array(["cat", "cat", "dog", "dog", "owl", "owl"]),
        "run": np.repeat([1, 2], 6),
        "onset": np.tile(np.arange(6) * 2.5, 2),
        "pupil": np.linspace(0, 1, 12),
    }
    np.savez(tmp_path / "small.npz", **arrays)
    return arrays


SMALL = {
    "path": "small.npz", "name": "small", "responses": "betas", "stimuli": "pictures",
    "stimulus_ids": "shown_names", "item_ids": "names", "categories": "kinds", "runs": "run",
    "onsets": "onset", "value_range": (0, 1), "columns": {"pupil": "pupil"}, "t_r": 1.5,
}  # fmt: skip


def test_collection_of_stimuli_is_joined_by_id(small):
    out = Arrays(**SMALL).run()
    responses, stimuli = out["responses"], out["stimuli"]
    assert responses.data.dtype == np.float32
    np.testing.assert_array_equal(responses.data, small["betas"])
    np.testing.assert_array_equal(stimuli.data, np.rint(small["pictures"] * 255))
    samples = responses.samples
    assert samples["run"].tolist() == ["01"] * 6 + ["02"] * 6
    assert samples["repeat"].tolist() == [0] * 6 + [1] * 6
    assert samples["category"].tolist() == small["kinds"][small["shown"]].tolist()
    assert samples["source"][0] == "small/pic0"
    np.testing.assert_array_equal(samples["onset_s"], small["onset"])
    np.testing.assert_array_equal(samples["pupil"], small["pupil"])
    assert responses.t_r == 1.5
    assert "6 stimuli were shown more than once" in out["check"].html


def test_side_arrays_from_a_table_give_the_same(small, tmp_path):
    text = {k: small[k] for k in ("shown_names", "run", "onset", "pupil")}
    write_csv(tmp_path / "trials.csv", text)
    elsewhere = {"stimulus_ids": "shown_names", "runs": "run", "onsets": "onset"}
    changed = {key: f"trials.csv::{name}" for key, name in elsewhere.items()}
    got = Arrays(**(SMALL | changed | {"columns": {"pupil": "trials.csv::pupil"}}))
    assert [path.name for path in got.sources()] == ["small.npz", "trials.csv"]
    check_same(got.run(), Arrays(**SMALL).run())


def test_text_and_cells_of_both_matlab_versions_are_alike(small, tmp_path):
    numeric = {k: small[k].astype(float) for k in ("betas", "pictures", "run", "onset", "pupil")}
    numeric |= {k: v[:, None] for k, v in numeric.items() if v.ndim == 1}
    texts = {k: small[k].tolist() for k in ("names", "shown_names", "kinds")}
    write_matlab73(tmp_path / "new.mat", numeric | texts)
    cells = {k: np.array([[t] for t in v], object) for k, v in texts.items()}
    cells["names"] = small["names"]  # a char matrix
    scipy.io.savemat(tmp_path / "old.mat", numeric | cells)
    expected = Arrays(**SMALL).run()
    for path in ("new.mat", "old.mat"):
        got = Arrays(**(SMALL | {"path": path})).run()
        assert got["responses"].data.dtype == np.float64
        check_same(
            {"stimuli": got["stimuli"], "responses": got["responses"]},
            {
                "stimuli": expected["stimuli"],
                "responses": type(expected["responses"])(
                    **{
                        **vars(expected["responses"]),
                        "data": np.asarray(expected["responses"].data, np.float64),
                    }
                ),
            },
        )


def test_structs_of_both_matlab_versions_are_reached_by_a_path(tmp_path):
    values = np.arange(12.0).reshape(3, 4)
    scipy.io.savemat(tmp_path / "old.mat", {"study": {"betas": values, "note": "hello"}})
    with h5py.File(tmp_path / "new.mat", "w", userblock_size=512) as file:
        file["study/betas"] = values.T
    for name in ("old.mat", "new.mat"):
        settings = {"path": str(tmp_path / name), "name": "x", "orientation": "samples_first"}
        got = Arrays(responses="study/betas", **settings).run()
        np.testing.assert_array_equal(got["responses"].data, values)
        with pytest.raises(DataError, match=r"Unknown array 'beta'.*Did you mean 'betas'"):
            Arrays(responses="study/beta", **settings).run()


def test_row_numbers_count_from_where_it_is_stated(small):
    numbers = {"stimulus_ids": "shown", "item_ids": None, "count_from": 0}
    zero = Arrays(**(SMALL | numbers)).run()
    np.testing.assert_array_equal(
        zero["responses"].samples["stimulus_id"], small["shown"].astype(str)
    )
    with pytest.raises(DataError, match=r"numbered 1 to 6: .*2 name .*Set count_from: 0"):
        Arrays(**(SMALL | numbers | {"count_from": 1})).run()


def test_voxels_first_and_matlab_masks_are_brought_into_our_order(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(2)
    volumes, mask = rng.normal(size=(5, 3, 4, 2)), rng.random((3, 4, 2)) > 0.4
    ours = volumes[:, mask]
    matlab = np.stack([volume.ravel("F")[mask.ravel("F")] for volume in volumes], 1)  # voxels first
    grid = np.stack(np.meshgrid(range(3), range(4), range(2), indexing="ij"), -1).astype(float)
    positions = np.stack([grid[..., a].ravel("F")[mask.ravel("F")] for a in range(3)], 1)
    np.savez("m.npz", data=matlab, mask=mask, runs=np.ones(5), xyz=positions)
    stage = {"path": "m.npz", "name": "m", "responses": "data", "mask": "mask"}
    got = Arrays(**stage, mask_order="F", runs="runs", coordinates_mm="xyz").run()["responses"]
    np.testing.assert_array_equal(got.data, ours)
    np.testing.assert_array_equal(got.space.coordinates_mm, grid[mask])
    assert got.space.kind == "volume"
    with pytest.raises(ValidationError, match="mask needs mask_order"):
        Arrays(**stage)


def test_epochs_keep_their_time_axis(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("eeg.npy", np.random.default_rng(0).normal(size=(4, 3, 6)).astype(np.float32))
    base = {"path": "eeg.npy", "name": "e", "orientation": "samples_first", "units": "V"}
    got = Arrays(**base, sfreq=128, tmin=-0.1).run()["responses"]
    assert (got.data.shape, got.sfreq, got.units) == ((4, 3, 6), 128, "V")
    with pytest.raises(DataError, match="time axis, but no sampling frequency"):
        Arrays(**base).run()


def test_text_stimuli(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("r.npy", np.random.default_rng(0).normal(size=(3, 2)))
    (tmp_path / "t.tsv").write_text("word\nsea\n\u00fcber\nsea, calm\n", encoding="utf-8")
    got = Arrays(path="r.npy", name="t", stimuli="t.tsv::word", stimulus_kind="text").run()
    assert got["stimuli"].data.tolist() == ["sea", "\u00fcber", "sea, calm"]


def test_nan_passes_only_when_asked(small, tmp_path):
    small["betas"][2, 3] = np.nan
    np.savez(tmp_path / "small.npz", **small)
    with pytest.raises(
        DataError, match=r"1 of 7 voxels \(counted from 0: 3\) are NaN or infinite, in 1 \(2\)"
    ):
        Arrays(**SMALL).run()
    out = Arrays(**SMALL, keep_nan=True).run()
    assert "1 of 7 voxels" in out["check"].html


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"responses": "beta"}, r"Unknown array 'beta'. Did you mean 'betas'\?"),
        ({"responses": ""}, "holds betas, kinds.* none was named"),
        ({"orientation": "voxels_first"}, r"\(12, 7\) read as 'voxels_first'.*12 samples"),
        ({"stimulus_ids": "names"}, "lengths differ: stimulus_ids 6, runs 12, onsets 12"),
        ({"categories": "run"}, r"stimuli 6, item_ids 6, categories \(one per stimulus\) 12"),
        ({"item_ids": "kinds"}, r"3 stimulus ids are given to several stimuli \(cat, dog, owl\)"),
        ({"responses": "shown_names"}, "holds text of shape .*Allowed: real numbers"),
        ({"value_range": (0, 255)}, "whole numbers from 0 to 255, or set value_range"),
        ({"value_range": (0, 0.5)}, "outside value_range"),
        ({"transpose": (0, 1)}, "does not order the 4 axes"),
        ({"image_shape": (4, 5)}, "image_shape"),
        ({"category_names": {"cat": "a", "dgo": "b", "owl": "c"}}, "'dog'. Did you mean 'dgo'"),
        ({"coordinates_mm": "pictures"}, r"coordinates_mm have shape \(6, 4, 5, 3\)"),
        ({"runs": "pupil"}, "hold fractions or NaN"),
        ({"stimulus_ids": "pictures"}, "labels 'pictures' .* have shape"),
        ({"columns": {"kind": "kinds"}}, "lengths differ: responses 12, kind 6"),
        ({"path": "nowhere.npz"}, "'nowhere.npz' is in none of the folders"),
        ({"onsets": "trials.xlsx::onset"}, "'trials.xlsx' is in none"),
    ],
)
def test_mistakes_are_refused(small, change, message):
    with pytest.raises(DataError, match=message):
        Arrays(**(SMALL | change)).run()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"item_ids": "names"}, "need both stimuli and stimulus_ids"),
        ({"parts": ("a", "b")}, "parts names 2 parts, not 1"),
        ({"id_template": "{nam}"}, "Known here: name, id, part, row"),
        ({"columns": {"run": "run"}}, "settings of their own"),
        ({"value_range": (1, 0)}, "smaller first"),
        ({"name": "a/b"}, "pattern"),
    ],
)
def test_contradictory_settings_are_refused(settings, message):
    with pytest.raises(ValidationError, match=message):
        Arrays(**({"path": "x.npy", "name": "x"} | settings))


def test_orientation_is_never_guessed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("square.npz", data=np.random.default_rng(0).normal(size=(4, 4)), runs=np.ones(4))
    base = {"path": "square.npz", "name": "s", "responses": "data"}
    for known in ({}, {"runs": "runs"}):
        with pytest.raises(DataError, match="Add to this step orientation: samples_first"):
            Arrays(**base, **known).run()
    first = Arrays(**base, orientation="samples_first").run()["responses"].data
    other = Arrays(**base, orientation="voxels_first").run()["responses"].data
    np.testing.assert_array_equal(first.T, other)


def test_one_id_with_two_pictures_is_refused(small):
    rows = {"stimuli": "betas", "item_ids": None, "categories": None, "image_shape": (7, 1)}
    with pytest.raises(DataError, match="6 stimulus ids come with different stimuli"):
        Arrays(**(SMALL | rows | {"value_range": (-9, 9)})).run()


class TestFilesThatAreRefused:
    def read(self, path, responses="data"):
        stage = Arrays(path=str(path), name="x", responses=responses, orientation="samples_first")
        with pytest.raises(DataError) as caught:
            stage.run()
        return str(caught.value)

    def test_pickles(self, tmp_path):
        objects = np.array([{"a": 1}, None], object)
        np.savez(tmp_path / "p.npz", data=objects, allow_pickle=True)
        np.save(tmp_path / "p.npy", objects, allow_pickle=True)
        (tmp_path / "q.npz").write_bytes(b"\x80\x04K\x01.")
        assert "is a pickle of Python objects" in self.read(tmp_path / "p.npz")
        assert "is a pickle of Python objects" in self.read(tmp_path / "p.npy", "")
        assert "no .npz archive" in self.read(tmp_path / "q.npz")

    @pytest.mark.parametrize("kind", ["npz", "npy", "mat-5", "mat-73", "h5"])
    def test_truncated(self, tmp_path, kind):
        path = tmp_path / f"t.{kind.split('-')[0]}"
        data = {"data": np.random.default_rng(0).normal(size=(50, 40))}
        {
            "npz": lambda: np.savez(path, **data),
            "npy": lambda: np.save(path, data["data"]),
            "mat-5": lambda: scipy.io.savemat(path, data),
            "mat-73": lambda: write_matlab73(path, data),
            "h5": lambda: write_hdf5(path, data),
        }[kind]()
        path.write_bytes(path.read_bytes()[:9000])
        message = self.read(path, "" if kind == "npy" else "data")
        assert "truncated" in message

    def test_links_that_leave_the_file(self, tmp_path):
        write_hdf5(tmp_path / "other.h5", {"data": np.ones((3, 2))})
        layout = h5py.VirtualLayout((3, 2), float)
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "data", (3, 2))
        with h5py.File(tmp_path / "links.h5", "w") as file:
            file["external"] = h5py.ExternalLink("other.h5", "data")
            file["around"] = h5py.SoftLink("/external")
            file["loop"] = h5py.SoftLink("/loop")
            file.create_virtual_dataset("virtual", layout)
            file.create_dataset(
                "raw", (3, 2), float, external=[(str(tmp_path / "x.raw"), 0, h5py.h5f.UNLIMITED)]
            )
            file["in/real"] = np.arange(6.0).reshape(3, 2)
            file["in/soft"] = h5py.SoftLink("real")
            file["soft"] = h5py.SoftLink("/in/soft")
            file["table"] = np.zeros(3, [("a", float)])
        path = tmp_path / "links.h5"
        assert "external link to 'other.h5'" in self.read(path, "external")
        assert "external link to 'other.h5'" in self.read(path, "around")
        assert "links without end" in self.read(path, "loop")
        assert "virtual dataset" in self.read(path, "virtual")
        assert "data lie in another file" in self.read(path, "raw")
        assert "values of type [('a'" in self.read(path, "table")
        assert "in/real, in/soft" in self.read(path, "in")
        assert "Did you mean 'real'" in self.read(path, "in/rael")
        got = Arrays(path=str(path), name="x", responses="soft", orientation="samples_first").run()
        np.testing.assert_array_equal(got["responses"].data, np.arange(6.0).reshape(3, 2))

    def test_tables(self, tmp_path):
        path = tmp_path / "t.csv"
        path.write_text("v_1,v_2,run\n1,2,1\n3,four,1\n")
        assert "column 'v_2', line 3 holds 'four'. Allowed: numbers" in self.read(path, "v_*")
        assert "Did you mean 'v_1'" in self.read(path, "v_1,v1")
        assert "no column of" in self.read(path, "w_*")
        path.write_text("a,b\n1,2\n3\n")
        assert "line 3 has 1 cells, the header 2" in self.read(path, "a,b")
        path.write_text("a,a\n1,2\n")
        assert "columns of the same name (a)" in self.read(path, "a")

    def test_matlab_content_that_is_no_array(self, tmp_path):
        path = tmp_path / "m.mat"
        mixed = np.empty((1, 2), object)
        mixed[0, 0], mixed[0, 1] = np.ones((2, 2)), "text"
        eye = scipy.sparse.eye_array(3, format="csc")
        scipy.io.savemat(path, {"mixed": mixed, "sparse": eye, "s": {"a": 1}})
        assert "cell array of mixed" in self.read(path, "mixed")
        assert "sparse" in self.read(path, "sparse")
        assert "a struct with fields a" in self.read(path, "s")

    def test_key_for_npy_and_unknown_format(self, tmp_path):
        np.save(tmp_path / "a.npy", np.ones((2, 2)))
        assert "holds one array without a name" in self.read(tmp_path / "a.npy")
        (tmp_path / "a.xlsx").write_bytes(b"")
        assert "Allowed: .npy, .npz" in self.read(tmp_path / "a.xlsx")


def test_doubles_that_matlab_packed_into_bytes_are_doubles_again(tmp_path):
    def element(kind, payload):
        padding = b"\0" * (-len(payload) % 8)
        return struct.pack("<II", kind, len(payload)) + payload + padding

    # MATLAB writes whole-numbered doubles (class 6) as 8-bit integers (type 2).
    flags = element(6, struct.pack("<II", 6, 0))
    name, shape = element(1, b"betas"), element(5, struct.pack("<ii", 2, 3))
    matrix = element(14, flags + shape + name + element(2, bytes([1, 4, 2, 5, 3, 6])))
    head = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    (tmp_path / "packed.mat").write_bytes(head + matrix)
    stage = Arrays(path=str(tmp_path / "packed.mat"), name="p", responses="betas", subject="02",
                   orientation="samples_first")  # fmt: skip
    got = stage.run()["responses"]
    assert got.data.dtype == np.float64
    np.testing.assert_array_equal(got.data, [[1, 2, 3], [4, 5, 6]])
