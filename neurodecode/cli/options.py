"""Arguments and options that several commands share, and what they lead to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurodecode.core.errors import UserError
from neurodecode.core.visible import show

if TYPE_CHECKING:
    from neurodecode.core.cluster_plan import ClusterPlan
    from neurodecode.core.graph import Graph, Instance
    from neurodecode.core.planner import StepPlan
    from neurodecode.core.runner import Id
    from neurodecode.core.store import Store

DEFAULT_PIPELINE = "quickstart"

PipelineName = Annotated[
    str, typer.Argument(help="A pipeline file, or the name of one that comes with neurodecode.")
]
StepName = Annotated[str, typer.Argument(help="A step, or step[variable=value].")]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(help="Changes, such as decoded.alphas=[1e3,1e4] or model=ViT-L-14."),
]
CacheFolder = Annotated[
    Path | None,
    typer.Option("--cache", help="Where results are kept (NEURODECODE_CACHE; data/cache)."),
]
Branches = Annotated[
    list[str] | None, typer.Option("--branch", help="Only this branch, as subject=02; repeatable.")
]


def open_store(cache: Path | None) -> Store:
    """Return the store of the folder named, of NEURODECODE_CACHE, or of data/cache.

    NEURODECODE_SHARED_CACHE names read-only caches behind it.
    """
    from neurodecode.core.store import Store

    folder = cache or Path(os.environ.get("NEURODECODE_CACHE") or "data/cache")
    try:
        blocked = next(
            (p for p in (folder, *folder.parents) if p.exists() and not p.is_dir()), None
        )
    except (OSError, ValueError) as error:
        raise UserError(
            f"the cache {show(folder)} cannot be reached: {getattr(error, 'strerror', error)}. "
            "Name another folder with --cache."
        ) from error
    if blocked is not None:
        raise UserError(
            f"the cache {show(folder)} is no folder: {show(blocked)} is a file. Name another with "
            "--cache."
        )
    behind = os.environ.get("NEURODECODE_SHARED_CACHE", "")
    return Store(folder, [Path(p) for p in behind.split(os.pathsep) if p])


def read_cluster_options(
    cluster: str | None, workers: int, options: list[str] | None
) -> ClusterPlan | None:
    """Return the cluster that the command line asks for, or None."""
    from neurodecode.core.cluster_plan import read_cluster

    if cluster is not None:
        return read_cluster(cluster, workers, options or [])
    if options:
        raise UserError(
            f"--cluster-option {show(options[0])}: no cluster is named. Name one with --cluster, "
            "such as --cluster slurm."
        )
    return None


def open_graph(
    name: str, overrides: list[str] | None = None, branches: list[str] | None = None
) -> Graph:
    """Return the graph of a pipeline, given as a file or by name."""
    from neurodecode.core.pipeline import load_pipeline
    from neurodecode.core.resources import find_pipeline

    wanted: dict[str, list[str]] = {}
    for text in branches or []:
        variable, equals, value = text.partition("=")
        if not equals:
            raise UserError(
                f"--branch '{show(text)}' has no value. Write variable=value, such as subject=02."
            )
        wanted.setdefault(variable, []).append(value)
    return load_pipeline(find_pipeline(name), overrides or [], wanted)


def find_instances(graph: Graph, step: str) -> list[Instance]:
    """Return the branches of a step, or the one that "step[variable=value]" names."""
    from neurodecode.core.checks import name_known

    found = [i for i in graph.instances.values() if step in (i.name, i.label)]
    if not found:
        known = list(dict.fromkeys(i.name for i in graph.instances.values()))
        raise UserError(
            f"no step '{show(step)}' in {graph.name}.{name_known(step, known, 'Steps', 30)}"
        )
    return found


def plan_step(graph: Graph, step: str, store: Store) -> tuple[list[Id], dict[Id, StepPlan]]:
    """Return the branches of a step, and the plans of these and of all that they need."""
    from neurodecode.core.fingerprint import Memory
    from neurodecode.core.planner import Planner

    wanted = [i.id for i in find_instances(graph, step)]
    memory = Memory.load(store.folder / "memory.json")
    plans = Planner(graph.keep(graph.find_upstream(wanted)), store, memory).plan()
    memory.save()
    return wanted, {p.instance.id: p for p in plans}
