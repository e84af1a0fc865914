"""What the runner tells a report: the method, the versions, how often a test set was scored.

An artifact does not know the pipeline it came from. The runner hands a report a Document whose
``html`` is this record as JSON; fields that are absent are left out of the report, unknown ones are
passed over, so that runner and report may be of different versions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from neurodecode.core.errors import DataError


class Record(BaseModel):
    """Base of the records here: frozen, unknown keys passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class InputRecord(Record):
    """One input of a step: its name, and the step (or ``step.output``) that it comes from."""

    name: str
    source: str

    def __init__(self, **values: Any) -> None:
        # JSON says "from", which Python keeps for itself.
        super().__init__(**{("source" if k == "from" else k): v for k, v in values.items()})


class StepRecord(Record):
    """One step of the pipeline.

    Parameters
    ----------
    name, stage : str
    doc : str
        What the stage does, in one sentence.
    branches : int, or list of branches
        Into how many the step fans out.
    inputs : list of InputRecord
    settings : dict
    seconds, peak_mb : float or None
    key : str
        Of the stored result.
    """

    name: str
    stage: str
    doc: str = ""
    branches: int | list[Any] | dict[str, Any] | None = None
    inputs: list[InputRecord] = []
    settings: dict[str, Any] = {}
    seconds: float | None = None
    peak_mb: float | None = None
    key: str = ""

    @property
    def n_branches(self) -> int:
        """Into how many the step fans out; 1 for a step that does not."""
        if isinstance(self.branches, int):
            return max(1, self.branches)
        return max(1, len(self.branches or ()))


class EnvironmentRecord(Record):
    """Python, platform and the versions of packages."""

    python: str = ""
    platform: str = ""
    packages: dict[str, str] = {}


class LookRecord(Record):
    """How often a test set was scored: by how many recipes, this one included."""

    step: str = ""
    test_set: str = ""
    count: int = 0


class FindingRecord(Record):
    """What the lint says of some steps; ``known`` is the file's own reason, if it gives one."""

    code: str = ""
    severity: str = "note"
    text: str = ""
    steps: list[str] = []
    branches: int = 1
    known: str | None = None


class ReportContext(Record):
    """Everything that a report knows beside the artifacts it shows.

    Parameters
    ----------
    title, source, description : str
    pipeline : str
        Text of the pipeline file.
    steps : list of StepRecord
    environment : EnvironmentRecord
    seed : int or None
    warnings : list of str
    looks : list of LookRecord
    findings : list of FindingRecord
    names : list of str
        Step of each artifact that is shown, in order.
    """

    title: str = ""
    source: str = ""
    description: str = ""
    pipeline: str = ""
    steps: list[StepRecord] = []
    environment: EnvironmentRecord = EnvironmentRecord()
    seed: int | None = None
    warnings: list[str] = []
    looks: list[LookRecord] = []
    findings: list[FindingRecord] = []
    names: list[str] = []


def read_context(text: str) -> ReportContext:
    """Return the record in a JSON text, or raise DataError that lists what does not fit."""
    try:
        return ReportContext.model_validate_json(text)
    except ValidationError as error:
        wrong: Sequence[Any] = error.errors()
        first = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'the text'}: {e['msg']}" for e in wrong[:5]
        )
        raise DataError(
            f"plotting.report: the context has {len(wrong)} mistakes ({first}). Allowed: JSON with "
            "the fields of plotting.report_context.ReportContext. The runner writes it; leave the "
            "input out to report without it."
        ) from error
