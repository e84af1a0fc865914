"""YAML as plain data that remembers its lines."""

import pytest

from neurodecode.core.errors import PipelineError
from neurodecode.core.yaml_reader import parse_yaml
from neurodecode.core.yaml_tree import (
    find_variables,
    resolve_scalar,
    substitute,
    to_plain,
)


def test_values_remember_their_lines():
    node = parse_yaml("a: 1\nb:\n  c: [x,\n      y]\n", "f")
    assert node.value["a"].line == 1
    assert node.value["b"].value["c"].value[1].line == 4
    assert node.value["b"].key_lines == {"c": 3}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1), ("-3", -3), ("1e4", 1e4), (".5", 0.5), ("1.", 1.0),
        ("true", True), ("yes", "yes"),
        ("no", "no"), ("on", "on"), ("null", None), ("~", None), ("0o7", "0o7"), ("1_000", "1_000"),
        ("2026-11-22", "2026-11-22"), ("1:30", "1:30"),
        ("12345678901234567890", 12345678901234567890.0),
    ],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2(text, value):
    found = resolve_scalar(text)
    assert found == value
    assert type(found) is type(value)


def test_scalars_wait_for_their_field():
    node = parse_yaml("{a: 01, b: '1', c: null, d: [1, x]}", "f")
    assert to_plain(node) == {"a": "01", "b": "1", "c": None, "d": ["1", "x"]}
    assert to_plain(node, typed=True) == {"a": 1, "b": "1", "c": None, "d": [1, "x"]}


def test_variables_are_found_and_filled_in():
    node = parse_yaml("a: ${x}\nb: [p-${y}-${x}, '${z}']\n", "f")
    assert find_variables(node) == {"x": 2, "y": 2, "z": 2}
    filled = substitute(node, {"x": parse_yaml("[1, 2]", "g"), "y": parse_yaml("q", "g")})
    assert to_plain(filled.value["a"]) == ["1", "2"]
    assert to_plain(filled.value["b"])[1] == "${z}"
    assert to_plain(filled.value["b"])[0] == "p-q-${x}", "a list has no place inside text"
    assert find_variables(filled) == {"x": 2, "z": 2}


def test_a_quoted_value_stays_text_when_filled_in():
    node = substitute(parse_yaml("a: ${x}", "f"), {"x": parse_yaml("'01'", "g")})
    assert to_plain(node, typed=True) == {"a": "01"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\na: 2", "f:2: 'a' is given twice (first in line 1)"),
        ("a: !!int 3\nb: !x 3", "f:2: the tag !x"),
        ("a: &n 1\nb: *n", "f:1: anchors"),
        ("? [a]\n: 1", "a key must be a word"),
        ("a: 1\n---\nb: 2", "f:2: a second document starts here"),
        ("a: [1\nb: 2", "not valid YAML"),
        ("\t- a", "not valid YAML"),
        ("", "empty"),
        ("# only\n", "empty"),
    ],
)
def test_what_is_not_plain_data_is_refused(text, words):
    with pytest.raises(PipelineError) as caught:
        parse_yaml(text, "f")
    assert words in str(caught.value)
    assert str(caught.value).startswith("f:")


def test_variables_may_stand_in_flow_style():
    node = parse_yaml("a: {m: ${x}, n: {not: ${y}}, p: 'q ${z}'}", "f")
    assert to_plain(node) == {"a": {"m": "${x}", "n": {"not": "${y}"}, "p": "q ${z}"}}
    assert set(find_variables(node)) == {"x", "y", "z"}
