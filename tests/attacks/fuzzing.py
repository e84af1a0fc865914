"""Draw damaged and hostile files, and see what a reader does with each, in a process of its own.

hypothesis draws which file is made and how it is damaged; a pool of processes reads it the way a
user would. A process that does not answer in time, or dies, is ended and replaced, and the file
is to blame.
"""

import contextlib
import io
import json
import multiprocessing
import os
import random
import re
import resource
import shutil
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.attacks.hostile_files import CANARY, EXTREMES, MAKERS, make_seed

MOST_S = 5.0  # of computing time, all processes together: other work on the machine adds none
HANGS_S = 60.0  # without any answer
MOST_BYTES = 4 << 30  # of address space, the libraries' own included
PIPELINE = """\
steps:
  scan: {{stage: datasets.arrays, path: {path}, name: fuzz, responses: {key}, {more}}}
"""
# The same array as numbers, as labels, and as a further column.
USES = (
    "orientation: samples_first", "orientation: voxels_first, keep_nan: true", "runs: {key}",
    "stimulus_ids: {key}, columns: {{more: {key}}}, orientation: samples_first",
    "stimuli: {key}, stimulus_kind: text",
)  # fmt: skip


@dataclass(frozen=True)
class Change:
    """One damage: what, where (share of the length), how long, and with what."""

    what: str
    place: float
    length: int
    value: int


@dataclass(frozen=True)
class Drawn:
    """One file: which maker, with which seed, the damages, and what it is used for."""

    maker: int
    seed: int
    use: int
    changes: tuple[Change, ...]


CHANGES = st.builds(
    Change,
    what=st.sampled_from(["bit", "byte", "cut", "integer", "delete", "repeat", "swap", "splice"]),
    place=st.floats(0, 1, exclude_max=True),
    length=st.sampled_from([1, 2, 4, 8, 64, 512]),
    value=st.one_of(st.integers(0, 255), st.sampled_from(EXTREMES)),
)


def draw_files(n: int) -> list[Drawn]:
    """Return n examples: half of them hostile, evenly over the makers, half healthy and damaged."""
    share = n // (2 * len(MAKERS))
    hostile = [drawn for i in range(len(MAKERS)) for drawn in draw(_describe_files(i), share)]
    return hostile + draw(_describe_files(-1), n - len(hostile))


def _describe_files(maker: int) -> st.SearchStrategy[Drawn]:
    changes = st.one_of(st.just(()), st.tuples(CHANGES))  # hostile as made, or damaged on top
    return st.builds(
        Drawn,
        maker=st.just(maker),
        seed=st.integers(0, 2**32 - 1),
        use=st.integers(0, len(USES) - 1),
        changes=st.lists(CHANGES, min_size=1, max_size=6).map(tuple) if maker < 0 else changes,
    )


