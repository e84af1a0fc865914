"""Pipeline files: branches, types by field, and every mistake told at once, with its line."""

from pathlib import Path

import pytest

from neurodecode.core.errors import PipelineError
from neurodecode.core.graph import Ref
from neurodecode.core.pipeline import build_graph, load_pipeline
from tests.core.toy_package import FILES, HEAD

KINDS = '''
from typing import Literal, TypedDict
from neurodecode.core.artifacts import Predictions, Responses, Stimuli


class Two(TypedDict):
    features: Features
    stimuli: Stimuli


class Kinds(Stage):
    """Settings of every type."""

    stage: ClassVar[str] = "ours.kinds:Kinds"
    subject: str = "01"
    alpha: float = 1.0
    alphas: tuple[float, ...] = ()
    count: int = 0
    flag: bool = False
    level: Literal[1, 2] = 1
    maybe: int | None = None
    seed: int = 0

    def run(self) -> Two: ...


class Join(Stage):
    """Many."""

    stage: ClassVar[str] = "ours.kinds:Join"
    subject: str = ""

    def run(self, parts: dict[str, Features], one: Features | None = None) -> Features: ...


class Listed(Stage):
    """A list."""

    stage: ClassVar[str] = "ours.kinds:Listed"

    def run(self, parts: list[Features]) -> Features: ...


class Shows(Stage):
    """Stimuli."""

    stage: ClassVar[str] = "ours.kinds:Shows"

    def run(self, stimuli: Stimuli, features: Features | None = None) -> Stimuli: ...
'''


@pytest.fixture
def load(tmp_path):
    """Return the graph of a text; stages lie beside it."""
    folder = tmp_path / "ours"
    folder.mkdir()
    for name, text in {**FILES, "kinds.py": HEAD + KINDS}.items():
        (folder / name).write_text(text)

    def load(text, *overrides, **branches):
        return build_graph(text, tmp_path / "pipe.yaml", overrides, branches)

    yield load
    import sys

    for name in [n for n in sys.modules if n.split(".")[0] == "ours"]:
        del sys.modules[name]


def list_problems(load, text, *overrides, **branches):
    with pytest.raises(PipelineError) as caught:
        load(text, *overrides, **branches)
    return caught.value.problems


def one(settings, load):
    graph = load("steps:\n  a: {stage: 'ours.kinds:Kinds', %s}\n" % settings)  # noqa: UP031
    return graph.instances["a", ()].stage


DATA = "  data: {stage: 'ours.data:Data', path: x}\n"


# ------------------------------------------------------------------------------- typed by field


def test_scalars_are_typed_by_their_field(load):
    stage = one("subject: 01, alpha: 1e4, alphas: [1, 1e-3], count: 7, flag: true, level: 2", load)
    assert stage.subject == "01"
    assert stage.alpha == 1e4
    assert stage.alphas == (1.0, 1e-3)
    assert (stage.count, stage.flag, stage.level) == (7, True, 2)
    assert one("subject: 1e4", load).subject == "1e4"
    assert one("subject: no", load).subject == "no"
    assert one("subject: 'true'", load).subject == "true"
    assert one("maybe: null", load).maybe is None
    assert one("maybe: 3", load).maybe == 3


def test_the_seed_of_the_file_is_that_of_steps_without_one(load):
    text = (
        "seed: 5\nsteps:\n"
        "  a: {stage: 'ours.kinds:Kinds'}\n"
        "  b: {stage: 'ours.kinds:Kinds', seed: 2}\n"
    )
    graph = load(text)
    assert [i.stage.seed for i in graph.instances.values()] == [5, 2]
    assert [i.stage.seed for i in load(text, "seed=8").instances.values()] == [8, 2]


# ------------------------------------------------------------------------------------- branches

EACH = """\
each: {subject: ["01", "02", "03"], by: ["1", "2"]}
steps:
  data:   {stage: 'ours.data:Data', path: "sub-${subject}.npy"}
  moved:  {stage: 'ours.shift:Shift', features: data, by: "${by}"}
  plain:  {stage: 'ours.scale:Scale', features: data}
  common: {stage: 'ours.data:Data', path: all.npy}
  joined: {stage: 'ours.kinds:Join', parts: moved, one: common, gather: subject}
  all:    {stage: 'ours.kinds:Join', parts: moved, gather: [subject, by]}
"""


def count(graph):
    steps = [name for name, _ in graph.instances]
    return {name: steps.count(name) for name in dict.fromkeys(steps)}


def test_each_repeats_what_depends_on_it(load):
    graph = load(EACH)
    assert count(graph) == {"data": 3, "common": 1, "moved": 6, "plain": 3, "joined": 2, "all": 1}
    moved = graph.instances["moved", (("subject", "02"), ("by", "2"))]
    assert moved.inputs["features"] == Ref("data", (("subject", "02"),), "features")
    assert moved.label == "moved[subject=02, by=2]"
    assert moved.stage.by == 2.0


