"""Several processes at the same file: each result computed once, and by whom does not matter.

Two machines are played by two host names (NEURODECODE_HOST), so that neither can see whether a
process of the other lives.
"""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from neurodecode.core.store import Store
from tests.attacks.five_seconds import (
    HEAD,
    FiveSeconds,
    list_strays,
    read_digests,
    verify,
    wait_for,
)

SLOW = '''
class Slow(Stage):
    """Take some seconds."""

    stage: ClassVar[str] = "five.slow:Slow"
    seconds: float

    def run(self) -> Features:
        host = os.environ.get("NEURODECODE_HOST", "here")
        with Path(os.environ["FIVE_SECONDS_DIARY"]).open("a") as stream:
            stream.write(f"begun {host} {os.getpid()}\\n")
        until = time.monotonic() + self.seconds
        while time.monotonic() < until:
            time.sleep(0.05)
        with Path(os.environ["FIVE_SECONDS_DIARY"]).open("a") as stream:
            stream.write(f"done {host} {os.getpid()}\\n")
        return Features(data=np.zeros((1, 1)), items=Table({"id": ["a"]}))
'''
SLOW_PIPELINE = 'steps:\n  slow: {{stage: "five.slow:Slow", seconds: {seconds}}}\n'
SLOW_PIECES = 'steps:\n  slow: {{stage: "five.slow_pieces:SlowPieces", seconds: {seconds}}}\n'


