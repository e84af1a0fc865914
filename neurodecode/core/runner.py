"""Executes a plan: in this process, on local workers, or on a cluster.

Steps run as soon as their inputs are done; a failed branch does not stop the others. Workers are
spawned, never forked; the pieces of block-wise steps are shared out among them. The number of
workers changes no byte of any result, since threads belong to the plan.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from neurodecode.core.context import describe_run
from neurodecode.core.errors import UserError
from neurodecode.core.files import check_writable, write_text
from neurodecode.core.fingerprint import Memory
from neurodecode.core.graph import CONTEXT_INPUT, Branch, Graph, Instance, Ref
from neurodecode.core.leftovers import remove_leftovers
from neurodecode.core.planner import Planner, StepPlan
from neurodecode.core.progress import Progress, Remark, Told, Waiting, reporting
from neurodecode.core.stage import read_inputs
from neurodecode.core.store import Store, verify_file
from neurodecode.core.tasks import Outcome, Source, Task, execute

if TYPE_CHECKING:
    from neurodecode.core.cluster_plan import ClusterPlan

Id = tuple[str, Branch]


@dataclass(frozen=True)
class News:
    """Something that happened in a run.

    Parameters
    ----------
    what : {"fresh", "started", "waiting", "remark", "progress", "done", "failed", "skipped",
        "damaged"}
    label : str
        Of the step.
    text : str
    progress : Progress or None
    seconds : float
    """

    what: Literal[
        "fresh", "started", "waiting", "remark", "progress", "done", "failed", "skipped", "damaged"
    ]
    label: str
    text: str = ""
    progress: Progress | None = None
    seconds: float = 0.0


@dataclass
class Summary:
    """How a run ended.

    Parameters
    ----------
    cards : mapping of instance to card
        Of everything that is done.
    computed, fresh : list of instance
    failed : mapping of instance to Outcome
    skipped : mapping of instance to the label of what it waited for
    logs : mapping of instance to Path
    """

    cards: dict[Id, Mapping[str, Any]] = field(default_factory=dict)
    computed: list[Id] = field(default_factory=list)
    fresh: list[Id] = field(default_factory=list)
    failed: dict[Id, Outcome] = field(default_factory=dict)
    skipped: dict[Id, str] = field(default_factory=dict)
    logs: dict[Id, Path] = field(default_factory=dict)


Listener = Callable[[News], None]


def run_graph(
    graph: Graph,
    store: Store,
    *,
    workers: int = 0,
    cluster: ClusterPlan | None = None,
    stopper: list[Callable[[], None]] | None = None,
    listener: Listener | None = None,
    memory: Memory | None = None,
) -> Summary:
    """Bring every step of a graph up to date.

    Parameters
    ----------
    graph : Graph
    store : Store
    workers : int
        0 runs in this process; more are spawned.
    cluster : ClusterPlan or None
        A Dask cluster to run on, in place of processes of our own.
    stopper : list or None
        Given what ends the cluster in a hurry, for who is stopped by a signal meanwhile.
    listener : callable or None
        Given News.
    memory : Memory or None
        Digests of files; loaded from the store if None.

    Returns
    -------
    summary : Summary
    """
    memory = memory or Memory.load(store.folder / "memory.json")
    from neurodecode.core.cluster import run_on_cluster
    from neurodecode.core.workers import run_on_workers

    run = Run(graph, store, Planner(graph, store, memory), listener or (lambda news: None))
    run.planner.read_code()
    run.tidy()
    run.tell_damage("memory of files", memory.problems)
    try:
        if cluster is not None:
            run_on_cluster(run, cluster, stopper)
        elif workers > 0:
            run_on_workers(run, workers)
        else:
            _run_here(run)
    finally:
        memory.save()
    return run.summary


@dataclass
class Run:
    """The state of one run: what is done, what failed, what is left."""

    graph: Graph
    store: Store
    planner: Planner
    tell: Listener
    summary: Summary = field(default_factory=Summary)
    mended: set[Id] = field(default_factory=set)
    can_write: bool = False
    dropped: set[Id] = field(default_factory=set)
    told: set[str] = field(default_factory=set)

    def find_ready(self, busy: Iterable[Id]) -> list[StepPlan]:
        """Mark what is fresh, skip what cannot be, and return what can be computed now."""
        ready: list[StepPlan] = []
        busy = set(busy)
        for key, instance in self.graph.instances.items():
            if key in self.summary.cards or key in busy or self.is_settled(key):
                continue
            kept = self._drop_missing(instance)
            if kept is None or any(
                (r.step, r.branch) not in self.summary.cards for r in kept.refs()
            ):
                continue
            plan = self.planner.plan_step(kept, self.summary.cards, explain=False)
            self.tell_damage(kept.label, self.store.damage)
            if plan.state == "fresh" and plan.card is not None:
                self.summary.cards[key] = plan.card
                self.summary.fresh.append(key)
                self.tell(News("fresh", kept.label))
            elif plan.state == "blocked":
                self.fail(kept, Outcome(error="\n".join(plan.reasons), kind="user"))
            else:
                ready.append(plan)
        if ready:
            self._check_writable()
        self.planner.memory.save()  # what was read to tell freshness is not lost with this run
        return ready

    def pass_on(self, label: str, news: Told) -> None:
        """Tell what a step that is under way reports."""
        if isinstance(news, Waiting):
            self.tell(News("waiting", label, news.text))
        elif isinstance(news, Remark):
            self.tell(News("remark", label, news.text))
        else:
            self.tell(News("progress", label, progress=news))

    def tidy(self) -> None:
        """Remove what dead processes left in the cache."""
        remove_leftovers(self.store)

    def _check_writable(self) -> None:
        """Raise UserError, before anything is computed, if nothing could be kept."""
        if self.can_write:
            return
        try:
            check_writable(self.store.folder)
        except OSError as error:
            raise UserError(
                f"something is to be computed, but the cache {error} Name another with --cache; "
                "what is finished in this one is used from behind it with "
                f"NEURODECODE_SHARED_CACHE={self.store.folder}."
            ) from error
        self.can_write = True

    def is_settled(self, key: Id) -> bool:
        """Tell whether a step failed or was skipped."""
        return key in self.summary.failed or key in self.summary.skipped

    def _drop_missing(self, instance: Instance) -> Instance | None:
        """Return the instance without gathered branches that failed, or None to skip it."""
        lost = [r for r in instance.refs() if self.is_settled((r.step, r.branch))]
        if not lost:
            return instance
        if instance.allow_missing:
            inputs = {n: _without(v, lost) for n, v in instance.inputs.items()}
            if all(v is not None and (isinstance(v, Ref) or len(v)) for v in inputs.values()):
                return replace(instance, inputs=inputs)
        first = self.graph.instances[(lost[0].step, lost[0].branch)]
        self.summary.skipped[instance.id] = first.label
        self.tell(News("skipped", instance.label, f"needs {first.label}"))
        return None

    def make_task(self, plan: StepPlan) -> Task:
        """Return the plain data that execute needs."""
        instance = plan.instance
        assert plan.recipe is not None and plan.key is not None
        wants_context = CONTEXT_INPUT in read_inputs(type(instance.stage))
        return Task(
            label=instance.label,
            step=instance.name,
            address=instance.address,
            settings=instance.stage.settings(),
            execution=instance.stage.execution.model_dump(mode="json"),
            inputs={n: self._locate(v) for n, v in instance.inputs.items() if v is not None},
            cache=str(self.store.folder),
            key=plan.key,
            recipe=dict(plan.recipe),
            about={
                "pipeline": self.graph.name,
                "branch": dict(instance.branch),
                "seed": self.graph.seed,
            },
            folders=tuple(str(f) for f in self.graph.folders),
            allow_transductive=instance.allow_transductive,
            allow_leakage=instance.allow_leakage,
            context=(
                describe_run(instance, self.planner, self.summary.cards) if wants_context else None
            ),
            names=self._find_names(instance),
        )

    def _find_names(self, instance: Instance) -> dict[str, str]:
        """Return what this file calls the steps upstream that another file, or name, computed."""
        found: dict[str, set[str]] = {}
        for key in self.graph.find_upstream([instance.id]) & set(self.summary.cards):
            found.setdefault(self.summary.cards[key]["step"], set()).add(key[0])
        return {old: min(new) for old, new in found.items() if len(new) == 1 and new != {old}}

    def _locate(self, value: Any) -> Any:
        if isinstance(value, Ref):
            return Source(str(self.summary.cards[(value.step, value.branch)]["path"]), value.output)
        if isinstance(value, Mapping):
            return {label: self._locate(ref) for label, ref in value.items()}
        return [self._locate(ref) for ref in value]

    def finish(self, plan: StepPlan, outcome: Outcome) -> None:
        """Take note of how a step ended."""
        instance = plan.instance
        self.tell_damage(instance.label, outcome.damaged)
        if outcome.card is not None:
            self.summary.cards[instance.id] = outcome.card
            self.summary.computed.append(instance.id)
            self.tell(News("done", instance.label, seconds=float(outcome.card["seconds"])))
        elif outcome.kind == "store" and self._mend(instance):
            return
        else:
            self.fail(instance, outcome)

    def tell_damage(self, label: str, damage: Iterable[str]) -> None:
        """Tell what was found damaged, each thing once."""
        for text in damage:
            if text not in self.told:
                self.told.add(text)
                self.tell(News("damaged", label, text))

    def _mend(self, instance: Instance) -> bool:
        """Remove damaged inputs of a step, so that they are computed again; once per step."""
        if instance.id in self.mended:
            return False
        self.mended.add(instance.id)
        inputs = {(r.step, r.branch) for r in instance.refs()}
        for key in inputs - self.dropped:
            card = self.summary.cards[key]
            if problems := verify_file(Path(card["path"])):
                self.tell_damage(self.graph.instances[key].label, problems[:1])
                self.store.remove(card)
                self.dropped.add(key)
                del self.summary.cards[key]
        return bool(inputs & self.dropped)  # another step may have met the damage first

    def fail(self, instance: Instance, outcome: Outcome) -> None:
        """Note a failure and keep its traceback."""
        self.summary.failed[instance.id] = outcome
        stamp = time.strftime("%Y%m%d-%H%M%S")
        safe = "".join(c if c.isalnum() or c in "-_=" else "_" for c in instance.label)
        path = self.store.folder / "logs" / f"{stamp}-{self.graph.name}-{safe}.log"
        text = f"{instance.label} ({instance.address})\n{outcome.error}\n\n{outcome.trace}"
        try:
            write_text(path, text)
            self.summary.logs[instance.id] = path
        except OSError:  # the cache cannot be written; the message still reaches the user
            pass
        self.tell(News("failed", instance.label, outcome.error))


def _without(value: Any, lost: list[Ref]) -> Any:
    if isinstance(value, Ref):
        return None if value in lost else value
    if isinstance(value, Mapping):
        return {label: ref for label, ref in value.items() if ref not in lost}
    return None if value is None else [ref for ref in value if ref not in lost]


def _run_here(run: Run) -> None:
    while True:
        before = len(run.summary.cards) + len(run.summary.skipped) + len(run.summary.failed)
        ready = run.find_ready(())
        for plan in ready:
            if any((r.step, r.branch) not in run.summary.cards for r in plan.instance.refs()):
                continue  # an input turned out damaged and is to be computed again
            label = plan.instance.label
            run.tell(News("started", label))

            def listen(news: Told, label: str = label) -> None:
                run.pass_on(label, news)

            with reporting(listen):
                outcome = execute(run.make_task(plan))
            run.finish(plan, outcome)
        after = len(run.summary.cards) + len(run.summary.skipped) + len(run.summary.failed)
        if not ready and after == before:
            return
