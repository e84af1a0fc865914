"""kill -9 at random moments: the run after it completes, with the same bytes and nothing left over.

By default a few kills of a short pipeline. The whole campaign, of the five-second pipeline:

    NEURODECODE_KILLS=200 pytest -m slow -s tests/attacks/test_kill.py

Moments are drawn from the number of the kill, so that a campaign can be cut up:
NEURODECODE_FIRST_KILL=100 goes on at number 100.
"""

import json
import os
import random
import shutil
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.attacks.five_seconds import (
    FiveSeconds,
    list_strays,
    measure,
    read_digests,
    verify,
    wait_for_group,
)

KILLS = int(os.environ.get("NEURODECODE_KILLS", "200"))
FIRST = int(os.environ.get("NEURODECODE_FIRST_KILL", "0"))
ORPHANS_END_S = 3.0


@dataclass
class Campaign:
    """Kills of one pipeline, and what an uninterrupted run of it leaves."""

    five: FiveSeconds
    left: dict[str, int] = field(default_factory=dict)

    def __post_init__(self):
        cache = self.five.folder / "whole"
        start = time.monotonic()
        done = self.five.run(cache)
        self.seconds = time.monotonic() - start
        assert done.code == 0, done.err
        self.digests, self.size = read_digests(cache), measure(cache)
        assert list_strays(cache) == []

    def kill(self, number: int, workers: int) -> None:
        """Kill one run, now and then the run after it, too; check the run that completes."""
        draw = random.Random(f"{workers} {number}")
        cache = self.five.folder / f"killed{number}"
        moment = draw.uniform(0, 1.1 * self.seconds)
        while not self.strike(cache, workers, moment, draw.random() < 0.5):
            self.count("too late")
            shutil.rmtree(cache)
            moment *= 0.6
        if draw.random() < 0.25:
            self.strike(cache, workers, draw.uniform(0, self.seconds), draw.random() < 0.5)
        done = self.five.run(cache, workers=workers)
        assert done.code == 0, done.err
        assert read_digests(cache) == self.digests
        assert list_strays(cache) == list_strays(self.five.folder / "results") == []
        files, size = measure(cache)
        assert files == self.size[0]
        assert abs(size - self.size[1]) < 10_000, "more bytes than the texts of cards account for"
        assert json.loads((cache / "memory.json").read_text())
        verify(self.five, cache)
        shutil.rmtree(cache)

    def strike(self, cache: Path, workers: int, moment: float, group: bool) -> bool:
        """Start a run and kill it: all of its processes, or the first alone.

        Returns
        -------
        was_killed : bool
            False if it ended before.
        """
        process = self.five.start(cache, workers=workers)
        time.sleep(moment)
        (os.killpg if group else os.kill)(process.pid, signal.SIGKILL)
        code = process.wait()
        wait_for_group(process.pid, ORPHANS_END_S)
        process.communicate()
        if code == 0:
            return False
        self.count("whole group" if group else "first process alone")
        for name in list_strays(cache):
            self.count(next(kind for kind in (".writing-", ".lease", ".blocks") if kind in name))
        return True

    def count(self, what: str) -> None:
        self.left[what] = self.left.get(what, 0) + 1


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    return Campaign(FiveSeconds(tmp_path_factory.mktemp("short"), megabytes=8, sleep_s=0.01))


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_killed_run_is_completed_by_the_next(short, workers):
    short.kill(0, workers)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_many_killed_runs_are_completed_by_the_next(tmp_path, workers):
    campaign = Campaign(FiveSeconds(tmp_path))
    for number in range(FIRST, FIRST + KILLS):
        try:
            campaign.kill(number, workers)
        except AssertionError as error:
            raise AssertionError(f"kill {number} with {workers} workers: {error}") from error
        print(f"workers {workers}, kill {number}: completed", flush=True)
    print(f"left by kills: {campaign.left}")
    assert KILLS < 20 or campaign.left.get(".writing-", 0) > 1, "no kill met a file being written"
