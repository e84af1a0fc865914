"""The one tree of exceptions.

NeurodecodeError
├── UserError            the user can mend it; the command line exits with 2
│   ├── PipelineError    one or more mistakes in a pipeline file, all of them at once
│   ├── DataError        data that does not fit what was asked of it
│   └── LeakageError     a test row was seen before it was scored
├── StoreError           a stored result is damaged, truncated or of a foreign schema
├── WriteError           the disk did not take what was to be written; an OSError, too
└── StepFailed           a step raised while it ran; the command line exits with 1

Messages say what, where, got, allowed and the next step (checks.py words the common ones).
"""

from __future__ import annotations

from collections.abc import Sequence

from neurodecode.core.visible import escape, shorten


class NeurodecodeError(Exception):
    """Anything this package raises on purpose."""


class UserError(NeurodecodeError):
    """The request cannot be met as it stands; the message says how to mend it."""


class PipelineError(UserError):
    """Mistakes in a pipeline file.

    Parameters
    ----------
    problems : sequence of str
        One sentence or two per mistake, each with its place in the file; kept as one line each.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = [shorten(escape(shorten(p, 10_000))) for p in problems]
        super().__init__("\n".join(self.problems))

    def __reduce__(self) -> tuple[type[PipelineError], tuple[list[str]]]:
        return PipelineError, (self.problems,)


class DataError(UserError):
    """Data that does not have the shape, identity or values that were asked for."""


class LeakageError(UserError):
    """A test row was seen upstream of its score."""


class StoreError(NeurodecodeError):
    """A stored file cannot be trusted."""


class WriteError(NeurodecodeError, OSError):
    """A file could not be written: the disk is full, read-only, over quota."""


class StepFailed(NeurodecodeError):
    """A step of a pipeline raised; the original exception is chained."""
