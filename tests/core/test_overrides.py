"""Changes beside a pipeline file are placed by their own words."""

from pathlib import Path

import pytest

from neurodecode.core.errors import PipelineError
from neurodecode.core.pipeline import build_graph

TEXT = """\
params: {n: 5}
each: {s: [1, 2]}
steps:
  d: {stage: datasets.digits, n_items: "${n}", seed: "${s}", execution: {threads: 1}}
"""


def build(*overrides):
    return build_graph(TEXT, Path("pipe.yaml"), overrides)


def test_every_kind_of_value_can_be_changed():
    def stages(*overrides):
        return [i.stage for i in build(*overrides).instances.values()]

    assert [s.n_items for s in stages("n=7")] == [7, 7]
    assert [s.n_items for s in stages("d.n_items=3", "params={}")] == [3, 3]
    assert [s.seed for s in stages("each.s=[4]")] == [4]
    assert stages("d.execution.threads=2")[0].execution.threads == 2
    assert stages("d.size_px=12", "title=x")[0].size_px == 12


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("d.n_items=x", "d: n_items: got 'x'"),
        ("d.seed.x=1", "'d.seed' holds no keys"),
        ("d.execution.thread=1", "execution.thread: got '1'"),
        ("each.s=[]", "'s' needs a list of values"),
        ("each.s=[a]", "d: seed: got 'a'"),
        ("controls.n_shuffles=3", "no 'controls' there"),
        ("d.n_items=${m}", "${m} is neither in params nor in each"),
        ("d.stage=os:system", "'os' is a module of Python's own"),
        ("d.n_items=&a 3", "anchors and aliases"),
        ("d.n_items=\x1b[2J", "U+001B has no place in YAML"),
        ("=3", "write it as step.setting=value"),
        (".=3", "write it as step.setting=value"),
        ("d=3", "'d' is a step"),
    ],
)
def test_a_wrong_one_is_named_with_its_own_words(override, words):
    with pytest.raises(PipelineError) as caught:
        build(override)
    assert len(caught.value.problems) == 1, caught.value.problems
    problem = caught.value.problems[0]
    assert words in problem
    assert problem.startswith("override '")
    assert "pipe.yaml" not in problem
    assert problem.isprintable()


def test_all_wrong_ones_are_told_at_once():
    with pytest.raises(PipelineError) as caught:
        build("x.y=1", "n", "n=1", "n=2")
    assert [p.split(": ")[0] for p in caught.value.problems] == [
        "override 'x.y=1'", "override 'n'", "override 'n=2'",
    ]  # fmt: skip
