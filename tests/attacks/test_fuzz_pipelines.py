"""Hostile pipeline files: refused in words, in time, with nothing run and nothing written.

By default some hundreds of files are tried; the campaign of 10,000 is the same test with a larger
number and is marked ``slow``. NEURODECODE_FUZZ sets the number of the default run.
"""

import os
import resource
import signal
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurodecode.cli import main
from neurodecode.core.errors import PipelineError
from neurodecode.core.fingerprint import Memory
from neurodecode.core.pipeline import build_graph, load_pipeline
from neurodecode.core.planner import Planner
from neurodecode.core.store import Store
from tests.attacks.bombs import ALLOWED, BOMBS
from tests.attacks.fuzzing_yaml import CANARY, JUNK, MARK, draw_pipelines

N_DEFAULT = int(os.environ.get("NEURODECODE_FUZZ", "300"))
N_CAMPAIGN = 10_000
LIMIT_S = 5
MAX_PROBLEM, MAX_PROBLEMS = 1_200, 101
MAX_MEMORY_KB = 1_500_000

SIZES = [
    pytest.param(N_DEFAULT, id="some"),
    pytest.param(N_CAMPAIGN, id="campaign", marks=pytest.mark.slow),
]


@contextmanager
def within(seconds, clock_s=60):
    """Raise TimeoutError where something takes more processor time, or time by the clock."""

    def stop(number, frame):
        raise TimeoutError(f"longer than {seconds} s, or {clock_s} s by the clock")

    timers = {signal.SIGPROF: (signal.ITIMER_PROF, seconds),
              signal.SIGALRM: (signal.ITIMER_REAL, clock_s)}  # fmt: skip
    before = {number: signal.signal(number, stop) for number in timers}
    for timer, limit in timers.values():
        signal.setitimer(timer, limit)
    try:
        yield
    finally:
        for number, (timer, _) in timers.items():
            signal.setitimer(timer, 0)
            signal.signal(number, before[number])


def run_many(n, strategy, check):
    """Try a check on n examples; the same ones each time."""
    settings(
        max_examples=n, deadline=None, database=None, derandomize=True,
        suppress_health_check=list(HealthCheck),
    )(given(strategy)(check))()  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with a canary; its cache lies elsewhere."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "canary.py").write_text(CANARY)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("NEURODECODE_DATA", raising=False)
    monkeypatch.setenv("NEURODECODE_CACHE", str(tmp_path / "cache"))
    yield folder
    assert sorted(p.name for p in folder.iterdir() if p.name != "__pycache__") in (
        ["canary.py"],
        ["canary.py", "pipe.yaml"],
    )
    assert "canary" not in sys.modules, "a module was run that defines no stage"
    outside = {p.name for p in tmp_path.iterdir()}
    assert outside <= {"work", "cache"}, outside


def try_pipeline(load, folder: Path) -> bool:
    """Load and plan a pipeline; return whether it was one."""
    with within(LIMIT_S):
        try:
            graph = load()
        except PipelineError as error:
            check_problems(error.problems)
            return False
        store = Store(folder.parent / "cache")
        plans = Planner(graph, store, Memory(None)).plan()
    assert len(plans) == len(graph.instances)
    assert {plan.state for plan in plans} <= {"missing", "waiting", "blocked"}
    return True


def check_problems(problems):
    """Messages are short, of one line each, show what is hidden, and say where."""
    assert 0 < len(problems) <= MAX_PROBLEMS
    for problem in problems:
        assert len(problem) <= MAX_PROBLEM, problem[:200]
        assert problem.isprintable(), ascii(problem)
        assert problem.startswith("pipe.yaml"), problem
        assert "Node(" not in problem and "object at 0x" not in problem, problem


@pytest.mark.parametrize("n", SIZES)
def test_any_text_is_a_pipeline_or_refused_in_words(folder, n):
    counts = [0, 0]

    def check(text):
        counts[try_pipeline(lambda: build_graph(text, folder / "pipe.yaml"), folder)] += 1
        assert not (folder / MARK).exists(), "code of the file was run"

    run_many(n, draw_pipelines(), check)
    assert sum(counts) >= n
    assert counts[True] > n / 100, "some must come through, or planning is not tried"
    assert counts[False] > n / 2


@pytest.mark.parametrize("name", BOMBS)
def test_what_grows_without_bound_is_refused_in_time(folder, name):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    path = folder / "pipe.yaml"
    path.write_text(BOMBS[name])
    assert try_pipeline(lambda: load_pipeline(path), folder) is (name in ALLOWED)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MAX_MEMORY_KB


@pytest.mark.parametrize("n", [
    pytest.param(N_DEFAULT // 6, id="some"),
    pytest.param(N_CAMPAIGN // 20, id="campaign", marks=pytest.mark.slow),
])  # fmt: skip
def test_the_command_line_exits_with_0_1_or_2_and_prints_no_traceback(
    folder, monkeypatch, capsys, n
):
    junk = st.sampled_from([j for j in JUNK if "\0" not in j])
    keys = st.sampled_from(
        ("seed", "scan.seed", "decoded.alphas", "each.s", "p", "a.b", "title", "controls.kinds", "")
    )
    variables = st.sampled_from(("subject", "s", ""))
    extra = st.lists(
        junk
        | st.builds("{}={}".format, keys, junk)
        | st.builds("--branch={}={}".format, variables, junk),
        max_size=2,
    )
    commands = st.sampled_from((["plan"], ["plan", "-v"], ["why", "scores"], ["show", "scan"]))

    def check(text, command, arguments):
        (folder / "pipe.yaml").write_text(text, encoding="utf-8", errors="surrogatepass")
        line = ["neurodecode", command[0], "pipe.yaml", *command[1:], *arguments]
        monkeypatch.setattr(sys, "argv", line)
        code = 0
        with within(LIMIT_S):
            try:
                main()
            except SystemExit as stop:
                code = stop.code
        said = capsys.readouterr()
        assert code in (0, 1, 2, None), line
        assert "Traceback" not in said.err + said.out
        assert "\x1b" not in said.err + said.out, line
        if code == 2:
            assert said.err.startswith(("neurodecode: ", "Usage: ")), said.err
        assert not (folder / MARK).exists()

    run_many(n, st.tuples(draw_pipelines(), commands, extra), lambda drawn: check(*drawn))
