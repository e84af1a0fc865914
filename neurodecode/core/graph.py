"""The graph of a pipeline: one instance of each step for every branch it has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from neurodecode.core.artifacts import Artifact
from neurodecode.core.stage import InputSpec, Stage

CONTEXT_INPUT = "context"  # filled by the runner for stages that print what was run
Branch = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Ref:
    """An output of a step in one branch."""

    step: str
    branch: Branch
    output: str


@dataclass(frozen=True)
class Instance:
    """One step in one branch, ready to be run.

    Parameters
    ----------
    name : str
        Of the step.
    branch : tuple of (variable, value)
    address : str
        Of the stage, as the file names it.
    stage : Stage
    inputs : mapping of input name to Ref, list of Ref, or mapping of branch value to Ref
    allow_missing : bool
    allow_transductive, allow_leakage : str or None
        Reasons given in the file.
    line : int
    known : mapping of code to reason
        Findings of the lint that the file knows of.
    """

    name: str
    branch: Branch
    address: str
    stage: Stage
    inputs: Mapping[str, Ref | list[Ref] | dict[str, Ref]]
    allow_missing: bool = False
    allow_transductive: str | None = None
    allow_leakage: str | None = None
    line: int = 0
    known: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> tuple[str, Branch]:
        """What names it within its graph."""
        return self.name, self.branch

    @property
    def label(self) -> str:
        """Name and branch, for people."""
        inside = ", ".join(f"{k}={v}" for k, v in self.branch)
        return f"{self.name}[{inside}]" if inside else self.name

    def refs(self) -> Iterator[Ref]:
        """Yield every input, whatever its form."""
        for value in self.inputs.values():
            if isinstance(value, Ref):
                yield value
            else:
                yield from value.values() if isinstance(value, dict) else value


@dataclass(frozen=True)
class Graph:
    """All instances of a pipeline, each after what it needs.

    Parameters
    ----------
    name : str
        Of the file, without its ending.
    title, source, description : str
    instances : mapping of (step, branch) to Instance
    seed : int
    folders : sequence of Path
        Where stages of one's own may lie.
    """

    name: str
    title: str
    source: str
    description: str
    instances: dict[tuple[str, Branch], Instance]
    seed: int
    folders: tuple[Path, ...] = ()

    def keep(self, wanted: set[tuple[str, Branch]]) -> Graph:
        """Return the graph of some instances."""
        kept = {k: v for k, v in self.instances.items() if k in wanted}
        return replace(self, instances=kept)

    def find_upstream(self, ids: Sequence[tuple[str, Branch]]) -> set[tuple[str, Branch]]:
        """Return these instances and all that they need."""
        found, waiting = set(), list(ids)
        while waiting:
            current = waiting.pop()
            if current not in found and current in self.instances:
                found.add(current)
                waiting += [(r.step, r.branch) for r in self.instances[current].refs()]
        return found


def check_artifact(value: Any, kind: InputSpec, where: str) -> None:
    """Raise TypeError if an artifact is not of the kind that an input takes."""
    given = (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
    )
    for item in given:
        if not isinstance(item, Artifact) or not kind.accepts(type(item)):
            raise TypeError(
                f"{where}: takes {kind.words}, got {type(item).__name__}. "
                f"Hand it {kind.words} instead."
            )
