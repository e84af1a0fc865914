"""Which process something belongs to, and whether it lives."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from neurodecode.core.processes import Owner, describe_self, name_place


@pytest.fixture
def other():
    """Another process, as an owner."""
    code = (
        "import time; from neurodecode.core.processes import describe_self\n"
        "print(describe_self(), flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    yield process, Owner.parse(process.stdout.readline().strip())
    process.kill()
    process.communicate()


def wait_for_state(owner, state):
    deadline = time.monotonic() + 10
    while owner.find_state() != state and time.monotonic() < deadline:
        time.sleep(0.01)
    assert owner.find_state() == state


def test_this_process_runs():
    me = describe_self()
    assert me.pid == os.getpid()
    assert me.find_state() == "running"
    assert Owner.parse(str(me)) == me


def test_states_of_another_process(other):
    process, owner = other
    assert owner.find_state() == "running"
    os.kill(process.pid, signal.SIGSTOP)
    wait_for_state(owner, "stopped")
    os.kill(process.pid, signal.SIGCONT)
    wait_for_state(owner, "running")
    process.kill()
    wait_for_state(owner, "dead")  # though nobody has waited for it yet: it is still in the table
    process.wait()
    assert owner.find_state() == "dead"


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="no /proc: starts are unknown")
def test_a_number_given_out_again_is_another_process(other):
    _, owner = other
    assert owner.started > 0
    assert replace(owner, started=owner.started - 1).find_state() == "dead"
    assert replace(owner, started=0).find_state() == "running", "unknown starts are not compared"


def test_another_place_is_not_judged_from_here(other, monkeypatch):
    _, owner = other
    monkeypatch.setenv("NEURODECODE_HOST", "node2")
    assert owner.find_state() == "elsewhere"
    host, digest = owner.place.rsplit(".", 1)
    monkeypatch.delenv("NEURODECODE_HOST")
    copied = replace(owner, place=f"{host}.{'0' * len(digest)}")
    assert copied.find_state() == "elsewhere", "one host name, but another boot or container"


@pytest.mark.parametrize("name", ["node-1.cluster.edu", "zähler 3/4", "-", "a" * 60])
def test_any_host_name_can_be_part_of_a_file_name(name, monkeypatch, tmp_path):
    monkeypatch.setenv("NEURODECODE_HOST", name)
    me = describe_self()
    assert Owner.parse(str(me)) == me
    (tmp_path / str(me)).touch()
    assert me.find_state() == "running"
    assert name_place() == me.place


@pytest.mark.parametrize(
    "text", ["", "a-1", "a-b-1", "a-1-2-3", "a b-1-2", "a-1-٣", "a-" + "9" * 99]
)
def test_what_names_nobody(text):
    assert Owner.parse(text) is None
