"""What ``--cluster`` asks for: a Dask cluster of this machine, of a queue, or one that runs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from neurodecode.core.checks import list_names, name_known
from neurodecode.core.errors import UserError
from neurodecode.core.stage import Stage
from neurodecode.core.visible import show

QUEUES = {"slurm": "SLURMCluster", "pbs": "PBSCluster", "sge": "SGECluster"}
SCHEMES = ("tcp://", "tls://", "ucx://", "ws://", "wss://")
MEMORY_GB, HOURS = 4.0, 1.0  # asked of a queue by steps that do not say


@dataclass(frozen=True)
class Request:
    """What a queue is asked for by a step.

    Parameters
    ----------
    memory_gb, hours : float
    threads : int
    """

    memory_gb: float
    hours: float
    threads: int

    @property
    def walltime(self) -> str:
        """Return the hours as queues write them.

        Examples
        --------
        >>> Request(4.0, 1.26, 1).walltime
        '01:16:00'
        """
        minutes = math.ceil(self.hours * 60)
        return f"{minutes // 60:02d}:{minutes % 60:02d}:00"


@dataclass(frozen=True)
class ClusterPlan:
    """Where the steps of a run are executed.

    Parameters
    ----------
    kind : str
        "local", "slurm", "pbs", "sge", or the address of a running scheduler.
    workers : int
        Processes of a local cluster, jobs of a queue; 0 for a scheduler that runs.
    options : mapping
        Handed on to Dask's LocalCluster, or to the cluster class of dask-jobqueue.
    """

    kind: str
    workers: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def in_queue(self) -> bool:
        """Whether workers are jobs of a queue."""
        return self.kind in QUEUES


def read_cluster(kind: str, workers: int = 0, options: Sequence[str] = ()) -> ClusterPlan:
    """Return the plan that the command line asks for.

    Parameters
    ----------
    kind : str
    workers : int
    options : sequence of str
        "key=value"; values are JSON where they can be read as such, else text.

    Raises
    ------
    UserError
        An unknown kind, or options that say nothing.

    Examples
    --------
    >>> read_cluster("slurm", 8, ["queue=short", "job_cpu=2"]).options
    {'queue': 'short', 'job_cpu': 2}
    """
    is_address = kind.startswith(SCHEMES)
    if not is_address and kind not in ("local", *QUEUES):
        known = ["local", *QUEUES]
        raise UserError(
            f"--cluster: '{show(kind)}' is neither a kind nor an address.{name_known(kind, known)} "
            "Name one of these, or the address of a running scheduler, such as tcp://node1:8786."
        )
    if is_address and (workers or options):
        raise UserError(
            f"--cluster {show(kind)}: its workers run already, so that --workers and "
            "--cluster-option say nothing. Leave them out."
        )
    if kind in QUEUES and not workers:
        raise UserError(
            f"--cluster {kind}: how many jobs it may start is not said. Add --workers, such as "
            "--workers 8."
        )
    found: dict[str, Any] = {}
    for text in options:
        name, equals, value = text.partition("=")
        if not (name.isidentifier() and equals):
            raise UserError(
                f"--cluster-option '{show(text)}' is no option. Write key=value, such as "
                "queue=short."
            )
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return ClusterPlan(kind, workers, found)


def make_request(stage: Stage) -> Request:
    """Return what a step's execution block asks of a queue."""
    how = stage.execution
    return Request(how.memory_gb or MEMORY_GB, how.hours or HOURS, how.threads or stage.threads)


def word_options(plan: ClusterPlan, error: Exception) -> str:
    """Return why a cluster was not made with its options."""
    given = list_names(list(plan.options)) if plan.options else "none"
    return (
        f"--cluster {plan.kind}: Dask did not take the options ({given}): {error}. Correct them "
        "(--cluster-option key=value)."
    )
