"""Results as files: whole or absent, read lazily, and checked to the last byte."""

import json
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest

from neurodecode.core import hdf5
from neurodecode.core.artifacts import ARTIFACTS, Features, Foldwise, Stimuli, make_items
from neurodecode.core.digests import digest_array, digest_file
from neurodecode.core.errors import StoreError
from neurodecode.core.hdf5 import StoredArray
from neurodecode.core.lineage import Contact, Lineage, make_row_tokens, mix_rows
from neurodecode.core.packing import pack, pack_lineage
from neurodecode.core.seals import write_card
from neurodecode.core.store import Store, read_outputs_of, verify_file
from neurodecode.core.tables import Table
from tests.contract import digest
from tests.examples import make_all, make_features, make_responses, make_split

STAGE, KEY = "toys.example", "0123abcd"


def write_one(store, artifact, **card):
    full = store.write(STAGE, KEY, {"it": artifact}, card)
    return Path(full["path"]), full


def with_lineage(artifact):
    """Give responses a lineage with contacts and peers."""
    tokens = make_row_tokens(artifact.samples)
    seen = {k: np.unique(v) for k, v in tokens.items()}
    lineage = Lineage(
        seen={
            -1: (Contact("first", "label", None, seen),),
            2: (Contact("ü", "unknown", "why", {}),),
        },
        split="abc",
        unit="run",
    )
    groups = np.arange(24) // 8
    return artifact.with_lineage(
        mix_rows(lineage, tokens, groups, step="z", kind="transductive", reason=None)
    )


# --------------------------------------------------------------------------------- round trips


@pytest.mark.parametrize("kind", list(ARTIFACTS))
def test_every_artifact_comes_back(store, kind):
    artifact = make_all()[kind]
    path, card = write_one(store, artifact)
    found = store.read(card)["it"]
    assert type(found) is type(artifact)
    assert card["outputs"]["it"]["digest"] == digest(artifact) == digest(found)
    arrays, meta = pack(artifact)
    found_arrays, found_meta = pack(found)
    assert found_meta == meta
    for name, array in arrays.items():
        np.testing.assert_array_equal(np.asarray(found_arrays[name]), np.asarray(array))
        if np.asarray(array).dtype.kind != "U":
            assert found_arrays[name].dtype == array.dtype
    assert verify_file(path) == []


def test_foldwise_and_lineage_come_back(store):
    from dataclasses import replace

    steps = Foldwise.identity(3, 8, make_split().digest).then(np.ones((3, 8)), np.full((3, 8), 2.0))
    artifact = with_lineage(replace(make_responses(), foldwise=steps))
    _, card = write_one(store, artifact)
    found = store.read(card)["it"]
    np.testing.assert_array_equal(found.read([3, 1], fold=2), artifact.read([3, 1], fold=2))
    arrays, meta = pack_lineage(artifact.lineage)
    found_arrays, found_meta = pack_lineage(found.lineage)
    assert found_meta == meta
    for name, array in arrays.items():
        np.testing.assert_array_equal(found_arrays[name], array)


@pytest.mark.parametrize(
    "array",
    [
        np.array(["größe", "漢字", "", "ascii"]),
        np.zeros((0, 5), np.float32),
        np.zeros(0, "U3"),
        np.array(["", ""]),
        np.array([True, False]),
        np.array([np.nan, np.inf, -0.0]),
        np.array([[2**63]], np.uint64),
        np.ones((2, 3, 4, 5), np.float16),
        np.array([1 + 2j]),
        np.ones((3, 400_000), np.float32),
    ],
    ids=lambda a: f"{a.dtype}{a.shape}",
)
def test_every_kind_of_array_comes_back(store, array):
    artifact = Features(data=array, items=Table({"id": [str(i) for i in range(len(array))]}))
    _, card = write_one(store, artifact)
    found = store.read(card)["it"].data
    np.testing.assert_array_equal(np.asarray(found), array)
    assert np.asarray(found).dtype.kind == array.dtype.kind
    assert digest_array(found) == digest_array(array)


def test_python_objects_are_refused(store):
    data = np.array([None, {}], object)
    with pytest.raises(StoreError, match="Python objects"):
        write_one(store, Features(data=data, items=Table({"id": ["a", "b"]})))


def test_a_file_explains_itself(store):
    path, _ = write_one(store, make_responses(), stage=STAGE, version=3, settings={"a": 1})
    with h5py.File(path) as file:
        data = file["outputs/it/data"]
        assert (data.attrs["dims"], data.attrs["units"]) == ("sample, voxel", "a.u.")
        assert file["outputs/it/space/vertices"].attrs["dims"] == "voxel"
        assert data.fletcher32
        assert file.attrs["stage"] == STAGE
        assert file.attrs["version"] == 3


