"""Leases: they keep two processes from computing the same result at once.

Correctness does not rest on them (names and renames see to that), only thrift. A lease is a file
made exclusively; its owner touches it while it works. It is taken over

- from a process of this machine: when that is dead, or is stopped (Ctrl-Z) and did not touch it
  for as long as the lease says; never while it runs, however busy it is;
- from another machine or container: when it was not touched for as long as it says, by the clock
  of the file system that both share.

A lease is removed by moving it to a name of one's own and looking at what was moved: of two that
wait for a dead one, the slower cannot remove what the faster has just taken, and who was taken
from while stopped does not remove the successor's.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from neurodecode.core.errors import UserError, WriteError
from neurodecode.core.files import name_temporary, word_write_error
from neurodecode.core.processes import Owner, describe_self

EXPIRY_S = 60.0
BEATS = 12  # in the time after which it expires
POLL_S = 0.1
TELL_AFTER_S = 2.0


@contextmanager
def holding(result: Path, tell: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold the lease of a result; wait while another process holds it.

    Who has waited should look whether the result has come to be there meanwhile.

    Parameters
    ----------
    tell : callable or None
        Told once, in words, whom this waits for.
    """
    path = result.with_suffix(".lease")
    expiry = read_expiry()
    since = time.monotonic()
    while (content := _take(path, expiry)) is None:
        held = read_lease(path)
        if held is not None and is_abandoned(path, held):
            remove_lease(path, held)
            continue
        if tell is not None and held is not None and time.monotonic() - since > TELL_AFTER_S:
            owner = find_holder(held)
            tell(f"waits for {owner.words if owner else 'another process'}, which computes it")
            tell = None
        time.sleep(POLL_S)
    stop = threading.Event()
    beat = threading.Thread(target=_beat, args=(path, content, expiry / BEATS, stop), daemon=True)
    try:
        beat.start()
        yield
    finally:
        stop.set()
        remove_lease(path, content)


def read_expiry() -> float:
    """Return after how many seconds an untouched lease of this process may be taken over.

    ``NEURODECODE_LEASE_S`` sets it; the lease says so to others.
    """
    text = os.environ.get("NEURODECODE_LEASE_S", "")
    try:
        seconds = float(text) if text else EXPIRY_S
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        raise UserError(f"NEURODECODE_LEASE_S is '{text}'. Set it to seconds, such as 60.")
    return seconds


def read_lease(path: Path) -> bytes | None:
    """Return the content of a lease, or None if there is none."""
    try:
        return path.read_bytes()
    except OSError:
        return None


def find_holder(content: bytes) -> Owner | None:
    """Return the owner that a lease names, or None if it cannot be read."""
    try:
        return Owner.parse(str(json.loads(content)["owner"]))
    except (ValueError, KeyError, TypeError):
        return None


def is_abandoned(path: Path, content: bytes) -> bool:
    """Tell whether the owner of a lease, read a moment ago, is gone."""
    owner = find_holder(content)
    state = owner.find_state() if owner is not None else "elsewhere"
    if state in ("dead", "running"):
        return state == "dead"
    # An unreadable lease belongs to a process between making and filling it, for a moment.
    try:
        expiry = float(json.loads(content)["expiry_s"])
    except (ValueError, KeyError, TypeError):
        expiry = EXPIRY_S
    try:
        if time.time() - path.stat().st_mtime < expiry / BEATS:  # spares reading the clock
            return False
        return read_clock(path.parent) - path.stat().st_mtime > expiry
    except OSError:
        return False


def read_clock(folder: Path) -> float:
    """Return the time by the file system's own clock, which need not be this machine's."""
    probe = folder / name_temporary(".clock")
    try:
        probe.touch()
        return probe.stat().st_mtime
    finally:
        probe.unlink(missing_ok=True)


def remove_lease(path: Path, content: bytes) -> bool:
    """Remove a lease if it is still the one that had this content."""
    aside = path.parent / name_temporary(".lease")
    try:
        os.rename(path, aside)
    except OSError:
        return False
    if read_lease(aside) == content:
        with contextlib.suppress(OSError):
            aside.unlink()
        return True
    with contextlib.suppress(OSError):  # another's: back with it, unless one was made meanwhile
        os.link(aside, path)
    with contextlib.suppress(OSError):
        aside.unlink()
    return False


def _take(path: Path, expiry: float) -> bytes | None:
    """Make a lease; return its content, or None if there is one."""
    about = {"owner": str(describe_self()), "expiry_s": expiry, "token": uuid.uuid4().hex}
    content = json.dumps(about).encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        except FileExistsError:
            return None
    except OSError as error:
        raise WriteError(word_write_error(error, path)) from error
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise WriteError(word_write_error(error, path)) from error
        raise
    return content


def _beat(path: Path, content: bytes, every_s: float, stop: threading.Event) -> None:
    while not stop.wait(every_s):
        # A lease that was taken over while this process was stopped is not to be kept alive.
        if read_lease(path) == content:
            with contextlib.suppress(OSError):
                os.utime(path)
