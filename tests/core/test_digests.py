"""Digests depend on content alone."""

import numpy as np
import pytest

from neurodecode.core.digests import digest_array, digest_file, digest_json, make_tokens


def test_arrays_are_told_apart_by_type_shape_and_bytes():
    base = np.arange(6, dtype=np.float32).reshape(2, 3)
    others = [
        base.astype(np.float64),
        base.reshape(3, 2),
        base + 1,
        base.view(np.int32),
        base[:, :2],
    ]
    assert len({digest_array(a) for a in [base, *others]}) == 6


@pytest.mark.parametrize(
    "array", [np.arange(12.0).reshape(3, 4), np.array(["a", "größe"]), np.zeros((0, 2))]
)
def test_memory_layout_does_not_count(array):
    assert (
        digest_array(array) == digest_array(np.asfortranarray(array)) == digest_array(array.copy())
    )


def test_spare_width_of_text_does_not_count():
    assert digest_array(np.array(["a", "b"], "U9")) == digest_array(np.array(["a", "b"]))


def test_large_arrays_are_read_in_blocks():
    array = np.zeros((9, 1 << 20), np.uint16)
    assert digest_array(array) == digest_array(array.copy())
    changed = array.copy()
    changed[8, -1] = 1
    assert digest_array(changed) != digest_array(array)


def test_json_is_canonical():
    assert digest_json({"a": [1, 2.5], "ü": None}) == digest_json({"ü": None, "a": [1, 2.5]})
    assert digest_json({"a": 1}) != digest_json({"a": 1.0}) != digest_json({"a": "1"})


def test_files_by_content(tmp_path):
    for name in "ab":
        (tmp_path / name).write_bytes(b"same")
    assert digest_file(tmp_path / "a") == digest_file(tmp_path / "b")
    (tmp_path / "b").write_bytes(b"sane")
    assert digest_file(tmp_path / "a") != digest_file(tmp_path / "b")


def test_tokens_are_equal_for_equal_text_of_a_kind():
    tokens = make_tokens(["a", "b", "a"], "run")
    assert tokens[0] == tokens[2] != tokens[1]
    assert make_tokens(["a"], "sample")[0] != tokens[0]
    assert make_tokens([], "run").shape == (0,)
    assert tokens[1] == make_tokens(["b"], "run")[0], "whatever else is there"