def test_arrays_of_a_mapping_have_dims_too(store):
    path, _ = write_one(store, make_responses())
    with h5py.File(path) as file:
        assert file["outputs/it/space/rois/0"].attrs["dims"] == "voxel"


# -------------------------------------------------------------------------------------- lazily


@pytest.fixture
def counted(monkeypatch):
    """Rows read from datasets whose values are sliced."""
    read = []
    original = h5py.Dataset.__getitem__

    def count(self, key, **options):
        values = original(self, key, **options)
        if "/outputs/" in self.name:
            read.append((self.name, np.shape(values)))
        return values

    monkeypatch.setattr(h5py.Dataset, "__getitem__", count)
    return read


def test_opening_reads_no_data_and_slicing_what_is_sliced(store, counted):
    _, card = write_one(store, make_features())
    counted.clear()
    found = store.read(card)["it"]
    assert not [name for name, _ in counted if name.endswith("/data")]
    assert isinstance(found.data, StoredArray)
    assert found.data.shape == (12, 5)
    counted.clear()
    part = found.data[3:5]
    assert counted == [("/outputs/it/data", (2, 5))]
    np.testing.assert_array_equal(part, make_features().data[3:5])
    counted.clear()
    assert found.data[-1, 2] == make_features().data[-1, 2]
    assert counted == [("/outputs/it/data", (1, 5))]


@pytest.mark.parametrize(
    "key",
    [
        2, -1, np.int64(3), slice(None), slice(2, 9, 3), slice(None, None, -1), [5, 1, 1], [],
        np.arange(12) % 2 == 0, (slice(1, 3), 2), ([4, 2], slice(1, 3)), (3, [0, 1]), Ellipsis,
        (Ellipsis, 0),
    ],
    ids=str,
)  # fmt: skip
def test_slices_are_those_of_numpy(store, key):
    _, card = write_one(store, make_features())
    data, wanted = store.read(card)["it"].data, make_features().data
    np.testing.assert_array_equal(data[key], wanted[key])


def test_selections_stay_lazy_and_add_up(store, counted):
    _, card = write_one(store, make_features())
    found = store.read(card)["it"]
    counted.clear()
    taken = found.take(np.array([7, 2, 9])).take(slice(1, None)).take([True, True])
    assert not [name for name, _ in counted if name.endswith("/data")]
    assert taken.items["id"].tolist() == ["photo02", "photo09"]
    np.testing.assert_array_equal(np.asarray(taken.data), make_features().data[[2, 9]])
    assert digest(taken) == digest(make_features().take([2, 9]))


def test_rows_out_of_range_are_refused(store):
    _, card = write_one(store, make_features())
    data = store.read(card)["it"].data
    with pytest.raises(IndexError):
        data[12]
    with pytest.raises(IndexError):
        data.take_rows([12])


def test_arrays_travel_as_path_and_selection(store):
    images = np.zeros((40, 64, 64, 3), np.uint8)
    _, card = write_one(store, Stimuli(data=images, items=make_items(range(40), images)))
    data = store.read(card)["it"].data
    sent = pickle.dumps(data.take_rows([3, 1]))
    assert len(sent) < 2000
    np.testing.assert_array_equal(np.asarray(pickle.loads(sent)), images[[3, 1]])


# ------------------------------------------------------------------------------ whole or absent


def test_an_error_while_writing_leaves_nothing(store, monkeypatch):
    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr(hdf5, "pack_lineage", fail)
    with pytest.raises(OSError, match="disk full"):
        write_one(store, make_responses())
    assert [p for p in store.folder.rglob("*") if p.is_file()] == []


def test_a_result_without_its_card_is_missing(store):
    path, _ = write_one(store, make_features())
    assert store.read_card(STAGE, KEY) is not None
    path.with_suffix(".json").unlink()
    assert store.read_card(STAGE, KEY) is None


@pytest.mark.parametrize("suffix", [".h5", ".json"])
def test_a_truncated_file_is_missing(store, suffix):
    path, _ = write_one(store, make_features())
    target = path.with_suffix(suffix)
    target.write_bytes(target.read_bytes()[:-1])
    assert store.read_card(STAGE, KEY) is None
    assert list(store.iterate_cards()) == []
    assert verify_file(path)


def test_a_changed_card_is_missing(store):
    path, _ = write_one(store, make_features(), seconds=12)
    beside = path.with_suffix(".json")
    beside.write_text(beside.read_text().replace('"seconds":12', '"seconds":13'))
    assert store.read_card(STAGE, KEY) is None
    assert any("card" in problem for problem in verify_file(path))