def draw(strategy: st.SearchStrategy[Any], n: int) -> list[Any]:
    """Return n different examples, the same in every run."""
    found: dict[Any, None] = {}

    @settings(
        max_examples=2 * n, database=None, derandomize=True, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(strategy)
    def collect(example):
        found[example] = None

    collect()
    assert len(found) >= n, f"only {len(found)} different examples"
    return list(found)[:n]


def damage(data: bytes, changes: tuple[Change, ...], other: bytes, rng: random.Random) -> bytes:
    """Return bytes with all changes made, one after the other, their places shifted at random."""
    out = bytearray(data)
    shift = rng.random()
    for change in changes:
        i, n = int((change.place + shift) % 1 * len(out)), change.length
        if change.what == "bit" and out:
            out[i] ^= 1 << change.value % 8
        elif change.what == "byte" and out:
            out[i] = change.value % 256
        elif change.what == "cut":
            del out[i:]
        elif change.what == "integer":
            width = min(n, 8)
            out[i : i + width] = (change.value % 2 ** (8 * width)).to_bytes(width, "little")
        elif change.what == "delete":
            del out[i : i + n]
        elif change.what == "repeat":
            out[i:i] = out[i : i + n]
        elif change.what == "swap":
            first, second = out[i : i + n], out[i + n : i + 2 * n]
            out[i : i + 2 * n] = second + first
        elif change.what == "splice":
            out[i:] = other[int(change.place * len(other)) :]
    return bytes(out)


def make_file(drawn: Drawn, folder: Path) -> tuple[Path, str]:
    """Write the file of an example; return its path and the key to ask for."""
    maker = make_seed if drawn.maker < 0 else MAKERS[drawn.maker]
    rng = random.Random(repr(drawn))  # hypothesis draws many examples that are almost alike
    path, key = maker(folder, rng)
    if drawn.changes:
        aside = folder / "aside"
        aside.mkdir()
        other, _ = maker(aside, rng)
        path.write_bytes(damage(path.read_bytes(), drawn.changes, other.read_bytes(), rng))
        shutil.rmtree(aside)
    return path, key


def run_pipeline_on(drawn: Drawn, folder: Path) -> str:
    """Run a pipeline that reads the file, as the command line does; return "" or what is wrong."""
    path, key = make_file(drawn, folder)
    reference = json.dumps(f"{path.name}::{key}")
    more = USES[drawn.use].format(key=reference)
    text = PIPELINE.format(path=path.name, key=reference, more=more)
    (folder / "pipe.yaml").write_text(text, encoding="utf-8")
    said, wrong = run_command(["run", "pipe.yaml", "--cache", "cache"], folder)
    failed = re.search(r"\nFAILED scan\n((?:  .+\n)+)", said)
    message = failed.group(1).strip() if failed else said
    ended_well = "1 computed" in said
    ours = re.match(r"datasets\.arrays|neurodecode: pipe\.yaml:\d+: ", message)
    if not wrong and not ended_well and (not ours or "mistake in the code" in message):
        return f"no message of ours: {message[:300]}"
    return wrong


def run_command(arguments: list[str], folder: Path) -> tuple[str, str]:
    """Run a command in a folder; return what it printed, and "" or what is wrong with how it ended.

    Wrong are a traceback, a warning, another exit status than 0, 1 and 2, code that was run, and
    files written beside the cache.
    """
    from neurodecode.cli import main

    before = list_tree(folder)
    printed = io.StringIO()
    here, earlier = Path.cwd(), sys.argv
    os.chdir(folder)
    sys.argv = ["neurodecode", *arguments]
    code: Any = 0
    try:
        with (
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(printed),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("always")
            main()
    except SystemExit as ended:
        code = ended.code or 0
    finally:
        os.chdir(here)
        sys.argv = earlier
    said = printed.getvalue()
    if (folder / CANARY).exists():
        return said, "code was run"
    if list_tree(folder) != before:
        return said, f"files changed: {sorted(set(list_tree(folder)) ^ set(before))}"
    if code not in (0, 1, 2):
        return said, f"exit status {code}"
    if "Traceback" in said or "Warning" in said:
        return said, f"noise: {said[-300:]}"
    return said, ""


def list_tree(folder: Path) -> dict[str, Any]:
    """Return size and date of everything beside the cache."""
    return {
        str(p): (p.lstat().st_size, p.lstat().st_mtime_ns)
        for p in folder.rglob("*")
        if p.is_file() and "cache" not in p.relative_to(folder).parts
    }


# ------------------------------------------------------------------------------------ the pool


def serve(connection: Any, judge: Callable[[Any, Path], str]) -> None:
    """Judge what comes, each in an empty folder, until the other side hangs up."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(EOFError):
        while True:
            example, folder = connection.recv()
            folder.mkdir(parents=True)
            start = _count_seconds()
            try:
                found = judge(example, folder)
            except Exception as error:
                import traceback

                last = traceback.format_exc().strip().splitlines()[-7:]
                found = f"{type(error).__name__} came out: " + " | ".join(last)
            seconds = _count_seconds() - start
            if seconds > MOST_S and not found:
                found = f"took {seconds:.1f} s"
            connection.send((found, seconds))


def _count_seconds() -> float:
    used = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


@dataclass
class Verdict:
    """What became of one example; seconds of computing."""

    example: Any
    found: str
    seconds: float
    folder: Path


def judge_all(
    judge: Callable[[Any, Path], str], examples: list[Any], folder: Path, n_processes: int = 2
) -> list[Verdict]:
    """Return a verdict on each example; what passed leaves nothing behind.

    Parameters
    ----------
    judge : function of an example and an empty folder
        Returns "" or what is wrong; it is imported by name in every process.
    """
    waiting: Iterator[tuple[int, Any]] = iter(list(enumerate(examples)))
    verdicts: list[Verdict] = []
    lock = threading.Lock()

    def work() -> None:
        worker = _Worker(judge)
        while True:
            with lock:
                number, example = next(waiting, (None, None))
            if number is None:
                break
            verdict = worker.ask(example, folder / str(number))
            with lock:
                verdicts.append(verdict)
        worker.end()

    threads = [threading.Thread(target=work) for _ in range(n_processes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return verdicts


class _Worker:
    """One process, made anew when it dies or does not answer."""

    def __init__(self, judge: Callable[[Any, Path], str]) -> None:
        self.judge = judge
        self.start()

    def start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, self.judge), daemon=False)
        self.process.start()
        theirs.close()

    def ask(self, example: Any, folder: Path) -> Verdict:
        found, seconds = "", HANGS_S
        try:
            self.connection.send((example, folder))
            if self.connection.poll(HANGS_S):
                found, seconds = self.connection.recv()
            else:
                found = f"no answer within {HANGS_S} s"
        except (EOFError, BrokenPipeError, ConnectionResetError):
            self.process.join()
            found = f"the process died ({self.process.exitcode})"
        if seconds == HANGS_S:
            self.end()
            self.start()
        verdict = Verdict(example, found, seconds, folder)
        if not found:
            shutil.rmtree(folder, ignore_errors=True)
        return verdict

    def end(self) -> None:
        self.connection.close()
        self.process.join(0.5)
        self.process.kill()
        self.process.join()
