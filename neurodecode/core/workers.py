"""Local worker processes, among which sharing.py deals out steps and pieces.

Every worker has a line of its own to the process that started it: when one is killed, whatever it
was doing, the others are not held up, and it is known what it was doing. When the process that
started them dies, the lines break, and the workers end by themselves.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NoReturn

from neurodecode.core.leftovers import remove_leftovers
from neurodecode.core.progress import Told, reporting
from neurodecode.core.runner import Run
from neurodecode.core.sharing import Job, run_on_pool
from neurodecode.core.store import Store
from neurodecode.core.tasks import Outcome, execute

DIED = "its worker died (out of memory, or killed). Use fewer workers, or none."
STILLBORN = (
    "no worker could be started for it; what one printed stands above. A script that uses workers "
    'keeps its own calls under: if __name__ == "__main__":'
)


# --------------------------------------------------------------------------- in a worker process


def _serve(line: Connection) -> None:
    """Do what comes along the line until it breaks."""
    # Ctrl-C and a closed terminal reach the whole group; who started this one sees to them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    caches: set[Path] = set()
    threading.Thread(target=_watch_parent, args=(caches,), daemon=True).start()
    with contextlib.suppress(EOFError, OSError):
        line.send(None)
        while True:
            task, job, block = line.recv()
            caches.add(Path(task.cache))
            with reporting(line.send):
                outcome = execute(task, job, block)
            line.send(outcome)
    _leave(caches)


def _watch_parent(caches: set[Path]) -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    _leave(caches)


def _leave(caches: Iterable[Path]) -> NoReturn:
    """End, whatever is under way, and leave nothing half written."""
    for cache in list(caches):
        remove_leftovers(Store(cache), ending=True)
    os._exit(0)


# ------------------------------------------------------------------------ in the starting process


@dataclass(eq=False)
class _Worker:
    """A worker process, the line to it, and what it is doing."""

    process: BaseProcess
    line: Connection
    job: Job | None = None
    is_up: bool = False


class _Pool:
    """Worker processes, started when there is work for them, replaced when they die."""

    def __init__(self, run: Run, workers: int) -> None:
        self.run, self.size = run, workers
        self.context = multiprocessing.get_context("spawn")
        self.workers: list[_Worker] = []
        self.waiting: deque[Job] = deque()

    @property
    def is_busy(self) -> bool:
        """Whether anything is under way."""
        return bool(self.waiting) or any(w.job is not None for w in self.workers)

    def submit(self, job: Job) -> None:
        """Have a job done when a worker is free."""
        self.waiting.append(job)
        self._hand_out()

    def collect(self) -> list[tuple[Job, Outcome]]:
        """Wait for jobs to end, and return how they did."""
        busy = {w.line: w for w in self.workers if w.job is not None}
        ended = [e for line in wait(list(busy)) if (e := self._hear(busy[line])) is not None]  # type: ignore[index]
        self._hand_out()
        return ended

    def stop(self) -> None:
        """End all processes, busy ones too."""
        for worker in self.workers:
            worker.process.kill()
        for worker in self.workers:
            worker.process.join()
            worker.line.close()
        if any(worker.job is not None for worker in self.workers):
            self.run.tidy()
        self.workers = []

    def _hand_out(self) -> None:
        while self.waiting:
            worker = next((w for w in self.workers if w.job is None), None)
            if worker is None and len(self.workers) < self.size:
                worker = self._start()
            if worker is None:
                return
            job = self.waiting[0]
            try:
                worker.line.send((job.started.task, job.what, job.block))
            except OSError:  # it was killed while it had nothing to do
                self._bury(worker)
                continue
            self.waiting.popleft()
            worker.job = job

    def _start(self) -> _Worker:
        ours, theirs = self.context.Pipe()
        process = self.context.Process(target=_serve, args=(theirs,))
        # A Ctrl-C while Python starts would print a traceback: the child begins with it held back.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        worker = _Worker(process, ours)
        self.workers.append(worker)
        return worker

    def _hear(self, worker: _Worker) -> tuple[Job, Outcome] | None:
        """Take one message; return the job if that is what ended."""
        job = worker.job
        assert job is not None
        try:
            message = worker.line.recv()
        except (EOFError, OSError):
            self._bury(worker)
            return job, Outcome(error=DIED if worker.is_up else STILLBORN, kind="step")
        worker.is_up = True
        if isinstance(message, Outcome):
            worker.job = None
            return job, message
        if isinstance(message, Told):
            self.run.pass_on(job.started.task.label, message)
        return None

    def _bury(self, worker: _Worker) -> None:
        self.workers.remove(worker)
        worker.line.close()
        worker.process.kill()
        worker.process.join()
        self.run.tidy()


def run_on_workers(run: Run, workers: int) -> None:
    """Do all the steps of a run on spawned worker processes."""
    pool = _Pool(run, workers)
    try:
        run_on_pool(run, pool)
    finally:
        pool.stop()
