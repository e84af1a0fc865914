"""Arrays side by side, read as one array would be."""

import numpy as np
import pytest

from neurodecode.core.artifacts import Features
from neurodecode.core.digests import digest_array
from neurodecode.core.hdf5 import StoredArray, open_array, open_result
from neurodecode.core.joined import JoinedArray, join_columns
from neurodecode.core.tables import Table

RNG = np.random.default_rng(0)
WHOLE = RNG.standard_normal((300, 7, 2)).astype(np.float32)
PARTS = (WHOLE[:, :3], WHOLE[:, 3:4], WHOLE[:, 4:])


@pytest.fixture
def stored(store):
    """The parts, as a block-wise step keeps them."""
    arrays = {str(i): part for i, part in enumerate(PARTS)}
    store.write_block("a.b", "k", "block", arrays)
    return JoinedArray(tuple(store.read_block("a.b", "k", "block").values()))


@pytest.mark.parametrize(
    "key",
    [
        slice(None), slice(3, 120), 5, -1, np.array([4, 2, 2]), np.arange(300) % 7 == 1, ...,
        (slice(2, 9), slice(1, 5)), (5, 2), (np.array([1, 4]), slice(None), 0),
    ],
)  # fmt: skip
def test_reads_as_the_array_itself(stored, key):
    np.testing.assert_array_equal(stored[key], WHOLE[key])


def test_shape_and_digest_are_those_of_the_array_itself(stored):
    assert (stored.shape, stored.ndim, len(stored)) == (WHOLE.shape, 3, 300)
    assert stored.dtype == np.float32
    assert digest_array(stored) == digest_array(WHOLE)
    np.testing.assert_array_equal(np.asarray(stored, np.float64), WHOLE.astype(np.float64))


def test_a_result_can_be_written_of_it(stored, store):
    items = Table({"id": [str(i) for i in range(300)]})
    card = store.write("a.b", "k", {"features": Features(data=stored, items=items)}, {})
    again = store.write(
        "a.b", "other", {"features": Features(data=np.array(WHOLE), items=items)}, {}
    )
    assert card["outputs"]["features"]["digest"] == again["outputs"]["features"]["digest"]


def test_joined_at_once_where_all_is_in_memory(stored):
    assert isinstance(join_columns(PARTS), np.ndarray)
    assert isinstance(join_columns(stored.parts), JoinedArray)
    assert join_columns(PARTS[:1]) is PARTS[0]


@pytest.fixture
def wide(store):
    """A table of the width that is kept in tiles."""
    values = RNG.standard_normal((300, 5000)).astype(np.float32)
    items = Table({"id": [str(i) for i in range(300)]})
    card = store.write("a.b", "wide", {"features": Features(data=values, items=items)}, {})
    return values, store.read(card)["features"].data, card


def test_wide_tables_lie_in_tiles_and_are_read_by_rows_and_by_columns(wide):
    values, stored, card = wide
    with open_result(card["path"]) as file:
        assert file["outputs/features/data"].chunks == (128, 2048)
    for key in (
        (slice(None), slice(2048, 4096)), (slice(7, 130), slice(-10, None)),
        (np.array([250, 3]), slice(0, 3)), (slice(0, 0), slice(1, 4)), (slice(None), slice(4, 2)),
        (9, slice(3, 8)), (slice(None), np.array([1, 4999])), (slice(4, 9), slice(None, None, 7)),
    ):  # fmt: skip
        np.testing.assert_array_equal(stored[key], values[key])
    rows = stored.take_rows(np.array([4, 200, 17]))
    np.testing.assert_array_equal(rows[1:, 5:9], values[[200, 17], 5:9])


def test_a_block_of_columns_is_read_without_the_others(wide, monkeypatch):
    _, stored, card = wide
    import h5py

    read = []
    plain = h5py.Dataset.__getitem__

    def watch(self, key):
        found = plain(self, key)
        read.append(np.size(found))
        return found

    monkeypatch.setattr(h5py.Dataset, "__getitem__", watch)
    _ = stored[:, 2048:4096]
    assert read == [300 * 2048]
    assert isinstance(stored, StoredArray)
    with open_result(card["path"]) as file:
        array = open_array(card["path"], file, "outputs/features/data")
    assert array.shape == (300, 5000)
