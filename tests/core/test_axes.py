"""The variables of each: products, zips, what is kept, and how many branches there may be."""

from pathlib import Path

import pytest

from neurodecode.core.axes import MAX_BRANCHES
from neurodecode.core.errors import PipelineError
from neurodecode.core.pipeline import build_graph

STEPS = """
steps:
  a: {stage: datasets.digits, seed: "${s}"}
  b: {stage: datasets.digits, seed: "${s}", first: "${t}"}
  c: {stage: datasets.digits}
"""


def build(each: str, steps: str = STEPS, **branches):
    return build_graph(f"each: {each}{steps}", Path("pipe.yaml"), (), branches)


def list_branches(graph, step):
    return [tuple(value for _, value in branch) for name, branch in graph.instances if name == step]


def test_a_step_has_the_product_of_its_own_variables_only():
    graph = build("{s: [1, 2], t: [5, 6, 7]}")
    assert list_branches(graph, "a") == [("1",), ("2",)]
    assert list_branches(graph, "b") == [(s, t) for s in "12" for t in "567"]
    assert list_branches(graph, "c") == [()]


def test_rows_of_a_zip_go_together_and_a_value_may_return():
    graph = build("{zip: {s: [1, 1, 2], t: [5, 6, 5]}}")
    assert list_branches(graph, "a") == [("1",), ("2",)]
    assert list_branches(graph, "b") == [("1", "5"), ("1", "6"), ("2", "5")]
    with pytest.raises(PipelineError, match=r"'s\+t' lists a value twice: '1, 5'"):
        build("{zip: {s: [1, 1], t: [5, 5]}}")


def test_variables_that_never_meet_do_not_multiply():
    """Ten variables of ten values make a hundred branches where each has a step of its own."""
    names = [f"v{i}" for i in range(10)]
    each = "{" + ", ".join(f"{n}: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]" for n in names) + "}"
    steps = "".join(f"  d{n}: {{stage: datasets.digits, first: '${{{n}}}'}}\n" for n in names)
    assert len(build(each, f"\nsteps:\n{steps}").instances) == 100


def test_as_many_branches_as_are_allowed_and_one_more():
    values = [str(i) for i in range(MAX_BRANCHES)]
    step = "\nsteps:\n  a: {stage: datasets.digits, first: '${s}'}\n"
    assert len(build(f"{{s: [{', '.join(values)}]}}", step).instances) == MAX_BRANCHES
    with pytest.raises(PipelineError, match=f"makes {MAX_BRANCHES + 1} branches"):
        build(f"{{s: [{', '.join([*values, 'x'])}]}}", step)


def test_branches_that_exclude_each_other_are_refused():
    with pytest.raises(PipelineError, match=r"--branch s=1 t=6: no branch has all of these"):
        build("{zip: {s: [1, 2], t: [5, 6]}}", s=["1"], t=["6"])


@pytest.mark.parametrize(
    ("each", "words"),
    [
        ("{s: [1], t: [['2']]}", "'t' must be plain words or numbers"),
        ("{s: [1], t: ['']}", "has the value ''. Allowed: 1 to 200 characters"),
        ('{s: [1], t: ["a\\nb"]}', r"has the value 'a\nb'"),
        ("{s: [1], t: ['${u}']}", "${u} is not in params"),
        ("{s: [1], zip: {s: [2], t: [1]}}", "'s' stands both in zip and outside"),
        ("{s: [1], t: [2]}\nparams: {s: 3}", "each: 's' is in params, too"),
    ],
)
def test_what_a_variable_may_not_be(each, words):
    with pytest.raises(PipelineError) as caught:
        build(each)
    assert any(words in p and p.startswith("pipe.yaml:1: ") for p in caught.value.problems)
