"""What each branch is given: nothing lost, nothing taken from another branch."""

from pathlib import Path

import pytest

from neurodecode.core.errors import PipelineError
from neurodecode.core.pipeline import build_graph

TWO = """\
each: {s: [1, 2], t: [1, 2, 3]}
steps:
  d: {stage: datasets.digits}
  one: {stage: datasets.simulated, stimuli: d, subject: "${s}"}
  other: {stage: datasets.simulated, stimuli: d, subject: "${s}", session: "${t}"}
"""


def build(text):
    return build_graph(text, Path("pipe.yaml"))


def list_problems(text):
    with pytest.raises(PipelineError) as caught:
        build(text)
    return caught.value.problems


def read_labels(graph, step="all", key="responses"):
    """Return, for each branch of a step, the label and origin of all it is given."""
    return {
        branch: {k: (r.step, *(v for _, v in r.branch)) for k, r in i.inputs[key].items()}
        for (name, branch), i in graph.instances.items()
        if name == step
    }


def test_labels_and_branches_are_both_in_the_name():
    graph = build(
        TWO + "  all: {stage: alignment.stack, gather: [s, t], responses: {a: one, b: other}}\n"
    )
    [given] = read_labels(graph).values()
    assert given == {
        **{f"a,{s}": ("one", s) for s in "12"},
        **{f"b,{s},{t}": ("other", s, t) for s in "12" for t in "123"},
    }


def test_two_that_would_share_a_label_are_refused_rather_than_one_lost():
    text = TWO.replace(', session: "${t}"', "").replace(", t: [1, 2, 3]", "")
    problems = list_problems(
        text + "  all: {stage: alignment.stack, gather: s, responses: [one, other]}\n"
    )
    assert len(problems) == 2
    assert "pipe.yaml:6: all: responses: two branches go by the label '1'" in problems[0]


def test_branches_meet_those_of_their_own_values():
    graph = build(TWO + "  all: {stage: alignment.stack, gather: t, responses: other}\n")
    assert read_labels(graph) == {(("s", s),): {t: ("other", s, t) for t in "123"} for s in "12"}


def test_one_left_out_is_left_out_and_one_that_is_none_is_refused():
    text = TWO + "  all: {stage: alignment.stack, gather: {s: {not: '%s'}}, responses: one}\n"
    text = text.replace(', session: "${t}"', "").replace(", t: [1, 2, 3]", "")
    [given] = read_labels(build(text % "2")).values()
    assert given == {"1": ("one", "1")}
    assert "'s' has no value '02' to leave out" in list_problems(text % "02")[0]


def test_a_variable_may_choose_the_step_that_is_read():
    """Its branches are those of whichever step it names; order in the file does not matter."""
    graph = build("""\
each: {s: [1, 2], which: [plain, seeded]}
steps:
  p: {stage: features.pixels, stimuli: "${which}"}
  plain: {stage: datasets.digits}
  seeded: {stage: datasets.digits, seed: "${s}"}
""")
    given = {b: (r.step, r.branch) for (n, b), i in graph.instances.items() if n == "p"
             for r in i.refs()}  # fmt: skip
    assert given == {
        (("s", s), ("which", w)): (w, (("s", s),) if w == "seeded" else ())
        for s in "12" for w in ("plain", "seeded")
    }  # fmt: skip
    assert (
        "no step is called 'absent'"
        in list_problems("""\
each: {which: [plain, absent]}
steps:
  plain: {stage: datasets.digits}
  p: {stage: features.pixels, stimuli: "${which}"}
""")[0]
    )


def test_gather_of_what_no_input_depends_on_is_refused():
    text = TWO + "  r: {stage: plotting.report, show: one, gather: [s, t]}\n"
    assert "gather: none of its inputs depends on 't'" in list_problems(text)[0]


def test_branches_of_equal_settings_share_one_stage():
    graph = build(TWO + "  z: {stage: preprocessing.zscore, responses: other}\n")
    stages = {id(i.stage) for (name, _), i in graph.instances.items() if name == "z"}
    assert len(stages) == 1


def test_a_step_of_controls_is_not_called_unknown_where_controls_could_not_be_added():
    problems = list_problems(
        TWO.replace("stimuli: d, subject", "stimuli: e, subject", 1)
        + "  r: {stage: plotting.report, show: [audit, one@prior_only], gather: [s, t]}\n"
        + "controls: {of: one}\n"
    )
    assert len(problems) == 1, problems
    assert "no step is called 'e'" in problems[0]
