"""Files that are whole or absent, whatever happens while they are written."""

from __future__ import annotations

import contextlib
import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MARK = ".writing-"


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Give a temporary name to write to; move it to ``path`` at the end, or leave nothing.

    The file is flushed to disk before the move and its folder after it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    name = f"{MARK}{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:12]}{path.suffix}"
    temporary = path.parent / name
    try:
        yield temporary
        _flush(temporary, os.O_RDWR)
        os.replace(temporary, path)
        _flush(path.parent, os.O_RDONLY)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        raise


def write_text(path: Path, text: str) -> None:
    """Write a text file that is whole or absent."""
    with writing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def remove_strays(folder: Path) -> list[Path]:
    """Remove what dead processes of this machine left half written; return what was removed."""
    removed = []
    for path in folder.glob(f"*/**/{MARK}*"):
        parts = path.name[len(MARK) :].rsplit("-", 2)
        if len(parts) == 3 and parts[0] == socket.gethostname() and not is_alive(parts[1]):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
                removed.append(path)
    return removed


def is_alive(pid: str | int) -> bool:
    """Tell whether a process of this machine is running."""
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    except (ValueError, OverflowError):
        return False
    return True


def _flush(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
