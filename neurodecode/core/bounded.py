"""Processes with bounds on time, memory and writing, in which files of unknown origin are opened.

libhdf5 and SciPy's MATLAB reader loop or crash on some damaged files: a single flipped byte of a
chunk index or of a heap is enough. In a process of its own that costs one error message, and
not the run.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

CPU_S, CPU_S_PER_MB = 2, 1  # computing time; a healthy file takes a hundredth of it
ROOM_BYTES, ROOM_PER_BYTE = 2 << 30, 32  # memory: for the libraries, and by the size of the file


def start_bounded(code: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Start Python code that calls ``set_bounds`` before it opens a file; all streams are pipes."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    return subprocess.Popen(
        [sys.executable, "-P", "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )


def end_bounded(process: subprocess.Popen[bytes]) -> None:
    """End a process, whatever it is at."""
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with contextlib.suppress(BrokenPipeError):
                stream.close()


def set_bounds(path: Path) -> None:
    """Bound this process for the reading of one file, by the file's size; it writes no file."""
    import resource

    size = path.stat().st_size
    used = resource.getrusage(resource.RUSAGE_SELF)
    until = int(used.ru_utime + used.ru_stime) + 1 + _count_seconds(size)
    room = ROOM_BYTES + ROOM_PER_BYTE * size
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    room = room if hard == resource.RLIM_INFINITY else min(room, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (until, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(ValueError, OSError):  # macOS knows no bound of memory
        resource.setrlimit(resource.RLIMIT_AS, (room, hard))


def explain_death(exit_status: int, path: Path) -> str:
    """Return what a file does to the library that reads it, or "" if no signal ended it."""
    if exit_status >= 0:
        return ""
    if exit_status == -signal.SIGXCPU:
        seconds = _count_seconds(path.stat().st_size)
        return f"keeps the library that reads it busy for more than {seconds} s"
    return f"crashes the library that reads it ({signal.Signals(-exit_status).name})"


def _count_seconds(n_bytes: int) -> int:
    return CPU_S + CPU_S_PER_MB * (n_bytes >> 20)
