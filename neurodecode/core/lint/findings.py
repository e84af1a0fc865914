"""What the lint says: a code, how serious it is, and a sentence or two; and who says it once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

Severity = Literal["warning", "note"]
Found = tuple[Severity, str] | None  # what a rule returns; its name is the code


@dataclass(frozen=True)
class Finding:
    """One thing worth reading before a result is believed.

    Parameters
    ----------
    code : str
        Name of the rule.
    severity : {"warning", "note"}
    text : str
        What, where, figures, next step.
    steps : tuple of str
        Steps of the pipeline file that it is about.
    branches : int
        In how many branches of these steps.
    known : str or None
        The file's own words, where it says that it knows.
    """

    code: str
    severity: Severity
    text: str
    steps: tuple[str, ...] = ()
    branches: int = 1
    known: str | None = None

    def __str__(self) -> str:
        """Return the line that is printed."""
        where = ", ".join(self.steps) + (f" ×{self.branches}" if self.branches > 1 else "")
        known = f' Known: "{self.known}".' if self.known is not None else ""
        return f"{self.severity:<7}  {where}: {self.code}: {self.text}{known}"


def name_plural(n: int, noun: str) -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> name_plural(1, "row"), name_plural(1200, "row")
    ('1 row', '1,200 rows')
    """
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def group_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Return each finding once, warnings first: branches counted, steps of one text together.

    Of branches whose figures differ, those of the first are kept, and it is said so.
    """
    by_step: dict[tuple[str, str, str, str | None], list[Finding]] = {}
    for one in findings:
        by_step.setdefault((one.code, one.severity, one.steps[0], one.known), []).append(one)
    by_text: dict[tuple[str, str, str, str | None], Finding] = {}
    for (code, severity, _, known), members in by_step.items():
        text, n = members[0].text, sum(m.branches for m in members)
        if any(m.text != text for m in members):
            text += f" (Figures of the first of {n} branches.)"
        key = (code, severity, text, known)
        before = by_text.get(key)
        if before is None:
            by_text[key] = replace(members[0], text=text, branches=n)
        else:
            by_text[key] = replace(
                before, steps=(*before.steps, *members[0].steps), branches=max(before.branches, n)
            )
    return sorted(by_text.values(), key=lambda one: one.severity != "warning")
