"""Steps and their pieces shared out among workers, whatever these are.

A step starts when its inputs are done. Of a block-wise step a worker first lists what is not done;
its pieces are then given out one by one, and the last job puts them together. A pool (local
processes in workers.py, Dask in cluster.py) only carries jobs to workers and outcomes back.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Protocol

from neurodecode.core.pieces import PREPARED
from neurodecode.core.planner import StepPlan
from neurodecode.core.progress import Progress
from neurodecode.core.runner import Id, News, Run
from neurodecode.core.stage import Stage
from neurodecode.core.tasks import Outcome, Task


@dataclass
class Started:
    """A step that is under way."""

    plan: StepPlan
    task: Task
    left: int = 0
    total: int = 0
    since: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, eq=False)
class Job:
    """What a worker is given: a step, the list of its unfinished pieces, or one of them.

    Parameters
    ----------
    started : Started
    what : {"all", "list", "block"}
    block : str
    """

    started: Started
    what: str
    block: str = ""


class Pool(Protocol):
    """Workers of any kind."""

    @property
    def is_busy(self) -> bool:
        """Whether anything is under way."""
        ...

    def submit(self, job: Job) -> None:
        """Have a job done when a worker is free."""
        ...

    def collect(self) -> list[tuple[Job, Outcome]]:
        """Wait for jobs to end, and return how they did."""
        ...


def run_on_pool(run: Run, pool: Pool) -> None:
    """Do all the steps of a run on the workers of a pool."""
    started: dict[Id, Started] = {}
    while True:
        for plan in run.find_ready(started):
            current = Started(plan, run.make_task(plan))
            started[plan.instance.id] = current
            run.tell(News("started", plan.instance.label))
            in_blocks = type(plan.instance.stage).blocks is not Stage.blocks
            pool.submit(Job(current, "list" if in_blocks else "all"))
        if not pool.is_busy:
            if not any(
                k not in run.summary.cards and not run.is_settled(k) for k in run.graph.instances
            ):
                return
            if not run.find_ready(started):
                return
            continue
        for job, outcome in pool.collect():
            _take_up(run, pool, started, job, outcome)


def _take_up(run: Run, pool: Pool, started: dict[Id, Started], job: Job, outcome: Outcome) -> None:
    """Go on after a job: share out the pieces, put them together, or finish the step."""
    current = job.started
    key = current.plan.instance.id
    if started.get(key) is not current:  # another piece of it failed
        return
    run.tell_damage(current.plan.instance.label, outcome.damaged)
    if outcome.error:
        del started[key]
        run.finish(current.plan, outcome)
    elif job.what == "list" and outcome.blocks:
        current.left = current.total = len(outcome.blocks)
        for block in outcome.blocks:
            pool.submit(Job(current, "block", block))
    elif job.what == "list":
        pool.submit(Job(current, "all"))
    elif job.what == "block" and job.block == PREPARED:
        pool.submit(Job(current, "list"))
    elif job.what == "block":
        current.left -= 1
        done = current.total - current.left
        elapsed = time.monotonic() - current.since
        progress = Progress(current.task.label, done, current.total, elapsed)
        run.tell(News("progress", current.task.label, progress=progress))
        if not current.left:
            pool.submit(Job(current, "all"))
    else:
        del started[key]
        run.finish(current.plan, outcome)
