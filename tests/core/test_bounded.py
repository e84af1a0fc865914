"""Bounds on a process: what runs on, takes all memory, writes or crashes is ended and explained."""

import subprocess
import sys

import numpy as np
import pytest

from neurodecode.core.bounded import end_bounded, explain_death, set_bounds, start_bounded
from neurodecode.core.errors import StoreError
from neurodecode.core.store import Store, read_lone_file
from tests.examples import make_features

BOUND = "import sys; from pathlib import Path; path = Path(sys.argv[1]); "
BOUND += f"from {set_bounds.__module__} import set_bounds; set_bounds(path)\n"


@pytest.fixture
def small(tmp_path):
    """A file of a hundred bytes."""
    path = tmp_path / "small"
    path.write_bytes(bytes(100))
    return path


def run(code: str, path) -> tuple[subprocess.Popen, str]:
    process = start_bounded(BOUND + code, str(path))
    try:
        _, trace = process.communicate(timeout=60)
    finally:
        process.kill()
    return process, trace.decode()


def test_what_runs_on_is_ended(small):
    process, _ = run("while True: pass", small)
    assert "busy for more than 2 s" in explain_death(process.returncode, small)


def test_what_crashes_is_told_by_its_signal(small):
    process, _ = run("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", small)
    assert "crashes the library that reads it (SIGSEGV)" in explain_death(process.returncode, small)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems know no bound of memory")
def test_memory_is_bounded_by_the_size_of_the_file(small):
    process, trace = run("bytes(3 << 30)", small)
    assert "MemoryError" in trace
    assert explain_death(process.returncode, small) == ""
    with small.open("r+b") as stream:
        stream.truncate(100 << 20)
    process, _ = run("bytes(3 << 30)", small)
    assert process.returncode == 0


def test_no_file_is_written(small):
    process, trace = run("(path.parent / 'made').write_bytes(b'1')", small)
    assert process.returncode == 1
    assert "File too large" in trace


def test_a_process_can_be_ended_while_it_works(small):
    process = start_bounded(BOUND + "while True: pass", str(small))
    end_bounded(process)
    assert process.returncode < 0


def test_a_lone_result_is_shown_as_long_as_its_own_digests_hold(tmp_path):
    store = Store(tmp_path / "cache")
    card = store.write("toys.example", "k", {"it": make_features()}, {"key": "k"})
    path = tmp_path / "sent by mail.h5"
    whole = (store.folder / "toys.example" / "k.h5").read_bytes()
    path.write_bytes(whole)
    inside, outputs = read_lone_file(path)
    assert inside["key"] == card["key"]
    np.testing.assert_array_equal(np.asarray(outputs["it"].data), make_features().data)
    place = whole.index(np.asarray(make_features().data)[3].tobytes())
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    with pytest.raises(StoreError, match=r"sent by mail.h5.*cannot be read"):
        read_lone_file(path)
    with pytest.raises(StoreError, match="no such file"):
        read_lone_file(tmp_path / "absent.h5")
