"""What Ctrl-C, SIGTERM (kill, schedulers) and SIGHUP (a closed terminal) do.

The command ends there and then, as if it had been killed, which a cache bears at any moment; but
first workers are ended, half-written files and leases removed, and one line says how to go on.
Nothing is unwound: an exception raised anywhere, inside a callback of HDF5 or an import, may be
swallowed, reworded or half obeyed. The exit code is 128 and the signal's number.

Only the command line does so. In a program of one's own, signals are the program's business.
"""

from __future__ import annotations

import contextlib
import os
import select
import shlex
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, NoReturn

PATIENCE_S = 0.3  # for the main thread to take note; it does not while it is inside a long call
NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM", signal.SIGHUP: "SIGHUP"}


class Stopping:
    """A context within which signals end the command cleanly.

    Parameters
    ----------
    cache : Path or None
        Where to remove what is half written.

    Attributes
    ----------
    first : list of callable
        Called before anything else, such as what calls off the jobs of a cluster.
    """

    def __init__(self, cache: Path | None = None) -> None:
        self.cache = cache
        self.first: list[Callable[[], None]] = []
        self._before: dict[int, Any] = {}
        self._ending = threading.Lock()

    def __enter__(self) -> Stopping:
        if threading.current_thread() is not threading.main_thread():
            return self
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        threading.Thread(target=self._watch, daemon=True).start()
        self._wakeup = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in NAMES:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup wants it
                self._before[number] = signal.signal(number, self._end)
        os.register_at_fork(after_in_child=self._forget)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._before:
            return
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        self._before = {}
        os.close(self._writer)  # by that the watching thread ends

    def _watch(self) -> None:
        """Do what the main thread, inside a long call into BLAS perhaps, does not come to do."""
        first = os.read(self._reader, 1)
        if first:
            select.select([self._reader], [], [], PATIENCE_S)
            self._end(first[0])
        os.close(self._reader)

    def _end(self, signum: int, frame: FrameType | None = None) -> NoReturn:
        if not self._ending.acquire(blocking=False):
            if frame is not None:  # a second signal, while the first is seen to in this thread
                os._exit(128 + signum)
            threading.Event().wait()  # the main thread is at it
        with contextlib.suppress(Exception):
            for call in self.first:
                call()
        with contextlib.suppress(Exception):
            _end_workers()
            self._clean()
        text = f"neurodecode: stopped by {NAMES[signal.Signals(signum)]}."
        if sys.argv[1:2] == ["run"]:
            text += f" Finished steps are kept; go on with: {word_resume()}"
        with contextlib.suppress(OSError):  # the terminal may be gone
            clear = "\r\033[K" if os.isatty(2) else ""
            os.write(2, f"{clear}{text}\n".encode())
        os._exit(128 + signum)

    def _clean(self) -> None:
        if self.cache is not None:
            from neurodecode.core.leftovers import remove_leftovers
            from neurodecode.core.store import Store

            remove_leftovers(Store(self.cache), ending=True)

    def _forget(self) -> None:
        """In a forked process: its signals are its own."""
        if self._before:
            signal.set_wakeup_fd(-1)
            for number in self._before:
                signal.signal(number, signal.SIG_DFL)


def word_resume() -> str:
    """Return the command that goes on."""
    return "neurodecode " + " ".join(shlex.quote(a) for a in sys.argv[1:])


def _end_workers() -> None:
    if "multiprocessing" in sys.modules:
        import multiprocessing

        workers = multiprocessing.active_children()
        for worker in workers:
            worker.kill()
        for worker in workers:
            worker.join(PATIENCE_S)
