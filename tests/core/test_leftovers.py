"""What killed processes leave is removed; what lives, or can be resumed from, is not."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from neurodecode.core.artifacts import Features
from neurodecode.core.files import FORGOTTEN_S, MARK, write_text
from neurodecode.core.leftovers import list_orphans, remove_leftovers, remove_orphan
from neurodecode.core.processes import describe_self
from neurodecode.core.tables import Table
from tests.core.toy_package import Workshop

ME = describe_self()
ELSEWHERE = replace(ME, place="node7.0a1b2c3d")


@pytest.fixture(scope="module")
def dead():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return replace(ME, pid=process.pid)


def write_result(store, key):
    made = Features(data=np.arange(4.0).reshape(2, 2), items=Table({"id": ["a", "b"]}))
    return store.write("a.b", key, {"features": made}, {"stage": "a.b", "key": key})


def leave(folder, owner, age_s=0.0):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{MARK}{owner}-{int(age_s):012d}.h5"
    path.touch()
    os.utime(path, (time.time() - age_s,) * 2)
    return path


def lease(store, name, owner, age_s=0.0):
    path = store.folder / "a.b" / f"{name}.lease"
    write_text(path, json.dumps({"owner": str(owner), "expiry_s": 60, "token": "x"}))
    os.utime(path, (time.time() - age_s,) * 2)
    return path


def test_half_written_files_of_dead_processes_go(store, dead):
    folders = [store.folder, store.folder / "a.b", store.folder / "a.b" / "k.blocks"]
    gone = [leave(folder, dead) for folder in folders]
    gone.append(leave(folders[1], ELSEWHERE, age_s=FORGOTTEN_S + 60))
    kept = [leave(folder, ME) for folder in folders]
    kept.append(leave(folders[1], ELSEWHERE, age_s=FORGOTTEN_S - 60))
    assert sorted(remove_leftovers(store)) == sorted(gone)
    assert all(path.exists() for path in kept)
    assert remove_leftovers(store, ending=True) == kept[:3], "one's own go at the end"


def test_leases_of_dead_processes_go(store, dead):
    gone = [lease(store, "k1", dead), lease(store, "k2", ELSEWHERE, age_s=3600)]
    kept = [lease(store, "k3", ME), lease(store, "k4", ELSEWHERE)]
    assert sorted(remove_leftovers(store)) == sorted(gone)
    assert all(path.exists() for path in kept)
    assert remove_leftovers(store, ending=True) == kept[:1]


def test_pieces_go_when_their_result_is_there(store, dead):
    for key in ("done", "held", "open"):
        store.write_block("a.b", key, "piece0", {"part": np.zeros(2)})
    write_result(store, "done")
    write_result(store, "held")
    held = lease(store, "held.piece0", ME)  # somebody is about to find that it is there
    assert remove_leftovers(store) == [store.folder / "a.b" / "done.blocks"]
    held.unlink()
    assert remove_leftovers(store) == [store.folder / "a.b" / "held.blocks"]
    assert store.read_block("a.b", "open", "piece0") is not None


def test_what_nobody_comes_back_to_is_for_gc(store):
    for key in ("wanted", "unwanted"):
        store.write_block("a.b", key, "piece0", {"part": np.zeros(2)})
        store.write_block("c.d", key, "piece0", {"part": np.zeros(2)})
    write_result(store, "whole")
    nameless = store.folder / "a.b" / "nameless.h5"
    nameless.write_bytes(b"12345")
    assert remove_leftovers(store) == []
    found = dict(list_orphans(store, {"wanted"}, {"c.d"}))
    assert set(found) == {store.folder / "a.b" / "unwanted.blocks", nameless}
    assert found[nameless] == 5
    lease(store, "unwanted.piece0", ME)
    assert set(dict(list_orphans(store, {"wanted"}, {"c.d"}))) == {nameless}, "it is worked at"
    for path in found:
        remove_orphan(path)
    assert not any(path.exists() for path in found)


def test_every_run_clears_up(tmp_path, dead):
    """One that finds everything fresh, too: the process may have died after its last result."""
    shop = Workshop(tmp_path)
    for computed in (4, 0):
        strays = [leave(shop.store.folder, dead), leave(shop.store.folder / "a.b", dead)]
        strays.append(lease(shop.store, "k", dead))
        assert len(shop.compute()) == computed
        assert not any(path.exists() for path in strays)


def test_a_cache_that_is_not_there_yet(store):
    assert remove_leftovers(store) == []
    assert not store.folder.exists()
