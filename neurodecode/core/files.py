"""Files that are whole or absent, whatever happens while they are written."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import shutil
import signal
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from neurodecode.core.errors import WriteError
from neurodecode.core.processes import Owner, describe_self

MARK = ".writing-"
FORGOTTEN_S = 24 * 3600.0  # a half-written file that another machine left alone for so long is dead

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota of this user is used up",
    errno.EFBIG: "files may not grow that large here (ulimit -f, or the file system)",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "this user may not write there",
    errno.EPERM: "this user may not write there",
    errno.EIO: "the disk reports an error",
}


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Give a temporary name to write to; move it to ``path`` at the end, or leave nothing.

    The file is flushed to disk before the move and its folder after it.

    Raises
    ------
    WriteError
        The system refused: disk full, read-only, ... It is an OSError, too.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.parent / name_temporary(path.suffix)
        try:
            yield temporary
            _flush(temporary, os.O_RDWR)
            os.replace(temporary, path)
            _flush(path.parent, os.O_RDONLY)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
    except OSError as error:
        if isinstance(error, WriteError):
            raise
        raise WriteError(word_write_error(error, path)) from error


def write_text(path: Path, text: str) -> None:
    """Write a text file that is whole or absent."""
    with writing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def name_temporary(suffix: str) -> str:
    """Return a name that is given once, and that says which process it belongs to."""
    return f"{MARK}{describe_self()}-{uuid.uuid4().hex[:12]}{suffix}"


def find_owner(path: Path) -> Owner | None:
    """Return the owner of a temporary file, or None for other files."""
    if not path.name.startswith(MARK):
        return None
    return Owner.parse(path.name[len(MARK) :].rpartition("-")[0])


def remove_strays(folders: Iterable[Path], ending: bool = False) -> list[Path]:
    """Remove what dead processes left half written in these folders; return what was removed.

    What other machines left is removed when nobody touched it for a day.

    Parameters
    ----------
    ending : bool
        This process is about to end: what it is writing counts as left by a dead one.
    """
    removed = []
    mine = describe_self()
    for path in _list_temporary(folders):
        owner = find_owner(path)
        state = owner.find_state() if owner is not None else "elsewhere"
        with contextlib.suppress(OSError):
            old = time.time() - path.stat().st_mtime > FORGOTTEN_S
            if state == "dead" or (state == "elsewhere" and old) or (ending and owner == mine):
                path.unlink()
                removed.append(path)
    return removed


def _list_temporary(folders: Iterable[Path]) -> list[Path]:
    found = []
    for folder in folders:
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            found += [Path(entry.path) for entry in entries if entry.name.startswith(MARK)]
    return found


def check_writable(folder: Path) -> None:
    """Raise WriteError unless files can be made in a folder (which is made, if absent)."""
    probe = folder / name_temporary(".probe")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise WriteError(word_write_error(error, folder)) from error


def word_write_error(error: OSError, path: Path) -> str:
    """Return what happened, where, and how much room there is.

    Examples
    --------
    >>> word_write_error(OSError(errno.EROFS, "Read-only file system"), Path("/data/a.h5"))
    '/data/a.h5 could not be written: the file system is read-only.'
    """
    number = error.errno or 0
    reason = REASONS.get(number, error.strerror or str(error))
    if number in (errno.ENOSPC, errno.EDQUOT):
        with contextlib.suppress(OSError):  # counted after what was half written is gone
            reason += f" ({shutil.disk_usage(path.parent).free / 1e6:,.1f} MB free without it)"
    return f"{path} could not be written: {reason}."


class PatientFile(io.FileIO):
    """A new file that takes note of a failed write and goes on as if nothing had happened.

    HDF5 cannot bear one: on a full disk it crashes the process, at once or when the interpreter
    ends (seen with HDF5 2.0). Nor may a Ctrl-C be raised inside its callbacks. So what does not
    reach the disk is dropped here, KeyboardInterrupt is held back, and ``check`` and the end of the
    context raise.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, "w+b")
        self.failure: BaseException | None = None
        self._held_back = False

    def __enter__(self) -> PatientFile:
        # Other handlers, which do not raise, are left alone.
        if (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        ):
            signal.signal(signal.SIGINT, self._note)
            self._held_back = True
        return self

    def __exit__(self, *raised: object) -> None:
        try:
            self.close()
        except OSError as error:
            self.failure = self.failure or error
        if self._held_back:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        self.check()

    def _note(self, signum: int, frame: FrameType | None) -> None:
        self.failure = KeyboardInterrupt()

    def check(self) -> None:
        """Raise what went wrong so far."""
        if self.failure is not None:
            raise self.failure

    def write(self, data: Any) -> int:
        """Write all of the data, or take note."""
        view = memoryview(data).cast("B")
        done = 0
        while done < len(view) and self.failure is None:
            try:
                done += super().write(view[done:])
            except OSError as error:
                self.failure = error
        if done < len(view):  # as if it had been written
            self.seek(len(view) - done, os.SEEK_CUR)
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        """Set the size, or take note."""
        try:
            return super().truncate(size)
        except OSError as error:
            self.failure = self.failure or error
            return size or 0


def _flush(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
