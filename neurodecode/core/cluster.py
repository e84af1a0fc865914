"""Dask workers, among which sharing.py deals out steps and pieces.

Dask carries jobs, which are plain data, to its workers, and gives those of a lost worker to
another; results lie in the cache, on a file system that all machines share. So nothing passes
through the scheduler but names, and a worker that is killed leaves what it had finished. Each
worker does one job at a time, with the threads of the plan.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import queue
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Mapping
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

from neurodecode.core.cluster_plan import (
    QUEUES,
    ClusterPlan,
    Request,
    make_request,
    word_options,
)
from neurodecode.core.errors import UserError
from neurodecode.core.progress import Progress, Remark, Told, Waiting, reporting
from neurodecode.core.runner import Run
from neurodecode.core.sharing import Job, run_on_pool
from neurodecode.core.tasks import Outcome, Task, execute

ANSWER_S = 20.0  # for a scheduler to answer
PATIENCE_S = 10.0  # without a worker before the user is told
POLL_S = 1.0
REFRESH_S = 20.0  # between looks at a queue: lost jobs are started anew, idle ones ended
END_S = 1.5  # for jobs of a queue to be called off when the command is stopped
LOST = (
    "the workers that were given it died, one after the other (out of memory, or killed). Give the "
    "step more memory (execution: {memory_gb: ...}), or lower its own memory limit."
)
GONE = "the scheduler of the cluster is gone. Start it anew, and run again; what is done is kept."


# --------------------------------------------------------------------------- in a Dask worker


def serve(task: Task, what: str, block: str, topic: str) -> Outcome:
    """Do one job in a Dask worker, and report its progress to who gave it."""
    from distributed import get_worker

    worker = get_worker()

    def listen(news: Told) -> None:
        worker.log_event(topic, {"label": task.label, **_pack_news(news)})

    with reporting(listen):
        return execute(task, what, block)


def _pack_news(news: Told) -> dict[str, Any]:
    if isinstance(news, Progress):
        return {"progress": [news.label, news.done, news.total, news.elapsed_s]}
    return {"waiting" if isinstance(news, Waiting) else "remark": news.text}


def _unpack_news(message: Mapping[str, Any]) -> Told:
    if "progress" in message:
        return Progress(*message["progress"])
    return Waiting(message["waiting"]) if "waiting" in message else Remark(message["remark"])


# ------------------------------------------------------------------------ in the starting process


def run_on_cluster(
    run: Run, plan: ClusterPlan, stopper: list[Callable[[], None]] | None = None
) -> None:
    """Do all the steps of a run on Dask workers.

    Parameters
    ----------
    stopper : list or None
        Given what ends the cluster in a hurry, for who is stopped by a signal meanwhile.
    """
    pool = DaskPool(run, plan)
    if stopper is not None:
        stopper.append(pool.abandon)
    try:
        run_on_pool(run, pool)
    finally:
        pool.stop()


class DaskPool:
    """Dask clusters, one per kind of job that a queue is asked for; else a single one.

    Parameters
    ----------
    run : Run
    plan : ClusterPlan
    """

    def __init__(self, run: Run, plan: ClusterPlan) -> None:
        _import("distributed")
        self.run, self.plan = run, plan
        self.topic = f"neurodecode-{uuid.uuid4().hex}"
        self.clusters: dict[Request | None, Any] = {}
        self.clients: dict[Request | None, Any] = {}
        self.jobs: dict[Any, tuple[Job, Request | None]] = {}  # by future
        self.asked: dict[Request | None, int] = {}  # jobs of a queue
        self.heard: queue.SimpleQueue[Any] = queue.SimpleQueue()  # filled by Dask's thread
        self._served = self._refreshed = time.monotonic()

    @property
    def is_busy(self) -> bool:
        """Whether anything is under way."""
        return bool(self.jobs)

    def submit(self, job: Job) -> None:
        """Hand a job to Dask."""
        request = make_request(job.started.plan.instance.stage) if self.plan.in_queue else None
        client = self._find_client(request, Path(job.started.task.cache))
        future = client.submit(serve, job.started.task, job.what, job.block, self.topic, pure=False)
        self.jobs[future] = (job, request)
        future.add_done_callback(self.heard.put)
        self._ask(request)

    def collect(self) -> list[tuple[Job, Outcome]]:
        """Wait for a job to end, and return how it did."""
        while True:
            try:
                heard = self.heard.get(timeout=POLL_S)
            except queue.Empty:
                self._look_after_workers()
                continue
            if isinstance(heard, Mapping):
                self.run.pass_on(str(heard["label"]), _unpack_news(heard))
                continue
            if heard in self.jobs:
                return [(self.jobs.pop(heard)[0], _read_outcome(heard))]

    def stop(self) -> None:
        """End what was started, and remove what lost workers left."""
        for future in self.jobs:
            with contextlib.suppress(Exception):
                future.cancel()
        for running in (*self.clients.values(), *self.clusters.values()):
            with contextlib.suppress(Exception):  # it may be gone
                running.close()
        self.jobs, self.clients, self.clusters = {}, {}, {}
        self.run.tidy()

    def abandon(self) -> None:
        """End in a hurry: call off the jobs of a queue, and start no worker anew."""
        for cluster in self.clusters.values():
            for worker in list(getattr(cluster, "workers", {}).values()):
                worker.auto_restart = False
        if self.plan.in_queue:
            closing = threading.Thread(target=self._close_clusters, daemon=True)
            closing.start()
            closing.join(END_S)

    def _close_clusters(self) -> None:
        for cluster in self.clusters.values():
            with contextlib.suppress(Exception):
                cluster.close(timeout=END_S)

    def _find_client(self, request: Request | None, cache: Path) -> Any:
        if request not in self.clients:
            distributed = _import("distributed")
            if self.plan.in_queue and request is not None:
                self.clusters[request] = start_queue(self.plan, request)
            elif self.plan.kind == "local":
                self.clusters[request] = _start_local(self.plan)
            where = self.clusters.get(request, self.plan.kind)
            try:
                client = distributed.Client(where, timeout=ANSWER_S, set_as_default=False)
            except (OSError, ValueError, TimeoutError) as error:
                raise UserError(
                    f"--cluster {self.plan.kind}: no scheduler answers there ({error}). Start one "
                    "(dask scheduler), or correct the address."
                ) from error
            self.clients[request] = client
            client.subscribe_topic(self.topic, lambda event: self.heard.put(event[1]))
            if self.plan.kind not in ("local", *QUEUES):
                _check_workers(client, cache)
        return self.clients[request]

    def _ask(self, request: Request | None) -> None:
        """Ask a queue for as many workers as there is work for; never for fewer than before."""
        if request is not None:
            n_jobs = sum(r == request for _, r in self.jobs.values())
            wanted = min(self.plan.workers, n_jobs)
            if wanted > self.asked.get(request, 0):
                self.asked[request] = wanted
                self.clusters[request].scale(jobs=wanted)

    def _look_after_workers(self) -> None:
        """Have lost jobs of a queue started anew, idle ones ended, and tell who waits."""
        now = time.monotonic()
        if self.plan.in_queue and now - self._refreshed > REFRESH_S:
            self._refreshed = now
            for request, cluster in self.clusters.items():
                if not any(r == request for _, r in self.jobs.values()):
                    self.asked[request] = 0
                cluster.scale(jobs=self.asked[request])
        if any(client.nthreads() for client in self.clients.values()):
            self._served = now
        elif now - self._served > PATIENCE_S:
            self._served = now + 5 * PATIENCE_S
            label = next(iter(self.jobs.values()))[0].started.task.label
            text = "waits for a worker of the cluster"
            if self.plan.in_queue:
                text += "; why a job does not start, the queue and the jobs' output files say"
            self.run.pass_on(label, Waiting(text))


def _read_outcome(future: Any) -> Outcome:
    if future.status == "finished":
        outcome = future.result()
        assert isinstance(outcome, Outcome)
        return outcome
    if future.status != "error":
        return Outcome(error=GONE, kind="step")
    error = future.exception()
    if type(error).__name__ == "KilledWorker":
        return Outcome(error=LOST, kind="step")
    text = (
        f"a worker of the cluster could not do it: {type(error).__name__}: {error}. Install the "
        "same neurodecode and the same dask on all machines."
    )
    return Outcome(error=text, trace="".join(traceback.format_exception(error)), kind="step")


def _start_local(plan: ClusterPlan) -> Any:
    """Return a cluster of processes of this machine."""
    settings = {
        "n_workers": plan.workers or os.cpu_count() or 1,
        "threads_per_worker": 1,
        "processes": True,
        "memory_limit": 0,  # the plan of a step says what it takes; Dask would pause the worker
        "dashboard_address": None,
        "silence_logs": logging.ERROR,
        **plan.options,
    }
    _quiet_tracker()
    try:
        return _import("distributed").LocalCluster(**settings)
    except (TypeError, ValueError) as error:
        raise UserError(word_options(plan, error)) from error


def _quiet_tracker() -> None:
    """Have Python's keeper of semaphores clear them away without a word when this is stopped."""
    before = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = "ignore:resource_tracker"
    try:
        resource_tracker.ensure_running()
    finally:
        del os.environ["PYTHONWARNINGS"]
        if before is not None:
            os.environ["PYTHONWARNINGS"] = before


