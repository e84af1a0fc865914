"""Objects taken apart into arrays, and put together again."""

from dataclasses import dataclass

import numpy as np
import pytest

from neurodecode.numerics.records import put_together, take_apart


@dataclass(frozen=True, eq=False)
class Inner:
    values: np.ndarray
    n: int
    rest: np.ndarray | None = None


class Outer:
    def __init__(self):
        self.inner = [Inner(np.arange(3.0), 2), Inner(np.asfortranarray(np.eye(3)[:2]), 3)]
        self.pair = (np.int64(4), ("text", None, True, 0.1))
        self.dtype = np.dtype(np.float32)
        self.data = object()

    def total(self):
        return sum(part.values.sum() for part in self.inner)


def test_comes_back_as_it_was():
    arrays = take_apart(Outer(), leave=("data",))
    assert all(isinstance(array, np.ndarray) for array in arrays.values())
    again = put_together(Outer, arrays, (Inner,), data="given")
    assert isinstance(again, Outer)
    assert again.total() == Outer().total()
    assert again.pair == (4, ("text", None, True, 0.1))
    assert again.dtype == np.float32
    assert again.data == "given"
    assert again.inner[1].values.flags.f_contiguous
    assert again.inner[0].rest is None


def test_what_is_no_array_is_refused():
    with pytest.raises(TypeError, match="data is of object"):
        take_apart(Outer())
