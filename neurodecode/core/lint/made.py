"""A result as the rules look at it: the stage that made it, what went in, what came out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from neurodecode.core.artifacts import Artifact, Responses, Split
from neurodecode.core.lint.sides import Sides
from neurodecode.core.stage import Stage
from neurodecode.core.trace import iterate_inputs


@dataclass(frozen=True)
class Made:
    """A result that was just made.

    Parameters
    ----------
    stage : Stage
    inputs : mapping of name to artifact, or list or mapping of artifacts
    outputs : mapping of name to artifact
    """

    stage: Stage
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Artifact]

    def find_input(self, *kinds: type[Artifact]) -> Artifact | None:
        """Return the first input of these kinds."""
        return next((a for _, a in iterate_inputs(self.inputs) if isinstance(a, kinds)), None)

    @cached_property
    def sides(self) -> Sides | None:
        """The split among the outputs, or None."""
        split = next((a for a in self.outputs.values() if isinstance(a, Split)), None)
        responses = self.find_input(Responses)
        if split is None or not len(split.samples):
            return None
        return Sides(split, responses if isinstance(responses, Responses) else None)
