"""Leases keep two processes from computing one result at once."""

import json
import os
import socket
import subprocess
import sys
import threading
import time

import pytest

from neurodecode.core import lease
from neurodecode.core.lease import holding


@pytest.fixture
def result(tmp_path):
    return tmp_path / "stage" / "key.h5"


def write_lease(result, pid, host=None):
    path = result.with_suffix(".lease")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"host": host or socket.gethostname(), "pid": pid}))
    return path


def find_dead_pid():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_lease_is_there_while_held_and_gone_after(result):
    with holding(result):
        assert json.loads(result.with_suffix(".lease").read_text())["pid"] == os.getpid()
    assert not result.with_suffix(".lease").exists()
    with pytest.raises(RuntimeError, match="inside"), holding(result):
        raise RuntimeError("inside")
    assert not result.with_suffix(".lease").exists()


def test_a_dead_process_is_succeeded(result):
    write_lease(result, find_dead_pid())
    start = time.monotonic()
    with holding(result):
        assert json.loads(result.with_suffix(".lease").read_text())["pid"] == os.getpid()
    assert time.monotonic() - start < 5


def test_an_expired_lease_of_another_machine_is_taken_over(result):
    path = write_lease(result, 1, host="elsewhere")
    os.utime(path, (time.time() - 2 * lease.EXPIRY_S,) * 2)
    with holding(result):
        assert json.loads(path.read_text())["pid"] == os.getpid()


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
    write_lease(result, os.getpid())
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
