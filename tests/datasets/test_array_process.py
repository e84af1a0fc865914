"""Arrays read in another process are those in the file, and what happens there stays there."""

import gc

import h5py
import numpy as np
import pytest

from neurodecode.core.errors import DataError
from neurodecode.datasets.array_process import ArrayProcess
from tests.attacks.bad_files import nest, write_matlab

ARRAYS = {
    "numbers": np.arange(12.0).reshape(3, 4),
    "big_endian": np.arange(5, dtype=">i4"),
    "flags": np.array([True, False]),
    "scalar": np.float32(2.5),
    "nothing": np.zeros((0, 3)),
    "large": np.random.default_rng(0).random((1000, 300)),
}


@pytest.fixture
def path(tmp_path):
    with h5py.File(tmp_path / "arrays.h5", "w") as file:
        for name, array in ARRAYS.items():
            file[name] = array
        file["text"] = ["größe", "", "漢字"]
    return tmp_path / "arrays.h5"


def test_arrays_come_as_they_are(path):
    reader = ArrayProcess("test")
    for name, array in ARRAYS.items():
        found = reader.read(path, name)
        assert (found.dtype, found.shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(found, array)
    assert reader.read(path, "text").tolist() == ["größe", "", "漢字"]


def test_after_a_crash_the_next_array_is_read(path, tmp_path):
    write_matlab(nest(200_000))(tmp_path / "deep.mat")
    reader = ArrayProcess("test")
    for _ in range(2):
        with pytest.raises(DataError, match=r"test: 'betas' in .*deep.mat crashes the library"):
            reader.read(tmp_path / "deep.mat", "betas")
        np.testing.assert_array_equal(reader.read(path, "numbers"), ARRAYS["numbers"])


def test_refusals_are_the_readers_own(path):
    reader = ArrayProcess("test")
    with pytest.raises(DataError, match=r"Unknown array 'nubers'. Did you mean 'numbers'"):
        reader.read(path, "nubers")
    assert len(reader.read(path, "numbers")) == 3


def test_the_process_ends_with_its_reader(path):
    reader = ArrayProcess("test")
    reader.read(path, "flags")
    process = reader._process
    assert process.poll() is None
    del reader
    gc.collect()
    assert process.poll() is not None
