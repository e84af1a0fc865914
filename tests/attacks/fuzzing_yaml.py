"""Pipeline files nobody would write: shipped ones damaged, and new ones put together at random."""

import json
import re
from functools import cache

from hypothesis import strategies as st

from neurodecode.core.controls import KINDS
from neurodecode.core.resources import list_pipelines
from neurodecode.core.stage import find_stage, list_stages, read_inputs, read_outputs

# What is left beside every pipeline file; RAN appears if anything of it is run that must not be.
CANARY = 'from pathlib import Path\n\nPath("RAN").touch()\n\n\ndef system(command): ...\n'
MARK = "RAN"

JUNK = (
    # characters
    "\x00", "\x07", "\x1b[2J\x1b[H", "\x85", "\u2028", "\u200b", "\u202e", "\u2066", "\ufeff",
    "\ud800", "\ue000", "\U0001f9e0", "é", "\t", "\r", "\r\n", '"\\e[2J"', '"\\ud800"', '"\\0"',
    # numbers, and what YAML 1.1 took for one
    "1e999", "-1e999", ".nan", "nan", ".inf", "inf", "-0", "-1", "0", "0o17", "0x1F", "1_000",
    "1:30:00", "9" * 30, "9" * 5000, "1e-400", "yes", "no", "null", "~", "true", "2026-01-01",
    # YAML's own machinery
    "&a ", "*a", "<<: *a", "!!python/object/apply:os.system ['touch RAN']", "!!binary aGk=",
    "!x ", "%YAML 1.1\n---\n", "\n---\n", "\n...\n", "? ", ": ", "- ", "|\n", ">\n", "'", '"',
    "#", "{", "}", "[", "]", ",", "[" * 60, "{" * 60, "- " * 60, "@", "`",
    # variables
    "${x}", "${}", "${${x}}", "${a}${a}", "$", "${", "}", "${stage}",
    # addresses and paths
    "os:system", "subprocess:Popen", "antigravity:x", "this:x", "canary:system", "canary:Canary",
    "__main__:x", "../../x", "datasets.__init__", "datasets.arrays:Arrays", "/etc/passwd",
    "/dev/zero", "../../../../etc", ".", "", "a" * 300, "x" * 20_000, "a.b.c.d", "scan.", ".scan",
    # words of the file itself
    "steps:", "each:", "params:", "controls:", "stage:", "gather:", "seed:", "zip:", "not:",
)  # fmt: skip

TOKEN = re.compile(r"[\w.]+|\s+|.", re.DOTALL)


@cache
def list_texts() -> tuple[str, ...]:
    """Return the text of every pipeline that comes with the package."""
    return tuple(path.read_text(encoding="utf-8") for _, path in sorted(list_pipelines().items()))


def _insert(text, a, b):
    at = a % (len(text) + 1)
    return text[:at] + JUNK[b % len(JUNK)] + text[at:]


def _replace_token(text, a, b):
    tokens = TOKEN.findall(text)
    if tokens:
        tokens[a % len(tokens)] = JUNK[b % len(JUNK)]
    return "".join(tokens)


def _replace_value(text, a, b):
    """Put junk in the place of what stands after a colon."""
    found = list(re.finditer(r"(?<=: )[^\s,{}\[\]]+", text))
    if not found:
        return text
    start, end = found[a % len(found)].span()
    return text[:start] + JUNK[b % len(JUNK)] + text[end:]


def _swap_tokens(text, a, b):
    tokens = TOKEN.findall(text)
    if tokens:
        i, j = a % len(tokens), b % len(tokens)
        tokens[i], tokens[j] = tokens[j], tokens[i]
    return "".join(tokens)


def _delete(text, a, b):
    at = a % (len(text) + 1)
    return text[:at] + text[at + 1 + b % 40 :]


def _repeat_line(text, a, b):
    lines = text.split("\n")
    line = lines[a % len(lines)]
    lines.insert(b % (len(lines) + 1), line)
    return "\n".join(lines)


def _indent(text, a, b):
    lines = text.split("\n")
    lines[a % len(lines)] = " \t"[b % 2] * (b % 9) + lines[a % len(lines)].lstrip()
    return "\n".join(lines)


