"""Disks that fill, files that may not grow, caches and folders that cannot be written.

What cannot be kept fails in plain words, what is kept is whole, and the run after there is room
completes with the same bytes.
"""

import ctypes
import os
import re
import resource
import shutil
import subprocess
import sys
from contextlib import contextmanager, suppress

import pytest

from tests.attacks.five_seconds import (
    Ended,
    FiveSeconds,
    list_strays,
    measure,
    read_digests,
    verify,
)

NOBODY = 65534  # whoever is not the user that runs the tests
NOISE = ("Traceback", "Exception ignored", "HDF5-DIAG", "Segmentation")


@pytest.fixture(scope="module")
def five(tmp_path_factory):
    """A short pipeline, and one cache with all of its results."""
    folder = tmp_path_factory.mktemp("five")
    five = FiveSeconds(folder, megabytes=8, sleep_s=0.01)
    done = five.run(folder / "whole")
    assert done.code == 0, done.err
    return five


@pytest.fixture
def whole(five):
    return read_digests(five.folder / "whole")


@contextmanager
def small_disk(folder, megabytes):
    """Mount a disk of its own size, or skip."""
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    done = subprocess.run(["mount", *options], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk):
    """Leave no room on a disk, not for a byte."""
    with suppress(OSError), (disk / "ballast").open("wb", buffering=0) as stream:
        while True:
            stream.write(bytes(4096))


def drop_powers():
    """Take root's powers over the files of others from a process that is about to start."""
    libc = ctypes.CDLL(None, use_errno=True)
    for power in (1, 2, 3):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER
        if libc.prctl(24, power, 0, 0, 0):  # PR_CAPBSET_DROP
            raise OSError(ctypes.get_errno(), "prctl")


def seal(folder):
    """Make a folder somebody else's; return what lets a process be an ordinary user's."""
    paths = [folder, *folder.rglob("*")]
    for path in paths:
        if os.geteuid() == 0:
            os.chown(path, NOBODY, NOBODY)
        else:
            path.chmod(path.stat().st_mode & ~0o222)
    return {"preexec_fn": drop_powers} if os.geteuid() == 0 else {}


def check_quiet(done):
    assert not [line for line in NOISE if line in done.out + done.err], done.out + done.err


def check_failed_plainly(done, reason, failed="1 failed, 2 skipped"):
    """Check exit code and words of a run whose large result could not be kept."""
    assert done.code == 1, (done.code, done.err)
    check_quiet(done)
    told = done.out.partition("\nFAILED large\n")[2]
    assert reason in told
    assert "could not be written" in told
    assert "neurodecode gc" in told and "--cache" in told
    assert re.search(rf"\d+ computed, 0 fresh, {failed}", done.out), done.out


def check_whole(five, cache, whole):
    """Check that everything in a cache is as in an uninterrupted one, and nothing is left over."""
    kept = read_digests(cache)
    assert kept.items() <= whole.items()
    assert [s for s in list_strays(cache) if not s.startswith("logs")] == []
    verify(five, cache)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_full_disk_fails_the_step_and_no_other(five, whole, tmp_path, workers):
    with small_disk(tmp_path / "disk", 6) as disk:
        done = five.run(disk / "cache", workers=workers)
        # what another worker writes at the same moment may find no room either
        beside = r"[12] failed, \d skipped" if workers else "1 failed, 2 skipped"
        check_failed_plainly(done, "the disk is full (", beside)
        assert "MB free without it)" in done.out
        check_whole(five, disk / "cache", whole)
        before = len(read_digests(disk / "cache"))
        assert before == len(whole) - 3
        subprocess.run(["mount", "-o", "remount,size=60m", str(disk)], check=True)
        done = five.run(disk / "cache", workers=workers)
        assert done.code == 0, done.err
        assert f"3 computed, {before} fresh" in done.out
        shutil.rmtree(disk / "cache" / "logs")
        check_whole(five, disk / "cache", whole)
        assert read_digests(disk / "cache") == whole


def test_a_disk_without_any_room(five, tmp_path):
    with small_disk(tmp_path / "disk", 1) as disk:
        cache = disk / "cache"
        cache.mkdir()
        fill(disk)
        done = five.run(cache)
        assert done.code in (1, 2)
        check_quiet(done)
        assert "the disk is full" in done.out + done.err
        assert read_digests(cache) == {}
        assert list_strays(cache) == []


def test_files_that_may_not_grow(five, whole, tmp_path):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))

    cache = tmp_path / "cache"
    done = five.run(cache, preexec_fn=limit)
    check_failed_plainly(done, "files may not grow that large here")
    check_whole(five, cache, whole)
    assert five.run(cache).code == 0
    assert read_digests(cache) == whole


