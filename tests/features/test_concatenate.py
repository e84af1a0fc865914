"""features.concatenate joins by identity and names the columns."""

from dataclasses import replace

import numpy as np
import pytest

from neurodecode.core.artifacts import Features, make_items
from neurodecode.core.errors import DataError
from neurodecode.features.concatenate import Concatenate


def make(ids, n_features, bands=None, seed=0):
    data = np.random.default_rng(seed).standard_normal((len(ids), n_features))
    return Features(data=data, items=make_items(ids, data), bands=bands or {})


def test_rows_are_joined_by_identity():
    a, b = make(["x", "y", "z"], 2), make(["z", "x", "y"], 3, seed=1)
    out = Concatenate().run({"a": a, "b": b})
    assert out.bands == {"a": (0, 2), "b": (2, 5)}
    np.testing.assert_array_equal(out.data[:, :2], a.data)
    np.testing.assert_array_equal(out.data[:, 2:], b.data[[1, 2, 0]])


def test_bands_are_selected_in_the_order_asked_for():
    a = make(["x", "y"], 5, {"low": (0, 2), "high": (2, 5)})
    for given in ({"low": (0, 2), "high": (2, 5)}, {"high": (2, 5), "low": (0, 2)}):
        every = Concatenate().run({"a": replace(a, bands=given)})
        assert list(every.bands.items()) == [("low", (0, 2)), ("high", (2, 5))]
    out = Concatenate(bands=("high", "low")).run({"a": a})
    assert out.bands == {"high": (0, 3), "low": (3, 5)}
    np.testing.assert_array_equal(out.data, a.data[:, [2, 3, 4, 0, 1]])
    both = Concatenate(bands=("b", "a")).run({"a": a, "b": make(["x", "y"], 2)})
    assert both.bands == {"b": (0, 2), "a": (2, 7)}, "several inputs are a band each"
    with pytest.raises(DataError, match=r"Unknown band 'hig'\. Did you mean 'high'"):
        Concatenate(bands=("hig",)).run({"a": a})


def test_other_items_and_bands_with_gaps_are_refused():
    a = make(["x", "y"], 5)
    with pytest.raises(DataError, match="'b' describes 3 items, the first input 2"):
        Concatenate().run({"a": a, "b": make(["x", "y", "z"], 2)})
    with pytest.raises(DataError, match="1 item ids are wanted but absent"):
        Concatenate().run({"a": a, "b": make(["x", "w"], 2)})
    with pytest.raises(DataError, match="follow each other and cover all columns"):
        Concatenate().run({"a": make(["x", "y"], 5, {"low": (0, 2), "high": (3, 5)})})
    with pytest.raises(ValueError, match="names one of them twice"):
        Concatenate(bands=("a", "a"))