PIECES = '''
class SlowPieces(Stage):
    """Take some seconds for each of six pieces."""

    stage: ClassVar[str] = "five.slow_pieces:SlowPieces"
    seconds: float

    def blocks(self):
        return [f"piece{i}" for i in range(6)]

    def run_block(self, block):
        with Path(os.environ["FIVE_SECONDS_DIARY"]).open("a") as stream:
            stream.write(f"{block} {os.getpid()}\\n")
        time.sleep(self.seconds)
        return {"part": np.zeros(3)}

    def assemble(self, parts):
        return Features(data=np.zeros((1, 1)), items=Table({"id": ["a"]}))

    def run(self) -> Features:
        return self.run_in_blocks()
'''


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The digests of an uninterrupted run, and how often each thing is computed in it: once."""
    five = FiveSeconds(tmp_path_factory.mktemp("five"), megabytes=8, sleep_s=0.02)
    assert five.run(five.folder / "whole").code == 0
    diary = five.read_diary()
    assert set(diary.values()) == {1} and len(diary) == 22
    return five, read_digests(five.folder / "whole"), diary


@pytest.mark.parametrize(
    ("hosts", "workers"),
    [
        (["node1", "node2"], 0),
        (["", ""], 2),
        pytest.param(["", "", "", ""], 0, marks=pytest.mark.slow),
    ],
)
def test_each_result_is_computed_once(made, tmp_path, hosts, workers):
    five, digests, diary = made
    five.diary.unlink(missing_ok=True)
    cache = tmp_path / "cache"
    given = [{"NEURODECODE_HOST": host} if host else {} for host in hosts]
    processes = [
        five.start(cache, workers=workers, env=env, out=tmp_path / f"out{i}")
        for i, env in enumerate(given)
    ]
    ended = [wait_for(process) for process in processes]
    assert [(e.code, e.err) for e in ended] == [(0, "")] * len(hosts)
    assert five.read_diary() == diary
    assert read_digests(cache) == digests
    assert list_strays(cache) == []
    assert json.loads((cache / "memory.json").read_text())
    (test_set,) = (cache / "looks").iterdir()
    assert Store(cache).count_looks(test_set.name) == 3
    verify(five, cache)


class Slowly:
    """Runs of one slow step."""

    def __init__(self, folder, seconds=30.0):
        self.five = FiveSeconds(folder)
        (folder / "five" / "slow.py").write_text(HEAD + SLOW)
        (folder / "five" / "slow_pieces.py").write_text(HEAD + PIECES)
        self.cache = folder / "cache"
        self.use(seconds)

    def use(self, seconds, pipeline=SLOW_PIPELINE):
        (self.five.folder / "slow.yaml").write_text(pipeline.format(seconds=seconds))

    def start(self, host="", lease_s=None, workers=0):
        env = {"NEURODECODE_HOST": host} if host else {}
        env |= {"NEURODECODE_LEASE_S": str(lease_s)} if lease_s else {}
        command = [sys.executable, "-m", "neurodecode", "run", str(self.five.folder / "slow.yaml")]
        return subprocess.Popen(
            [*command, "--cache", str(self.cache), "--workers", str(workers)],
            env=self.five.environment(**env), cwd=self.five.folder, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def read(self):
        diary = self.five.diary
        lines = diary.read_text().splitlines() if diary.exists() else []
        return [line.rpartition(" ")[0] for line in lines]

    def wait_until(self, line):
        deadline = time.monotonic() + 30
        while line not in self.read():
            assert time.monotonic() < deadline, f"no '{line}'"
            time.sleep(0.02)

    def check_clean(self):
        assert list_strays(self.cache) == []
        verify(self.five, self.cache)


@pytest.fixture
def slowly(tmp_path):
    return Slowly(tmp_path)


def test_workers_of_two_processes_do_no_piece_twice(slowly):
    slowly.use(0.5, SLOW_PIECES)
    processes = [slowly.start(workers=2) for _ in range(2)]
    ended = [wait_for(process) for process in processes]
    assert [(e.code, e.err) for e in ended] == [(0, ""), (0, "")]
    assert sorted(slowly.read()) == [f"piece{i}" for i in range(6)]
    slowly.check_clean()


def test_a_dead_process_is_succeeded_at_once(slowly):
    slowly.use(2.0)
    first = slowly.start()
    slowly.wait_until("begun here")
    first.kill()  # and not waited for: a dead process may stay in the table
    start = time.monotonic()
    assert wait_for(slowly.start()).code == 0
    assert time.monotonic() - start < 20, "it waited for the lease to expire"
    assert slowly.read() == ["begun here", "begun here", "done here"]
    first.communicate()
    slowly.check_clean()


def test_a_dead_process_of_another_machine_is_succeeded_after_expiry(slowly):
    slowly.use(1.0)
    first = slowly.start("node1", lease_s=4)
    slowly.wait_until("begun node1")
    first.kill()
    first.communicate()
    start = time.monotonic()
    second = wait_for(slowly.start("node2"))  # the lease itself says how long it holds
    assert second.code == 0
    assert 2 < time.monotonic() - start < 30
    assert f"waits for process {first.pid} on node1" in second.out
    assert slowly.read() == ["begun node1", "begun node2", "done node2"]
    slowly.check_clean()


def test_a_live_process_of_another_machine_is_respected(slowly):
    slowly.use(4.0)
    first = slowly.start("node1", lease_s=1)
    slowly.wait_until("begun node1")
    second = slowly.start("node2", lease_s=1)
    ended = wait_for(first), wait_for(second)
    assert [e.code for e in ended] == [0, 0]
    assert slowly.read() == ["begun node1", "done node1"]
    slowly.check_clean()


@pytest.mark.parametrize("host", ["", "node2"])
def test_a_stopped_process_is_succeeded_and_may_go_on(slowly, host):
    slowly.use(1.5)
    first = slowly.start("", lease_s=1)
    slowly.wait_until("begun here")
    os.kill(first.pid, signal.SIGSTOP)
    second = wait_for(slowly.start(host))
    assert second.code == 0, second.err
    card = next(slowly.cache.glob("five*/*.json")).read_bytes()
    os.kill(first.pid, signal.SIGCONT)
    first = wait_for(first)
    assert (first.code, first.err) == (0, "")
    assert next(slowly.cache.glob("five*/*.json")).read_bytes() == card, (
        "the first to finish counts"
    )
    slowly.check_clean()


def test_a_busy_process_of_this_machine_is_never_robbed(slowly):
    """Its heart may stop beating: a stage can hold the interpreter for long."""
    slowly.use(2.5)
    first = slowly.start(lease_s=0.2)
    slowly.wait_until("begun here")
    lease = next(slowly.cache.glob("five*/*.lease"))
    second = slowly.start(lease_s=0.2)
    while first.poll() is None:  # as if it had not been touched for an hour
        if lease.exists():
            os.utime(lease, (time.time() - 3600,) * 2)
        time.sleep(0.02)
    assert wait_for(first).code == wait_for(second).code == 0
    assert slowly.read() == ["begun here", "done here"]
    slowly.check_clean()