def test_every_moment_at_which_a_file_may_stop_to_grow(five, whole, tmp_path):
    """At the last byte, too: what fails while HDF5 closes its file does not go unnoticed."""
    sizes = [0, 1, 2048, 4096, 100_000, 1_048_576, 2_000_000]
    code = (
        "import resource, sys\n"
        "import numpy as np\n"
        "from pathlib import Path\n"
        "from neurodecode.core.artifacts import Features\n"
        "from neurodecode.core.errors import WriteError\n"
        "from neurodecode.core.store import Store\n"
        "from neurodecode.core.tables import Table\n"
        "made = Features(data=np.random.default_rng(0).random((64, 8192)),\n"
        "                items=Table({'id': [str(i) for i in range(64)]}))\n"
        "folder, sizes = Path(sys.argv[1]), [int(s) for s in sys.argv[2:]]\n"
        "whole = Store(folder / 'whole').write('a.b', 'k', {'f': made}, {})['bytes']\n"
        "kept = 0\n"
        "for size in [*sizes, *range(whole - 20, whole + 1)]:\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))\n"
        "    try:\n"
        "        Store(folder / str(size)).write('a.b', 'k', {'f': made}, {})\n"
        "        kept += 1\n"
        "    except WriteError:\n"
        "        assert not [p for p in (folder / str(size)).rglob('*') if p.is_file()]\n"
        "assert kept == 1, kept\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path), *map(str, sizes)]
    done = subprocess.run(command, env=five.environment(), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def sealed(five, tmp_path):
    """A copy of the whole cache that belongs to somebody else, and how to be an ordinary user."""
    cache = tmp_path / "cache"
    shutil.copytree(five.folder / "whole", cache)
    return cache, seal(cache)


def call(five, folder, *arguments, **more):
    """Run another command of the command line."""
    env = five.environment(**more.pop("env", {}))
    command = [sys.executable, "-m", "neurodecode", *map(str, arguments)]
    done = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, **more)
    return Ended(done.returncode, done.stdout, done.stderr)


def test_a_read_only_cache_serves_what_is_fresh(five, sealed, tmp_path):
    cache, user = sealed
    done = five.run(cache, out=tmp_path / "out", **user)
    assert (done.code, done.err) == (0, "")
    assert "0 computed, 19 fresh" in done.out
    assert (tmp_path / "out" / "five_seconds_report.html").is_file()
    where = ("--cache", cache)
    for arguments in (
        ("plan", five.file, *where),
        ("show", five.file, "split", *where),
        ("report", five.file, *where, "--out", tmp_path / "again"),
        ("verify", *where),
    ):
        done = call(five, tmp_path, *arguments, **user)
        assert (done.code, done.err) == (0, ""), (arguments, done)
    assert measure(cache) == measure(five.folder / "whole")


def test_a_read_only_cache_is_refused_before_anything_is_computed(five, sealed, tmp_path):
    cache, user = sealed
    before = five.read_diary()
    done = five.run(cache, "large.megabytes=2", out=tmp_path / "out", **user)
    assert done.code == 2
    check_quiet(done)
    assert "this user may not write there" in done.err
    assert "--cache" in done.err and f"NEURODECODE_SHARED_CACHE={cache}" in done.err
    assert five.read_diary() == before, "nothing was computed in vain"
    behind = {"NEURODECODE_SHARED_CACHE": str(cache)}  # what the message proposes works
    done = five.run(tmp_path / "own", "large.megabytes=2", out=tmp_path / "out", env=behind, **user)
    assert done.code == 0, done.err
    ran = set(re.findall(r"^done +([a-z]+)", done.out, re.MULTILINE))
    assert ran == {"large", "pieces", "picture"}


def test_reports_that_cannot_be_written(five, sealed, tmp_path):
    cache, user = sealed
    (tmp_path / "results").mkdir()
    seal(tmp_path / "results")
    done = five.run(cache, out=tmp_path / "results", **user)
    assert done.code == 1
    check_quiet(done)
    assert "0 computed, 19 fresh" in done.out
    assert "this user may not write there" in done.err and "--out" in done.err
    arguments = ("report", five.file, "--cache", cache, "--out", tmp_path / "results")
    done = call(five, tmp_path, *arguments, **user)
    assert done.code == 1
    check_quiet(done)
    assert "this user may not write there" in done.err and "--out" in done.err


def test_a_full_disk_for_reports(five, tmp_path):
    with small_disk(tmp_path / "disk", 1) as disk:
        fill(disk)
        done = five.run(five.folder / "whole", out=disk / "out")
        assert done.code == 1
        check_quiet(done)
        assert "the disk is full" in done.err and "--out" in done.err
        assert "0 computed, 19 fresh" in done.out
