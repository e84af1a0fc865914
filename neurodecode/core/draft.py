"""What a pipeline file says, before branches are made; mistakes are collected."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from neurodecode.core.errors import PipelineError
from neurodecode.core.stage import Stage
from neurodecode.core.yaml_reader import MAX_PROBLEMS
from neurodecode.core.yaml_tree import Node, Place, find_variables, name_place

AUDIT = "audit"  # the step that controls add
ROOT_KEYS = ("title", "source", "description", "seed", "params", "each", "steps", "controls")


@dataclass
class StepSpec:
    """A step as the file gives it, before branches are made."""

    name: str
    line: Place
    address: str
    stage: type[Stage]
    settings: dict[str, Node]
    inputs: dict[str, Node]
    gather: dict[str, Node | None] = field(default_factory=dict)
    allow_missing: bool = False
    allow_transductive: Node | None = None
    allow_leakage: Node | None = None
    known: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)  # inputs that the file does not give

    def variables(self) -> dict[str, Place]:
        """Return the ${names} of its settings, inputs and gather."""
        found: dict[str, Place] = {}
        nodes = [*self.settings.values(), *self.inputs.values()]
        for node in (*nodes, *(g for g in self.gather.values() if g is not None)):
            found |= find_variables(node)
        return found


@dataclass
class Draft:
    """A pipeline file read, its steps not yet branched.

    Parameters
    ----------
    name, file : str
        Without and with its ending.
    folders : sequence of Path
        Where stages of one's own may lie.
    title, source, description : str
    seed : int
    params : mapping of name to Node
    axes : mapping of variable to its values
    groups : sequence of list of rows
        The rows of each variable, or of those that are zipped; branches are products of groups.
    steps : mapping of name to StepSpec
    problems : list of str
    broken : set of str
        Steps that could not be read.
    unread : set of str
        Variables of ``each`` that could not be read.
    awaits_controls : bool
        Steps that ``controls:`` adds are not there yet, or could not be added.
    """

    name: str
    file: str
    folders: tuple[Path, ...]
    title: str = ""
    source: str = ""
    description: str = ""
    seed: int = 0
    params: dict[str, Node] = field(default_factory=dict)
    axes: dict[str, list[str]] = field(default_factory=dict)
    groups: list[list[dict[str, Node]]] = field(default_factory=list)
    steps: dict[str, StepSpec] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    unread: set[str] = field(default_factory=set)
    awaits_controls: bool = False

    def complain(self, place: Place, text: str) -> None:
        """Note a mistake, once; beyond reason, stop at those that were found.

        Raises
        ------
        PipelineError
            There are too many.
        """
        problem = f"{name_place(self.file, place)}: {text}"
        if problem not in self.problems:
            self.problems.append(problem)
        if len(self.problems) >= MAX_PROBLEMS:
            raise PipelineError(
                [*self.problems, f"{self.file}: {MAX_PROBLEMS} mistakes are told; there may be "
                 "more. Mend these first."]
            )  # fmt: skip


def list_references(node: Node) -> list[tuple[str, Place]]:
    """Return the references ("step" or "step.output") in an input, with their lines."""
    if isinstance(node.value, list):
        return [pair for item in node.value for pair in list_references(item)]
    if isinstance(node.value, dict):
        return [pair for item in node.value.values() for pair in list_references(item)]
    return [(node.value, node.line)]
