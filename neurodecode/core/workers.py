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


def run_on_workers(run: Run, workers: int) -> None:
    """Do all the steps of a run on spawned worker processes."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    listening = threading.Thread(target=_listen, args=(queue, run), daemon=True)
    listening.start()
    started: dict[Id, _Started] = {}
    jobs: dict[Future[Outcome], tuple[Id, str]] = {}
    pool = ProcessPoolExecutor(workers, context, _start_worker, (queue,))
    try:
        while True:
            for plan in run.find_ready(started):
                current = _Started(plan, run.make_task(plan))
                started[plan.instance.id] = current
                run.tell(News("started", plan.instance.label))
                in_blocks = type(plan.instance.stage).blocks is not Stage.blocks
                job = "list" if in_blocks else "all"
                jobs[pool.submit(_work, current.task, job, "")] = (plan.instance.id, job)
            if not jobs:
                if not any(
                    k not in run.summary.cards and not run.is_settled(k)
                    for k in run.graph.instances
                ):
                    return
                if not run.find_ready(started):
                    return
                continue
            finished, _ = wait(jobs, return_when=FIRST_COMPLETED)
            for future in finished:
                key, job = jobs.pop(future)
                _take_up(run, pool, jobs, started, key, job, _get_outcome(future))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in list(getattr(pool, "_processes", {}) or {}):
            _stop(pool, process)
        queue.put(None)
        listening.join(timeout=1)


def _stop(pool: ProcessPoolExecutor, pid: int) -> None:
    """End a worker that is still busy when the run is broken off."""
    process = pool._processes.get(pid) if pool._processes else None
    if process is not None and process.is_alive():
        process.terminate()


def _take_up(
    run: Run,
    pool: ProcessPoolExecutor,
    jobs: dict[Future[Outcome], tuple[Id, str]],
    started: dict[Id, _Started],
    key: Id,
    job: str,
    outcome: Outcome,
) -> None:
    """Go on after a job: share out the pieces, put them together, or finish the step."""
    if key not in started:  # another piece of it failed
        return
    current = started[key]
    if outcome.error:
        del started[key]
        run.finish(current.plan, outcome)
    elif job == "list" and outcome.blocks:
        current.left = current.total = len(outcome.blocks)
        for block in outcome.blocks:
            jobs[pool.submit(_work, current.task, "block", block)] = (key, "block")
    elif job == "list":
        jobs[pool.submit(_work, current.task, "all", "")] = (key, "all")
    elif job == "block":
        current.left -= 1
        done = current.total - current.left
        elapsed = time.monotonic() - current.since
        progress = Progress(current.task.label, done, current.total, elapsed)
        run.tell(News("progress", current.task.label, progress=progress))
        if not current.left:
            jobs[pool.submit(_work, current.task, "all", "")] = (key, "all")
    else:
        del started[key]
        run.finish(current.plan, outcome)


def _get_outcome(future: Future[Outcome]) -> Outcome:
    try:
        return future.result()
    except BrokenProcessPool:
        return Outcome(
            error="its worker died (out of memory, or killed). Use fewer workers, or none.",
            kind="step",
        )


def _listen(queue: Any, run: Run) -> None:
    while (news := queue.get()) is not None:
        label, progress = news
        run.tell(News("progress", label, progress=progress))
