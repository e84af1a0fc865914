"""Which process a file belongs to, and whether that process still lives.

A process number means something on one machine, between two starts of it, inside one container,
and until it is given out again. So an owner is named by the place (host name, boot, and namespace
of process numbers, where the system tells) and by the moment the process started, too: containers
that share a host name, or machines that were copied, are not taken for one another.
"""

from __future__ import annotations

import os
import re
import socket
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Literal

State = Literal["running", "stopped", "dead", "elsewhere"]

PROC = Path("/proc")


@dataclass(frozen=True)
class Owner:
    """A process that something belongs to.

    Parameters
    ----------
    place : str
        Host name, and a digest of boot and namespace. Letters, digits, "_" and "." only.
    pid : int
    started : int
        Clock ticks from the boot to its start; 0 where the system does not tell.
    """

    place: str
    pid: int
    started: int

    def __str__(self) -> str:
        return f"{self.place}-{self.pid}-{self.started}"

    @property
    def words(self) -> str:
        """Return it for people."""
        return f"process {self.pid} on {self.place.rpartition('.')[0] or self.place}"

    @classmethod
    def parse(cls, text: str) -> Owner | None:
        """Return the owner that ``str`` named, or None.

        Examples
        --------
        >>> Owner.parse("node1.0a1b2c3d-17-42")
        Owner(place='node1.0a1b2c3d', pid=17, started=42)
        >>> Owner.parse("node1-x")
        """
        match = re.fullmatch(r"([\w.]+)-(\d{1,10})-(\d{1,20})", text, re.ASCII)
        return cls(match[1], int(match[2]), int(match[3])) if match else None

    def find_state(self) -> State:
        """Tell whether it runs, is stopped (Ctrl-Z), is dead, or cannot be seen from here."""
        if self.place != name_place():
            return "elsewhere"
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return "dead"
        except (PermissionError, OverflowError):  # it is another user's
            pass
        seen = _read_stat(self.pid)
        if seen is None:
            return "running"
        letter, started = seen
        if letter in "ZX" or (self.started and started != self.started):
            return "dead"
        return "stopped" if letter in "Tt" else "running"


def describe_self() -> Owner:
    """Return this process as an owner."""
    pid = os.getpid()
    return Owner(name_place(), pid, _find_start(pid))


def name_place() -> str:
    """Return the name of this place.

    ``NEURODECODE_HOST`` stands in for the host name, where machines that share a cache share that.
    """
    name = os.environ.get("NEURODECODE_HOST") or socket.gethostname()
    return f"{re.sub(r'[^A-Za-z0-9]+', '_', name) or 'host'}.{_digest_system()}"


@cache
def _digest_system() -> str:
    facts = ""
    with suppress(OSError):
        facts += (PROC / "sys/kernel/random/boot_id").read_text()
    with suppress(OSError):
        facts += os.readlink(PROC / "self/ns/pid")
    return blake2b(facts.encode(), digest_size=4).hexdigest()


@cache
def _find_start(pid: int) -> int:
    seen = _read_stat(pid)
    return seen[1] if seen is not None else 0


def _read_stat(pid: int) -> tuple[str, int] | None:
    """Return state and start of a process, or None where the system does not tell."""
    try:
        text = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
        fields = text.rpartition(")")[2].split()  # the name before it may hold anything
        return fields[0], int(fields[19])
    except (OSError, IndexError, ValueError):
        return None