def test_a_card_can_be_written_again(store):
    _, card = write_one(store, make_features(), settings={"a": 1})
    path = Path(store.write(STAGE, "other", {"it": store.read(card)["it"]}, card)["path"])
    assert verify_file(path) == []
    assert store.read_card(STAGE, "other")["settings"] == {"a": 1}


def test_removed_is_gone(store):
    path, card = write_one(store, make_features())
    store.remove(card)
    assert store.read_card(STAGE, KEY) is None
    assert not path.exists()


def list_datasets(path):
    """Return (name, first byte, bytes) of every dataset with data in a file."""
    found = []

    def keep(name, item):
        if not isinstance(item, h5py.Dataset) or not item.size:
            return
        if item.chunks is None:
            found.append((name, item.id.get_offset(), item.id.get_storage_size()))
        else:
            for i in range(item.id.get_num_chunks()):
                chunk = item.id.get_chunk_info(i)
                found.append((f"{name} {i}", chunk.byte_offset, chunk.size))

    with h5py.File(path) as file:
        file.visititems(keep)
    return found


def test_a_flipped_bit_is_found_in_every_dataset(store):
    path, _ = write_one(store, with_lineage(make_responses()), settings={"a": 1})
    whole = path.read_bytes()
    datasets = list_datasets(path)
    names = {name.split("/")[0].split()[0] for name, _, _ in datasets}
    assert names == {"card", "lineage", "meta", "outputs"}
    for name, start, size in datasets:
        for place in (start + size // 2,):
            damaged = bytearray(whole)
            damaged[place] ^= 1
            path.write_bytes(damaged)
            assert verify_file(path), f"{name}: byte {place - start} of {size}"
    path.write_bytes(whole)
    assert verify_file(path) == []


def test_a_flipped_bit_anywhere_is_found(store):
    path, _ = write_one(store, make_features())
    whole = path.read_bytes()
    missed = []
    for place in range(7, len(whole), max(1, len(whole) // 60)):
        damaged = bytearray(whole)
        damaged[place] ^= 16
        path.write_bytes(damaged)
        if not verify_file(path):
            missed.append(place)
    assert missed == []


def test_damage_is_never_read_as_data(store):
    path, card = write_one(store, make_features())
    _, start, size = next(d for d in list_datasets(path) if d[0].startswith("outputs/it/data"))
    damaged = bytearray(path.read_bytes())
    damaged[start + size // 2] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(StoreError, match=r"its bytes differ.*run the pipeline again"):
        store.read(card)
    found = read_outputs_of(vouch_for(path))["it"]  # chunks carry a checksum of their own
    with pytest.raises(StoreError, match=r"outputs/it/data.*damaged"):
        np.asarray(found.data)


def vouch_for(path):
    """Write a card whose digest is that of the file as it is now."""
    with h5py.File(path) as file:
        card = json.loads(file["card"][()].tobytes())
    write_card(path, {**card, "bytes": path.stat().st_size, "file": digest_file(path)})
    return path


def test_damaged_bytes_never_reach_hdf5(store, monkeypatch):
    path, card = write_one(store, make_features())
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    monkeypatch.setattr(h5py, "File", None)
    with pytest.raises(StoreError, match="bytes differ"):
        store.read(card)
    assert "bytes differ" in verify_file(path)[0]


def test_a_file_without_a_card_is_read_only_when_asked_for(store):
    path, card = write_one(store, make_features())
    path.with_suffix(".json").unlink()
    with pytest.raises(StoreError, match="no card beside it"):
        store.read(card)
    assert digest(read_outputs_of(path, alone=True)["it"]) == digest(make_features())


@pytest.mark.parametrize("what", ["other spelling", "longer", "list", "empty", "deep"])
def test_a_card_is_read_to_the_letter(store, what):
    path, _ = write_one(store, make_features(), seconds=1e22)
    beside = path.with_suffix(".json")
    text = beside.read_text()
    changed = {
        "other spelling": text.replace("1e+22", "1E+22"), "longer": text + " ", "list": "[]",
        "empty": "", "deep": "[" * 100_000,
    }[what]  # fmt: skip
    assert changed != text
    beside.write_text(changed)
    assert store.read_card(STAGE, KEY) is None
    assert "the card is damaged" in store.damage[0]
    assert "the card is damaged" in verify_file(path)[0]
    assert list(store.iterate_cards()) == []


# ------------------------------------------------------------------------------- foreign files


def test_links_to_other_files_are_refused(store, tmp_path):
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["data"] = np.ones((12, 5), np.float32)
    for how in ("external", "virtual", "raw"):
        path, _ = write_one(store, make_features())
        with h5py.File(path, "r+") as file:
            if how == "external":
                del file["outputs/it/data"]
                file["outputs/it/data"] = h5py.ExternalLink(str(secret), "data")
            elif how == "virtual":
                layout = h5py.VirtualLayout((12, 5), np.float32)
                layout[:] = h5py.VirtualSource(str(secret), "data", (12, 5))
                file.create_virtual_dataset("outputs/it/more", layout)
            else:
                file.create_dataset("raw", (3,), "u1", external=[(str(secret), 0, 3)])
        with pytest.raises(StoreError, match="bytes"):
            read_outputs_of(path)
        with pytest.raises(StoreError, match="refused"):
            read_outputs_of(vouch_for(path))
        assert any("refused" in problem for problem in verify_file(path))


def test_another_schema_is_refused(store):
    path, _ = write_one(store, make_features())
    with h5py.File(path, "r+") as file:
        file.attrs["schema"] = 99
    vouch_for(path)
    with pytest.raises(StoreError, match="schema 99"):
        read_outputs_of(path)


def test_what_is_no_result_is_refused(tmp_path):
    for content in (b"", b"not hdf5 at all"):
        path = tmp_path / "foreign.h5"
        path.write_bytes(content)
        with pytest.raises(StoreError, match="damaged"):
            read_outputs_of(path, alone=True)
    with h5py.File(path, "w") as file:
        file.attrs["schema"] = 1
    with pytest.raises(StoreError):
        read_outputs_of(path, alone=True)


# -------------------------------------------------------------------------------------- pieces


def test_pieces_are_kept_until_dropped(store):
    arrays = {"a/b": np.arange(3), "größe": np.ones((2, 2), np.float32)}
    store.write_block(STAGE, KEY, "fold=0/run 1", arrays)
    found = store.read_block(STAGE, KEY, "fold=0/run 1")
    assert list(found) == list(arrays)
    for name in arrays:
        np.testing.assert_array_equal(np.asarray(found[name]), arrays[name])
    assert store.read_block(STAGE, KEY, "fold=1") is None
    store.drop_blocks(STAGE, KEY)
    assert store.read_block(STAGE, KEY, "fold=0/run 1") is None


@pytest.mark.parametrize("place", [0, 100, 511, 512, 600, -1])
def test_a_damaged_piece_is_none_and_told(store, place):
    store.write_block(STAGE, KEY, "one", {"x": np.arange(3)})
    path = store.block_path(STAGE, KEY, "one")
    damaged = bytearray(path.read_bytes())
    damaged[place] ^= 8
    path.write_bytes(damaged)
    assert store.read_block(STAGE, KEY, "one") is None
    assert not path.exists()
    assert "bytes differ from the digest in its head" in store.damage[0]


def test_pieces_of_like_names_are_kept_apart(store):
    store.write_block(STAGE, KEY, "a b", {"x": np.array([1])})
    store.write_block(STAGE, KEY, "a_b", {"x": np.array([2])})
    assert np.asarray(store.read_block(STAGE, KEY, "a b")["x"]).tolist() == [1]


def test_the_newest_card_comes_first(store):
    import os

    for i, key in enumerate(("old", "new")):
        path = Path(store.write(STAGE, key, {"it": make_features()}, {"key": key})["path"])
        os.utime(path.with_suffix(".json"), (1000 + i, 1000 + i))
    assert [card["key"] for card in store.iterate_cards(STAGE)] == ["new", "old"]
    assert list(store.iterate_cards("toys.other")) == []


def test_a_folder_behind_is_read(tmp_path):
    behind = Store(tmp_path / "behind")
    write_one(behind, make_features())
    front = Store(tmp_path / "front", [behind.folder])
    card = front.read_card(STAGE, KEY)
    assert digest(front.read(card)["it"]) == digest(make_features())
    assert not front.folder.exists()


def test_what_is_behind_is_passed_over_but_never_removed(tmp_path):
    behind = Store(tmp_path / "behind")
    path, _ = write_one(behind, make_features())
    front = Store(tmp_path / "front", [behind.folder])
    front.remove(front.read_card(STAGE, KEY))
    assert front.read_card(STAGE, KEY) is None
    assert path.exists()
    assert path.with_suffix(".json").exists()
    assert front.read_card(STAGE, KEY) is None
    write_one(front, make_features())
    assert Path(front.read_card(STAGE, KEY)["path"]).is_relative_to(front.folder)