def test_gather_keys_branches_by_their_value(load):
    graph = load(EACH)
    joined = graph.instances["joined", (("by", "2"),)]
    assert list(joined.inputs["parts"]) == ["01", "02", "03"]
    assert {r.branch[1] for r in joined.inputs["parts"].values()} == {("by", "2")}
    assert joined.inputs["one"] == Ref("common", (), "features"), "passes unchanged"
    assert set(graph.instances["all", ()].inputs["parts"]) == {
        f"{s},{b}" for s in ("01", "02", "03") for b in ("1", "2")
    }


def test_zip_pairs_values(load):
    text = EACH.replace('{subject: ["01", "02", "03"], by: ["1", "2"]}',
                        '{zip: {subject: ["01", "02"], by: ["1", "2"]}}')  # fmt: skip
    graph = load(text)
    assert count(graph)["moved"] == 2
    assert ("moved", (("subject", "01"), ("by", "1"))) in graph.instances


def test_leave_one_subject_out(load):
    text = """\
each: {subject: ["01", "02", "03"], held_out: ["01", "02", "03"]}
steps:
  data:   {stage: 'ours.data:Data', path: "sub-${subject}.npy"}
  others: {stage: 'ours.kinds:Join', parts: data, gather: {subject: {not: ${held_out}}}}
"""
    graph = load(text)
    assert count(graph) == {"data": 3, "others": 3}
    held = graph.instances["others", (("held_out", "02"),)]
    assert list(held.inputs["parts"]) == ["01", "03"]


def test_lists_and_labels(load):
    text = (
        "steps:\n"
        + DATA
        + """\
  a: {stage: 'ours.scale:Scale', features: data}
  b: {stage: 'ours.kinds:Listed', parts: [data, a.features]}
  c: {stage: 'ours.kinds:Join', parts: {first: data, second: a}}
"""
    )
    graph = load(text)
    assert [r.step for r in graph.instances["b", ()].inputs["parts"]] == ["data", "a"]
    assert {k: r.step for k, r in graph.instances["c", ()].inputs["parts"].items()} == {
        "first": "data", "second": "a",
    }  # fmt: skip


def test_branch_filters(load):
    assert count(load(EACH, subject=["02"])) == {
        "data": 1, "common": 1, "moved": 2, "plain": 1, "joined": 2, "all": 1,
    }  # fmt: skip
    problems = list_problems(load, EACH, subject=["07"], subjects=["01"])
    assert "'subject' has no value '07'. Values: 01, 02, 03." in problems[0]
    assert "no variable 'subjects'. Did you mean 'subject'?" in problems[1]


def test_outputs_are_chosen_by_kind_or_named(load):
    text = """\
steps:
  both:  {stage: 'ours.kinds:Kinds'}
  shown: {stage: 'ours.kinds:Shows', stimuli: both, features: both.features}
"""
    inputs = load(text).instances["shown", ()].inputs
    assert (inputs["stimuli"].output, inputs["features"].output) == ("stimuli", "features")


# --------------------------------------------------------------------------- params, overrides


def test_params_fill_in_whole_values_and_parts(load):
    text = (
        "params: {a: 3, name: x}\nsteps:\n"
        "  s: {stage: 'ours.kinds:Kinds', alpha: '${a}', subject: 'p-${name}-q'}\n"
    )
    stage = load(text).instances["s", ()].stage
    assert (stage.alpha, stage.subject) == (3.0, "p-x-q")
    assert load(text, "a=1e2").instances["s", ()].stage.alpha == 100


def test_overrides(load):
    text = "steps:\n  s: {stage: 'ours.kinds:Kinds'}\n"

    def stage(*overrides):
        return load(text, *overrides).instances["s", ()].stage

    assert stage("s.alphas=[1e3,1e4]").alphas == (1e3, 1e4)
    assert stage("s.subject=01").subject == "01"
    assert stage("s.execution={threads: 2}").execution.threads == 2
    assert len(load(EACH, "each.subject=['01']").instances) == 8
    for wrong, words in {
        "t.alpha=1": "nothing is called 't'",
        "s.alpha": "write it as step.setting=value",
        "s.alfa=1": "Unknown key 'alfa'",
        "s.alpha=[": "not valid YAML",
    }.items():
        assert words in "\n".join(list_problems(load, text, wrong))


# ------------------------------------------------------------------------------------- mistakes


