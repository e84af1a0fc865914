"""The steps of a run on local worker processes, and the pieces of block-wise steps among them."""

from __future__ import annotations

import multiprocessing
import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import Any

from neurodecode.core.planner import StepPlan
from neurodecode.core.progress import Progress, reporting
from neurodecode.core.runner import Id, News, Run
from neurodecode.core.stage import Stage
from neurodecode.core.tasks import Outcome, Task, execute

DIED = "its worker died (out of memory, or killed). Use fewer workers, or none."

_queue: Any = None  # of a worker process: where it reports progress


def _start_worker(queue: Any) -> None:
    global _queue
    _queue = queue


def _work(task: Task, job: str, block: str) -> Outcome:
    def listen(progress: Progress) -> None:
        _queue.put((task.label, progress))

    with reporting(listen):
        return execute(task, job, block)


@dataclass
class _Started:
    """A step that is under way on the workers."""

    plan: StepPlan
    task: Task
    left: int = 0
    total: int = 0
    since: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, eq=False)
class _Job:
    """A step, the names of its pieces, or one piece of it."""

    started: _Started
    what: str
    block: str = ""


class _Pool:
    """Worker processes, replaced when one of them dies."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.context = multiprocessing.get_context("spawn")
        self.queue = self.context.Queue()
        self.jobs: dict[Future[Outcome], _Job] = {}
        self.start()

    def start(self) -> None:
        """Make new processes."""
        self.executor = ProcessPoolExecutor(
            self.workers, self.context, _start_worker, (self.queue,)
        )

    def stop(self) -> None:
        """End all processes, busy ones too."""
        processes = list((getattr(self.executor, "_processes", None) or {}).values())
        self.executor.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            if process.is_alive():
                process.terminate()

    def submit(self, job: _Job) -> None:
        """Hand out a job."""
        try:
            future = self._send(job)
        except BrokenProcessPool as error:  # a worker died a moment ago; collect sees to it
            future = Future()
            future.set_exception(error)
        self.jobs[future] = job

    def collect(self) -> list[tuple[_Job, Outcome]]:
        """Wait for jobs to end, and return how they did."""
        finished, _ = wait(self.jobs, return_when=FIRST_COMPLETED)
        if any(isinstance(future.exception(), BrokenProcessPool) for future in finished):
            return self._do_again()
        return [(self.jobs.pop(future), future.result()) for future in finished]

    def _send(self, job: _Job) -> Future[Outcome]:
        return self.executor.submit(_work, job.started.task, job.what, job.block)

    def _do_again(self) -> list[tuple[_Job, Outcome]]:
        """Do what was under way when a worker died again, one by one, to tell who killed it."""
        wait(self.jobs)  # a broken executor ends them all
        jobs, self.jobs = self.jobs, {}
        self.stop()
        self.start()
        ended = []
        for future, job in jobs.items():
            try:
                if isinstance(future.exception(), BrokenProcessPool):
                    future = self._send(job)
                ended.append((job, future.result()))
            except BrokenProcessPool:
                ended.append((job, Outcome(error=DIED, kind="step")))
                self.stop()
                self.start()
        return ended


def run_on_workers(run: Run, workers: int) -> None:
    """Do all the steps of a run on spawned worker processes."""
    pool = _Pool(workers)
    listening = threading.Thread(target=_listen, args=(pool.queue, run), daemon=True)
    listening.start()
    started: dict[Id, _Started] = {}
    try:
        while True:
            for plan in run.find_ready(started):
                current = _Started(plan, run.make_task(plan))
                started[plan.instance.id] = current
                run.tell(News("started", plan.instance.label))
                in_blocks = type(plan.instance.stage).blocks is not Stage.blocks
                pool.submit(_Job(current, "list" if in_blocks else "all"))
            if not pool.jobs:
                if not any(
                    k not in run.summary.cards and not run.is_settled(k)
                    for k in run.graph.instances
                ):
                    return
                if not run.find_ready(started):
                    return
                continue
            for job, outcome in pool.collect():
                _take_up(run, pool, started, job, outcome)
    finally:
        pool.stop()
        pool.queue.put(None)
        listening.join(timeout=1)


def _take_up(
    run: Run, pool: _Pool, started: dict[Id, _Started], job: _Job, outcome: Outcome
) -> None:
    """Go on after a job: share out the pieces, put them together, or finish the step."""
    current = job.started
    key = current.plan.instance.id
    if started.get(key) is not current:  # another piece of it failed
        return
    if outcome.error:
        del started[key]
        run.finish(current.plan, outcome)
    elif job.what == "list" and outcome.blocks:
        current.left = current.total = len(outcome.blocks)
        for block in outcome.blocks:
            pool.submit(_Job(current, "block", block))
    elif job.what == "list":
        pool.submit(_Job(current, "all"))
    elif job.what == "block":
        current.left -= 1
        done = current.total - current.left
        elapsed = time.monotonic() - current.since
        progress = Progress(current.task.label, done, current.total, elapsed)
        run.tell(News("progress", current.task.label, progress=progress))
        if not current.left:
            pool.submit(_Job(current, "all"))
    else:
        del started[key]
        run.finish(current.plan, outcome)


def _listen(queue: Any, run: Run) -> None:
    while (news := queue.get()) is not None:
        label, progress = news
        run.tell(News("progress", label, progress=progress))
