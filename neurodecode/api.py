"""Pipelines from Python: the same files, the same cache, the same results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from neurodecode.core.artifacts import Artifact
from neurodecode.core.checks import list_names, name_known
from neurodecode.core.cluster_plan import read_cluster
from neurodecode.core.errors import StepFailed, UserError
from neurodecode.core.graph import Graph
from neurodecode.core.resources import find_pipeline
from neurodecode.core.runner import Listener, Summary, run_graph
from neurodecode.core.stage import read_outputs
from neurodecode.core.store import Store

__all__ = ["Results", "load_pipeline", "run_pipeline"]


class Results(Mapping[str, Artifact]):
    """The artifacts of a finished pipeline, by "step" or "step.output", read when asked for.

    A step with branches goes by its label, such as ``scores[subject=02]``.
    """

    def __init__(self, graph: Graph, store: Store, summary: Summary) -> None:
        self.graph, self.store, self.summary = graph, store, summary
        self._keys = {graph.instances[key].label: key for key in summary.cards}

    def __getitem__(self, name: str) -> Artifact:
        label, output = name, ""
        if label not in self._keys:  # the value of a branch may hold a point, too
            label, _, output = name.rpartition(".")
        if label not in self._keys and "." not in name:
            label = name
        if label not in self._keys:
            raise UserError(f"no result '{label}'.{name_known(label, self._keys, most=30)}")
        key = self._keys[label]
        outputs = self.store.read(self.summary.cards[key])
        # the first that the stage declares is what the step's bare name means
        output = output or next(iter(read_outputs(type(self.graph.instances[key].stage))))
        if output not in outputs:
            raise UserError(f"{label} has no output '{output}'. It has: {list_names(outputs)}.")
        return outputs[output]

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


def load_pipeline(pipeline: str | Path, overrides: Sequence[str] = (), **branches: Any) -> Graph:
    """Return the graph of a pipeline, given as a file or by name.

    Parameters
    ----------
    overrides : sequence of str
        As on the command line: "decoded.alphas=[1e3,1e4]".
    branches
        Values of ``each`` to keep: subject="02", or a list.
    """
    from neurodecode.core.pipeline import load_pipeline as load

    wanted: dict[str, list[str]] = {}
    for name, values in branches.items():
        given = [values] if isinstance(values, str) else values
        if not isinstance(given, Sequence) or not all(isinstance(v, str) for v in given):
            raise UserError(
                f'{name}={values!r}: values of each are text. Write {name}="02", or a list of such.'
            )
        wanted[name] = list(given)
    if isinstance(overrides, str):
        raise UserError(f"overrides: got one text. Give a list: [{overrides!r}].")
    return load(find_pipeline(str(pipeline)), overrides, wanted)


def run_pipeline(
    pipeline: str | Path,
    overrides: Sequence[str] = (),
    *,
    cache: str | Path = "data/cache",
    workers: int = 0,
    cluster: str | None = None,
    listener: Listener | None = None,
    **branches: Any,
) -> Results:
    """Bring a pipeline up to date and return its results.

    Parameters
    ----------
    workers : int
        Processes, or jobs of a queue; 0 runs in this process.
    cluster : str or None
        "local", "slurm", "pbs", "sge", or the address of a Dask scheduler.

    Raises
    ------
    PipelineError
        The file has mistakes.
    StepFailed
        Steps failed; what is finished is kept.
    """
    graph = load_pipeline(pipeline, overrides, **branches)
    store = Store(Path(cache))
    where = read_cluster(cluster, workers) if cluster is not None else None
    summary = run_graph(graph, store, workers=workers, cluster=where, listener=listener)
    if summary.failed:
        lines = [f"{graph.instances[k].label}: {o.error}" for k, o in summary.failed.items()]
        raise StepFailed(
            f"{len(lines)} steps failed. Correct what each names, then run again; what is finished "
            "is kept.\n" + "\n".join(lines)
        )
    return Results(graph, store, summary)
