"""Leases keep two processes from computing one result at once."""

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest

from neurodecode.core import lease
from neurodecode.core.errors import UserError, WriteError
from neurodecode.core.lease import holding, is_abandoned, read_lease, remove_lease
from neurodecode.core.processes import describe_self

ME = describe_self()
ELSEWHERE = replace(ME, place="node7.0a1b2c3d")


@pytest.fixture
def result(tmp_path):
    return tmp_path / "stage" / "key.h5"


def write_lease(result, owner, age_s=0.0, expiry_s=60.0):
    path = result.with_suffix(".lease")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"owner": str(owner), "expiry_s": expiry_s, "token": "a"}))
    os.utime(path, (time.time() - age_s,) * 2)
    return path


def find_dead():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return replace(ME, pid=process.pid)


def read_owner(path):
    return json.loads(path.read_text())["owner"]


def test_a_lease_is_there_while_held_and_gone_after(result):
    with holding(result):
        assert read_owner(result.with_suffix(".lease")) == str(ME)
    assert not result.with_suffix(".lease").exists()
    with pytest.raises(RuntimeError, match="inside"), holding(result):
        raise RuntimeError("inside")
    assert not result.with_suffix(".lease").exists()


def test_a_dead_process_is_succeeded(result):
    write_lease(result, find_dead())
    start = time.monotonic()
    with holding(result):
        assert read_owner(result.with_suffix(".lease")) == str(ME)
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    ("owner", "age_s", "gone"),
    [
        (ME, 3600, False),  # it runs, however long its heart has not beaten
        (replace(ME, started=ME.started + 1), 0, True),  # its number was given out again
        (ELSEWHERE, 59, False),
        (ELSEWHERE, 61, True),
        (replace(find_dead(), place=ELSEWHERE.place), 0, False),  # not to be seen from here
        ("nonsense", 0, False),
        ("nonsense", 61, True),
    ],
)
def test_whose_lease_is_abandoned(result, owner, age_s, gone):
    path = write_lease(result, owner, age_s)
    assert is_abandoned(path, read_lease(path)) is gone
    assert list(path.parent.iterdir()) == [path], "reading the clock leaves nothing"


def test_a_lease_says_itself_when_it_expires(result):
    path = write_lease(result, ELSEWHERE, age_s=5, expiry_s=4)
    assert is_abandoned(path, read_lease(path))
    path.write_text("")  # made, and not filled yet
    assert not is_abandoned(path, b"")


def test_age_is_told_by_the_file_systems_clock(result, monkeypatch):
    path = write_lease(result, ELSEWHERE)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 7200)  # this machine's clock is two hours off
    assert not is_abandoned(path, read_lease(path))


def test_an_expired_lease_of_another_machine_is_taken_over(result):
    path = write_lease(result, ELSEWHERE, age_s=2 * lease.EXPIRY_S)
    with holding(result):
        assert read_owner(path) == str(ME)


def test_the_slower_of_two_that_wait_does_not_remove_what_the_faster_took(result):
    path = write_lease(result, find_dead())
    seen_by_slower = read_lease(path)
    with holding(result):
        taken = read_lease(path)
        assert not remove_lease(path, seen_by_slower)
        assert read_lease(path) == taken != seen_by_slower
        assert list(path.parent.iterdir()) == [path]


def test_who_lost_a_lease_does_not_remove_the_successors(result, monkeypatch):
    monkeypatch.setenv("NEURODECODE_LEASE_S", "0.12")
    path = result.with_suffix(".lease")
    with holding(result):
        write_lease(result, ELSEWHERE, age_s=50)  # taken over while this process was stopped
        theirs, dated = read_lease(path), path.stat().st_mtime
        time.sleep(0.2)
        assert path.stat().st_mtime == dated, "nor keeps it alive"
    assert read_lease(path) == theirs


def test_a_lease_is_touched_while_it_is_held(result, monkeypatch):
    monkeypatch.setenv("NEURODECODE_LEASE_S", "0.24")
    path = result.with_suffix(".lease")
    with holding(result):
        os.utime(path, (0, 0))
        deadline = time.monotonic() + 5
        while path.stat().st_mtime == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert path.stat().st_mtime > 0


def test_many_threads_are_never_inside_together(result):
    write_lease(result, find_dead())
    inside, most = [], []

    def work():
        for _ in range(20):
            with holding(result):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (len(most), max(most)) == (80, 1)
    assert list(result.parent.iterdir()) == []


def test_who_waits_says_for_whom(result, monkeypatch):
    monkeypatch.setattr(lease, "TELL_AFTER_S", 0.0)
    path = write_lease(result, ELSEWHERE)
    told = []

    def tell(text):
        told.append(text)
        path.unlink()

    with holding(result, tell):
        pass
    assert told == [f"waits for process {ME.pid} on node7, which computes it"]


def test_a_nonsensical_expiry_is_refused(result, monkeypatch):
    monkeypatch.setenv("NEURODECODE_LEASE_S", "soon")
    with pytest.raises(UserError, match="NEURODECODE_LEASE_S is 'soon'"), holding(result):
        pass


def test_a_lease_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "stage").write_text("a file where the folder should be")
    with (
        pytest.raises(WriteError, match="could not be written"),
        holding(tmp_path / "stage/key.h5"),
    ):
        pass


def test_who_waited_finds_the_result(result):
    got, entered = [], threading.Event()

    def wait():
        entered.set()
        with holding(result):
            got.append(result.with_suffix(".json").exists())

    with holding(result):
        waiting = threading.Thread(target=wait)
        waiting.start()
        entered.wait(5)
        time.sleep(2 * lease.POLL_S)
        assert got == [], "a live lease is respected"
        result.with_suffix(".json").write_text("{}")
    waiting.join(5)
    assert got == [True]
    assert not result.with_suffix(".lease").exists()


def test_who_waited_in_vain_computes(result):
    write_lease(result, ME)
    got = []

    def wait():
        with holding(result):
            got.append(result.with_suffix(".json").exists())

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(2 * lease.POLL_S)
    result.with_suffix(".lease").unlink()  # the other gave up without a result
    waiting.join(5)
    assert got == [False]