def _truncate(text, a, b):
    return text[: a % (len(text) + 1)]


def _damage_brackets(text, a, b):
    at = [i for i, c in enumerate(text) if c in "{}[]"]
    if not at:
        return text
    i = at[a % len(at)]
    return text[:i] + ("", "{", "}", "[", "]", "[[", "}}")[b % 7] + text[i + 1 :]


def _change_ends(text, a, b):
    return text.replace("\n", ("\r\n", "\r", "\x85", "\n\n")[b % 4])


def _prefix(text, a, b):
    return ("\ufeff", "%YAML 1.1\n---\n", "---\n", "\t", "- ", "# \x1b[2J\n")[b % 6] + text


MUTATIONS = (
    _insert, _insert, _replace_token, _replace_token, _replace_value, _replace_value,
    _replace_value, _swap_tokens, _delete, _repeat_line, _indent, _truncate, _damage_brackets,
    _change_ends, _prefix,
)  # fmt: skip
NUMBERS = st.integers(0, 100_000)


@st.composite
def draw_damaged(draw):
    """Return a shipped pipeline's text, damaged in up to four places."""
    text = draw(st.sampled_from(list_texts()))
    steps = draw(st.lists(st.tuples(st.sampled_from(MUTATIONS), NUMBERS, NUMBERS),
                          min_size=1, max_size=4))  # fmt: skip
    for mutate, a, b in steps:
        text = mutate(text, a, b)
    return text


# ------------------------------------------------------------------------------ put together

NAMES = ("a", "b", "c", "e")
ODD_NAMES = ("", "../x", "a b", "A", "controls", "a@b", "é", "x" * 70, "steps", "\x1b[2J", "1a")
VALUES = (
    None, True, False, 0, 1, -1, 3, 2.5, 1e308, 10**30, "", "x", "01", "1e999", ".nan", "nan",
    "inf", "-inf", "${s}", "${p}", "${q}", "p-${s}", [], [1], [1, 2], ["a", "b"], [[1]], {},
    {"a": 1}, {"a": {"b": []}}, "run", "stimulus", "training", "auto", "../x", "/etc/passwd",
    "digits_generator", "\x1b[2J", "x" * 500, "block3", "head", [1e3, 1e4], ["nan"],
)  # fmt: skip
ADDRESSES = (
    "os:system", "subprocess:Popen", "canary:system", "canary:Canary", "antigravity:X", "datasets",
    "core.stage", "numerics.ridge", "datasets.arrays:Arrays", "../x", "", "neurodecode.cli:app",
    "neurodecode.datasets.digits:Digits", "decoding.ridge.x", "ridge", "a:b:c", None, [],
    "pip:main",
)  # fmt: skip


@cache
def describe_stages() -> dict:
    """Return the inputs, outputs and settings of each stage, by address."""
    stages = {address: find_stage(address) for address in list_stages()}
    return {a: (read_inputs(s), read_outputs(s), [*s.model_fields]) for a, s in stages.items()}


@st.composite
def draw_reference(draw):
    """Return an input: a step, a step's output, several, or something else."""
    step = st.sampled_from(
        (*NAMES, "d", "scan", "split", "nowhere", "controls", "a@prior_only", "${s}")
    )
    output = st.sampled_from(("", "", "", ".stimuli", ".responses", ".model", ".x", ".", ".a.b"))
    one = st.builds(lambda s, o: s + o, step, output)
    return draw(
        one | one | one
        | st.lists(one, max_size=3)
        | st.dictionaries(st.sampled_from(("x", "y", "", "x,y")), one, max_size=2)
        | st.sampled_from((None, 3, {}, [], [[]], {"x": {"y": []}}))
    )  # fmt: skip


def _fits(address, before):
    """Tell whether the steps there are give all that a stage needs."""
    made = [o.artifact for stage in before.values() for o in describe_stages()[stage][1].values()]
    return all(
        kind.optional or any(kind.accepts(artifact) for artifact in made)
        for kind in describe_stages()[address][0].values()
    )