def start_queue(plan: ClusterPlan, request: Request) -> Any:
    """Return a cluster whose workers are jobs of a queue; none is started yet."""
    options = dict(plan.options)
    extra = list(options.pop("worker_extra_args", []))
    settings = {
        "cores": request.threads,
        "processes": 1,
        "memory": f"{request.memory_gb:g}GB",
        "walltime": request.walltime,
        # one job at a time, whatever the number of its threads
        "worker_extra_args": ["--nthreads", "1", *extra],
        "scheduler_options": {"dashboard": False},
        **options,
    }
    try:
        return getattr(_import("dask_jobqueue"), QUEUES[plan.kind])(**settings)
    except (TypeError, ValueError) as error:
        raise UserError(word_options(plan, error)) from error


def _check_workers(client: Any, cache: Path) -> None:
    """Raise UserError unless the workers of a running scheduler can do what is asked of them."""
    many = {where: n for where, n in client.nthreads().items() if n > 1}
    if many:
        where, n = next(iter(many.items()))
        raise UserError(
            f"the Dask worker {where} does {n} jobs at a time, and {len(many)} in all do more than "
            "one: their threads would share one BLAS. Start workers with --nthreads 1 (and "
            "--nworkers for several on a machine)."
        )
    blind = [where for where, sees in client.run(os.path.isdir, str(cache)).items() if not sees]
    if blind:
        raise UserError(
            f"the Dask worker {blind[0]} does not see the cache {cache} ({len(blind)} in all do "
            "not). Name a folder that all machines share with --cache."
        )


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise UserError(
            f"--cluster needs {error.name}, which is not installed. Install it: "
            'pip install "neurodecode[cluster]".'
        ) from error
