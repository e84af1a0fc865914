"""Checks that many stages share: they count, name and point to the next step."""

import numpy as np
import pytest

from neurodecode.core.checks import (
    check_finite,
    check_known,
    check_same_length,
    check_varying,
    find_rows,
    list_names,
    name_nearest,
)
from neurodecode.core.errors import DataError


def test_values_that_are_not_finite_are_counted_and_located():
    values = np.zeros((4, 3))
    check_finite(values, what="responses", where="here")
    values[1, 2], values[3, 2] = np.nan, np.inf
    with pytest.raises(
        DataError,
        match=r"here: responses hold 2 values .* 1 of 3 columns .*\[2\].* 2 of 4 rows .*\[1, 3\]",
    ):
        check_finite(values, what="responses", where="here")
    with pytest.raises(DataError, match=r"\['V1'\]"):
        check_finite(values, what="x", where="y", columns=["A", "B", "V1"])


def test_constant_columns_are_counted():
    values = np.arange(6.0).reshape(3, 2)
    check_varying(values, what="responses", where="here")
    values[:, 1] = 7
    with pytest.raises(DataError, match=r"1 constant columns \(first: \[1\]\).*select_voxels"):
        check_varying(values, what="responses", where="here")


def test_lengths_are_compared():
    assert check_same_length("here", a=[1, 2], b=np.zeros(2)) == 2
    with pytest.raises(DataError, match=r"here: lengths differ: a 1, b 2\. Allowed: .* Trim\."):
        check_same_length("here", "Trim.", a=[1], b=[1, 2])


def test_names_have_their_nearest():
    check_known("a", ["a"], what="thing", where="here")
    with pytest.raises(DataError, match=r"here: Unknown thing 'delayd'\. Did you mean 'delayed'\?"):
        check_known("delayd", ["delayed", "x"], what="thing", where="here")
    assert name_nearest("qqq", ["abc"]) == ""
    assert list_names([str(i) for i in range(20)]).endswith("and 8 more")
    assert list_names([]) == "none"


def test_rows_are_found_by_identity():
    ids = np.array(["c", "a", "b"])
    assert find_rows(ids, np.array(["a", "c", "a"]), what="x", where="y").tolist() == [1, 0, 1]
    assert find_rows(ids, np.array([], str), what="x", where="y").tolist() == []
    with pytest.raises(DataError, match=r"1 item ids are wanted but absent \(first: 'zz'\)"):
        find_rows(ids, np.array(["zz", "zz"]), what="item", where="here")
    with pytest.raises(DataError, match="not unique"):
        find_rows(np.array(["a", "a"]), np.array(["a"]), what="item", where="here")
    with pytest.raises(DataError, match="absent"):
        find_rows(np.array([], str), np.array(["a"]), what="item", where="here")
