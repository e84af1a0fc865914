"""core.stacked against np.concatenate."""

import pickle

import numpy as np
import pytest

from neurodecode.core.stacked import StackedArray


class Part:
    """An array that counts how often it is read."""

    def __init__(self, values):
        self.values, self.shape, self.dtype, self.n_reads = values, values.shape, values.dtype, 0

    def __len__(self):
        return len(self.values)

    def __getitem__(self, key):
        self.n_reads += 1
        return self.values[key]

    def __array__(self, dtype=None, copy=None):
        return self[:]


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return [rng.normal(size=(n, 4)).astype(np.float32) for n in (5, 1, 7)]


@pytest.mark.parametrize("holds", [True, False])
@pytest.mark.parametrize(
    "key",
    [
        slice(None), slice(3, 9), slice(None, None, 3), 0, -1, np.array([12, 0, 5, 5]),
        (slice(2, 8), slice(1, 3)), (4, 2), np.arange(13) % 2 == 0, (slice(None), [3, 0]), Ellipsis,
    ],
)  # fmt: skip
def test_reads_as_if_concatenated(arrays, key, holds):
    stacked = StackedArray(tuple(arrays), holds=holds)
    whole = np.concatenate(arrays)
    assert (stacked.shape, stacked.dtype, stacked.ndim) == (whole.shape, whole.dtype, 2)
    np.testing.assert_array_equal(stacked[key], whole[key])
    rows = np.array([3, 11, 6, 2, 2, 0, 12, 5, 4, 1, 9, 10, 8])
    np.testing.assert_array_equal(stacked.take_rows(rows)[key], whole[rows][key])
    again = pickle.loads(pickle.dumps(stacked.take_rows(rows).take_rows(rows)))
    np.testing.assert_array_equal(np.asarray(again), whole[rows][rows])


def test_held_parts_are_read_once_from_front_to_back(arrays):
    parts = tuple(Part(a) for a in arrays)
    stacked = StackedArray(parts, holds=True)
    for start in range(0, 13, 2):
        np.testing.assert_array_equal(
            stacked[start : start + 2], np.concatenate(arrays)[start : start + 2]
        )
    assert [part.n_reads for part in parts] == [1, 1, 1]
    assert len(stacked._held) == 1
    assert not pickle.loads(pickle.dumps(StackedArray(tuple(arrays), holds=True)))._held


def test_a_row_out_of_reach_is_an_index_error(arrays):
    with pytest.raises(IndexError):
        StackedArray(tuple(arrays))[13]