def test_every_mistake_is_told_at_once_with_its_line(load):
    text = """\
titel: typo
seed: minus
each: {subject: ["01", "02"]}
params: {unused: 1}
steps:
  data: {stage: 'ours.data:Data', path: x, pth: y}
  one: {stage: 'ours.scale:Scale', features: dta, factor: two}
  two: {stage: 'ours.scale:Scale', factor: 1}
  three: {stage: 'ours.kinds:Shows', stimuli: data}
  four: {stage: evaluation.splt}
  five: {stage: 'ours.scale:Scale', features: four}
  six: {stage: 'ours.scale:Scale', features: "${subjct}"}
  seven: {stage: 'ours.scale:Scale', features: data.stimuli}
  eight:
    stage: 'ours.scale:Scale'
    features: data
    factor: "${fctor}"
  nine: {stage: 'ours.kinds:Kinds', execution: {devise: cpu}, level: 3}
"""
    problems = list_problems(load, text)
    wanted = {
        1: "Unknown key 'titel'. Did you mean 'title'?",
        2: "seed: got",
        4: "'unused' is never used",
        6: "Unknown key 'pth' for ours.data:Data. Did you mean 'path'?",
        8: "two: input 'features' is missing: a step that gives Features",
        9: "three: stimuli: takes Stimuli, but 'data' (ours.data:Data) gives Features",
        10: "Unknown stage 'evaluation.splt'. Did you mean 'evaluation.split'?",
        12: "six: ${subjct} is neither in params nor in each. Did you mean 'subject'?",
        13: "seven: features: 'data' has no output 'stimuli'. It gives: features.",
        17: "eight: ${fctor} is neither in params nor in each",
    }
    for line, words in wanted.items():
        assert any(p.startswith(f"pipe.yaml:{line}: ") and words in p for p in problems), words
    in_line_7 = [p for p in problems if p.startswith("pipe.yaml:7: ")]
    assert len(in_line_7) == 2
    assert "no step is called 'dta'. Did you mean 'data'?" in in_line_7[0]
    assert "one: factor: got 'two'" in in_line_7[1]
    in_line_18 = [p for p in problems if p.startswith("pipe.yaml:18: ")]
    assert ["devise" in p for p in in_line_18] == [True, False]
    assert len(problems) == len(wanted) + 4, "no mistake is told twice, nor made up: " + "\n".join(
        problems
    )


S = "steps:\n"
SCALE = "stage: 'ours.scale:Scale'"
BY_S = "  d: {stage: 'ours.data:Data', path: ${s}}\n"
MISTAKES = {
    "": "the file is empty",
    "[1, 2]": "a pipeline is a mapping",
    "title: x": "no steps",
    S + DATA + DATA: ":3: 'data' is given twice (first in line 2)",
    S + DATA.replace("path", "path: y, path"): "'path' is given twice",
    S + "  a: [1": "not valid YAML",
    S + "  a: !!python/object:os.system {}": "the tag",
    S + "  a: &x {stage: datasets.digits}\n  b: *x": "anchors and aliases",
    S + "  a: {seed: 1}": "a: needs a 'stage:'",
    S + "  a: {stage: digits}": "Unknown stage 'digits'. Did you mean 'datasets.digits'?",
    S + "  a: {stage: 'ours.data:Dta'}": "has no stage class 'Dta'. Did you mean 'Data'?",
    S + "  a: {stage: 'nowhere.stages:X'}": "no module 'nowhere.stages'",
    S + f"  a: {{{SCALE}, features: b}}\n  b: {{{SCALE}, features: a}}": "in a circle: a → b → a",
    S + DATA + f"  a: {{{SCALE}, features: data, gather: s}}": "no variable 's'",
    "each: {s: ['1', '2']}\n" + S + BY_S + f"  a: {{{SCALE}, features: d, gather: s}}": (
        "features: takes Features of one branch, but 'gather' hands it 2"
    ),
    "each: {zip: {a: ['1', '2'], b: ['1']}}\n" + S + DATA: (
        ":1: each: zip needs lists of one length, got a 2, b 1"
    ),
    "each: {zip: [a, b]}\n" + S + DATA: "Write zip: {one: [a, b]",
    "each: {s: x}\n" + S + DATA: "'s' needs a list of values",
    "each: {s: ['1', '1']}\n" + S + DATA: "'s' lists a value twice",
    S + DATA.replace("}", ", allow_leakage: ''}"): "allow_leakage needs the reason, in words",
    S + "  a: {stage: 'ours.data:Data'}": "setting 'path' is missing. ours.data:Data has no",
    "each: {s: ['1'], t: ['1']}\n" + S + BY_S
    + "  a: {stage: 'ours.kinds:Join', parts: d, gather: {s: {not: ${t}}}}": (
        "no branch of d is left to gather"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "words"), MISTAKES.items())
def test_one_mistake_makes_one_message(load, text, words):
    problems = list_problems(load, text)
    assert len(problems) == 1, problems
    assert words in problems[0]
    assert problems[0].startswith("pipe.yaml:") or "empty" in words


def test_nesting_beyond_reason_is_refused(load):
    assert "nested deeper" in "\n".join(list_problems(load, "steps: " + "[" * 60 + "]" * 60))


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(PipelineError, match="cannot be read"):
        load_pipeline(tmp_path / "absent.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PipelineError, match=r"cannot be read|not valid"):
        load_pipeline(Path(tmp_path / "bytes.yaml"))


def test_upstream(load):
    graph = load(EACH)
    ids = graph.find_upstream([("joined", (("by", "1"),))])
    kept = graph.keep(ids)
    assert count(kept) == {"data": 3, "common": 1, "moved": 3, "joined": 1}
