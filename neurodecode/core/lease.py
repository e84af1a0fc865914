"""Leases: they keep two processes from computing the same result at once.

Correctness does not rest on them (names and renames see to that), only thrift. A lease is a file
made exclusively; its owner touches it while it works. One whose process is dead, or that was not
touched for a while, is taken over.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from neurodecode.core.files import is_alive

BEAT_S = 5.0
EXPIRY_S = 60.0
POLL_S = 0.1


@contextmanager
def holding(result: Path) -> Iterator[None]:
    """Hold the lease of a result; wait while another process holds it.

    Who has waited should look whether the result has come to be there meanwhile.
    """
    path = result.with_suffix(".lease")
    path.parent.mkdir(parents=True, exist_ok=True)
    while not _take(path):
        time.sleep(POLL_S)
        if _is_abandoned(path):
            path.unlink(missing_ok=True)
    stop = threading.Event()
    beat = threading.Thread(target=_beat, args=(path, stop), daemon=True)
    beat.start()
    try:
        yield
    finally:
        stop.set()
        path.unlink(missing_ok=True)


def _take(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w") as stream:
        json.dump({"host": socket.gethostname(), "pid": os.getpid()}, stream)
    return True


def _is_abandoned(path: Path) -> bool:
    try:
        age = time.time() - path.stat().st_mtime
        owner = json.loads(path.read_text(encoding="utf-8") or "{}")
    except FileNotFoundError:
        return False
    except (json.JSONDecodeError, UnicodeDecodeError):
        owner = {}
    dead = owner.get("host") == socket.gethostname() and not is_alive(owner.get("pid", ""))
    # An empty lease belongs to a process between making and filling it, for a moment.
    return dead if owner and dead else age > EXPIRY_S


def _beat(path: Path, stop: threading.Event) -> None:
    while not stop.wait(BEAT_S):
        with contextlib.suppress(FileNotFoundError):
            os.utime(path)
