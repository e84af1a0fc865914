"""Small tables of named columns."""

import numpy as np
import pytest

from neurodecode.core.errors import DataError
from neurodecode.core.tables import Table


def test_columns_and_rows():
    table = Table({"name": ["a", "ü"], "n": np.array([1, 2])})
    assert (len(table), list(table), "n" in table) == (2, ["name", "n"], True)
    taken = table.take([1]).with_columns(x=[0.5])
    assert [taken[c].tolist() for c in taken] == [["ü"], [2], [0.5]]
    assert list(table) == ["name", "n"], "tables are not changed in place"
    assert table.take(table["n"] > 1)["name"].tolist() == ["ü"]


def test_objects_become_text():
    assert Table({"mixed": np.array(["a", 1], object)})["mixed"].tolist() == ["a", "1"]
    assert Table({"bytes": np.array([b"ab"])})["bytes"].tolist() == ["ab"]


def test_an_empty_table_is_false():
    assert not Table({})
    assert not Table({"a": []})
    assert Table({"a": [0]})


def test_mistakes_are_named():
    with pytest.raises(DataError, match="differ in length: a 1, b 2"):
        Table({"a": [1], "b": [1, 2]})
    with pytest.raises(DataError, match=r"'a' has shape \(1, 1\)"):
        Table({"a": [[1]]})
    with pytest.raises(DataError, match=r"no column 'subjct'\. Did you mean 'subject'\?"):
        Table({"subject": ["01"]})["subjct"]