@st.composite
def draw_step(draw, before):
    """Return a step that reads from those before it, right in most of its parts.

    Parameters
    ----------
    before : dict of step to the address of its stage
    """
    fit = [a for a in sorted(describe_stages()) if _fits(a, before)]
    address = draw(st.sampled_from(fit if draw(st.integers(0, 9)) else sorted(describe_stages())))
    inputs, _, settings = describe_stages()[address]
    step = {"stage": address if draw(st.integers(0, 19)) else draw(st.sampled_from(ADDRESSES))}
    for name, kind in inputs.items():
        fitting = [
            f"{earlier}.{output}"
            for earlier, stage in before.items()
            for output, made in describe_stages()[stage][1].items()
            if kind.accepts(made.artifact)
        ]
        if fitting and draw(st.integers(0, 19)):
            one = draw(st.sampled_from(fitting))
            step[name] = one if kind.many == "one" else [one]
        elif not draw(st.integers(0, 7)):
            step[name] = draw(draw_reference())
    if not draw(st.integers(0, 4)):
        for name in draw(st.lists(st.sampled_from(settings), max_size=3, unique=True)):
            step[name] = draw(st.sampled_from(VALUES))
    if not draw(st.integers(0, 19)):
        step["gather"] = draw(
            st.sampled_from(("s", "t", "x", ["s", "t"], {"s": {"not": "${t}"}}, {"s": "x"}, None,
                             {"s": {"not": ["1"]}}, {"s": {"not": "9"}}, [[]], {}))
        )  # fmt: skip
    if not draw(st.integers(0, 24)):
        key = draw(st.sampled_from(("allow_missing", "allow_leakage", "execution", "seed", "zzz")))
        step[key] = draw(st.sampled_from(VALUES))
    return step


START = {
    "d": {"stage": "datasets.digits"},
    "scan": {"stage": "datasets.simulated", "stimuli": "d"},
    "split": {"stage": "evaluation.split", "responses": "scan", "n_folds": 3},
    "pixels": {"stage": "features.pixels", "stimuli": "d"},
    "decoded": {
        "stage": "decoding.ridge", "responses": "scan", "features": "pixels", "split": "split",
    },
}  # fmt: skip


@st.composite
def draw_built(draw):
    """Return the text of a pipeline put together from real stages, wired at random."""
    steps, before = {}, {}
    if draw(st.integers(0, 3)):
        steps = {name: dict(step) for name, step in START.items()}
        before = {name: step["stage"] for name, step in START.items()}
    for name in NAMES[: draw(st.integers(1, len(NAMES)))]:
        called = name if draw(st.integers(0, 19)) else draw(st.sampled_from(ODD_NAMES))
        steps[called] = draw(draw_step(before))
        if steps[called]["stage"] in list_stages():
            before[called] = steps[called]["stage"]
    root = {"steps": steps}
    if not draw(st.integers(0, 4)):
        values = st.lists(st.sampled_from(("1", "2", "a", "b", 3, "", "x\ny", None)), max_size=3)
        each = draw(st.dictionaries(st.sampled_from("stu"), values, max_size=3))
        if draw(st.integers(0, 1)):
            each = {"s": ["1", "2"], "t": ["1", "2"]}
            steps["d"] = {"stage": "datasets.digits", "seed": "${s}", "first": "${t}"}
        if not draw(st.integers(0, 3)):
            each = {"zip": each}
        root["each"] = each
    if not draw(st.integers(0, 11)):
        root["params"] = draw(
            st.dictionaries(st.sampled_from("pqs"), st.sampled_from(VALUES), max_size=2)
        )
    if not draw(st.integers(0, 7)):
        root["controls"] = draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "of": draw_reference(),
                    "kinds": st.lists(st.sampled_from((*KINDS, "x", None)), max_size=3),
                    "n_shuffles": st.sampled_from((0, 1, 2, 10**9, "x", True, None, 2.5, [])),
                    "block_rows": st.sampled_from((0, 2, "x")),
                },
            )
        )
    if not draw(st.integers(0, 5)):
        root[draw(st.sampled_from(("seed", "title", "zzz")))] = draw(st.sampled_from(VALUES))
    return json.dumps(root)


def draw_pipelines():
    """Return damaged pipelines and built ones, half and half."""
    return draw_damaged() | draw_built()
