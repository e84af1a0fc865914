"""The methods section of a paper, from what was run: text, citations, settings, scores, versions.

Nothing is said that the run's own record does not hold. Citations are those that the head of each
stage's file names; settings, versions and numbers are copied, not retold.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import ClassVar

import numpy as np

from neurodecode.core.artifacts import Artifact, Document, Scores
from neurodecode.core.errors import DataError
from neurodecode.core.stage import STAGE_FOLDERS, Stage
from neurodecode.plotting.chart import format_number, read_claims
from neurodecode.plotting.headline import format_p
from neurodecode.plotting.map_values import UNITS
from neurodecode.plotting.methods_sentences import write_sentence
from neurodecode.plotting.methods_sources import find_citations, find_reference
from neurodecode.plotting.report_context import ReportContext, StepRecord, read_context

HEADINGS = {
    "datasets": "Data", "preprocessing": "Preprocessing", "features": "Features",
    "alignment": "Alignment in time", "encoding": "Encoding models", "decoding": "Decoding models",
    "reconstruction": "Reconstruction", "interpretation": "Interpretation",
    "evaluation": "Evaluation", "plotting": "Maps",
}  # fmt: skip
NULL = "Null: "  # begins the notice of evaluation.encoding
SPOKEN_OF = ("plotting.brain_map", "plotting.volume_map", "plotting.interactive_map")


class Methods(Stage):
    """Write the methods section of a paper from what was run, with tables of scores and settings.

    Parameters
    ----------
    title : str
        Of the section.
    """

    stage: ClassVar[str] = "plotting.methods"

    title: str = "Methods"

    def run(self, show: list[Artifact], context: Document | None = None) -> Document:
        """Return the section; the runner fills in ``context``.

        Parameters
        ----------
        show : list of Artifact
            What the paper shows; the text tells of all steps that these come from. Scores among
            them become tables.
        context : Document or None
            Its ``html`` is JSON, see report_context.ReportContext.
        """
        if context is None:
            raise DataError(
                f"{self.stage}: it is not told what was run. Run it as a step of a pipeline, which "
                "tells it."
            )
        known = read_context(context.html)
        others = [step for step in known.steps if step.stage != self.stage]
        known = known.model_copy(update={"steps": others})
        named = list(zip([*known.names, *("" for _ in show)], show, strict=False))
        tested = {
            name.partition("[")[0]: (one.p is not None, find_null(one))
            for name, one in named
            if isinstance(one, Scores)
        }
        html = "".join((
            *_write_text(known, tested),
            *(write_scores_table(name, one) for name, one in named if isinstance(one, Scores)),
            _write_settings(known.steps),
            _write_references(known.steps),
        ))  # fmt: skip
        return Document(title=self.title, html=f'<section class="methods">{html}</section>')


def find_null(scores: Scores) -> str:
    """Return what scores say of the null that was chosen for them, "" if nothing."""
    told = [text for text in scores.notices if text.startswith(NULL)]
    return told[0].removeprefix(NULL).rstrip(".") if told else ""


def _write_text(known: ReportContext, tested: dict[str, tuple[bool, str]]) -> Iterable[str]:
    """Yield a paragraph for each folder of stages, in the order of an analysis."""
    for folder in STAGE_FOLDERS:
        steps = [s for s in known.steps if s.stage.partition(".")[0] == folder]
        if folder == "plotting":
            steps = [s for s in steps if s.stage in SPOKEN_OF]
        told: dict[str, None] = {}
        for step in steps:
            told[_cite(write_sentence(step, *tested.get(step.name, (None, ""))), step)] = None
        if told:
            yield f"<p><strong>{HEADINGS[folder]}.</strong> {escape(' '.join(told))}</p>"
    own = [s for s in known.steps if s.stage.partition(".")[0] not in STAGE_FOLDERS]
    if own:
        text = " ".join(_cite(write_sentence(s, None), s) for s in own)
        yield f"<p><strong>Own methods.</strong> {escape(text)}</p>"
    packages = ", ".join(f"{n} {v}" for n, v in sorted(known.environment.packages.items()))
    seed = "" if known.seed is None else f" Random numbers were drawn from seed {known.seed}."
    yield (
        f"<p><strong>Software.</strong> {escape(f'The analysis was run by {_name_self()}')}"
        f"{escape(f' on Python {known.environment.python}') if known.environment.python else ''}"
        f"{escape(f' with {packages}') if packages else ''}."
        f"{escape(seed)} {escape(_count(known.steps))}</p>"
    )


def _cite(text: str, step: StepRecord) -> str:
    """Return a sentence with those citations of its stage that it does not hold yet."""
    missing = [c for c in find_citations(step.stage) if c not in text]
    if not missing or find_reference(step.stage) or step.stage in SPOKEN_OF:
        return text
    return f"{text.rstrip('.')} ({'; '.join(missing)})."


def _name_self() -> str:
    from neurodecode import __version__

    return f"neurodecode {__version__}"


def _count(steps: Sequence[StepRecord]) -> str:
    several = [s for s in steps if s.n_branches > 1]
    if not several:
        return ""
    most = max(several, key=lambda s: s.n_branches)
    return f"Steps were repeated for up to {most.n_branches:,} branches ({most.name})."


def write_scores_table(name: str, scores: Scores) -> str:
    """Return the claims of scores as an HTML table: one row per region, where they are of regions.

    ``neurodecode export STEP --as csv`` writes the same rows as CSV.
    """
    rows = "".join(
        "<tr><td>"
        + "</td><td>".join(
            escape(cell)
            for cell in (
                claim.name,
                format_number(claim.value),
                "–"
                if claim.low is None or claim.high is None
                else f"{format_number(claim.low)} to {format_number(claim.high)}",
                format_number(claim.chance),
                "–" if claim.p is None else format_p(claim.p).removeprefix("= "),
                "–" if claim.n is None else f"{claim.n:,.0f}",
            )
        )
        + "</td></tr>"
        for claim in read_claims(scores)
    )
    count = ""
    if scores.q is not None:
        q = np.asarray(scores.q, np.float64)
        count = f" {int((q < 0.05).sum()):,} of {int(np.isfinite(q).sum()):,} with q < 0.05."
    heads = ("claim", f"value ({UNITS[scores.scale]})", "95 % interval", "chance", "p", "n")
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    title = f"{scores.metric}{f', step {name}' if name else ''}.{count}"
    return (
        f"<table><caption>{escape(title)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )


def _write_settings(steps: Sequence[StepRecord]) -> str:
    rows = "".join(
        f"<tr><td>{escape(step.name)}</td><td>{escape(step.stage)}</td>"
        f"<td>{escape('; '.join(f'{k} = {v}' for k, v in step.settings.items()))}</td></tr>"
        for step in steps
    )
    return (
        "<details><summary>Settings of every step</summary><table><thead><tr><th>step</th>"
        f"<th>stage</th><th>settings</th></tr></thead><tbody>{rows}</tbody></table></details>"
    )


def _write_references(steps: Sequence[StepRecord]) -> str:
    """Return, for each stage, what its file names as its sources."""
    stages = dict.fromkeys(step.stage for step in steps)
    rows = [(stage, find_reference(stage) or "; ".join(find_citations(stage))) for stage in stages]
    body = "".join(
        f"<tr><td>{escape(stage)}</td><td>{escape(sources)}</td></tr>"
        for stage, sources in rows
        if sources
    )
    if not body:
        return ""
    return (
        "<table><caption>Sources named by the stages that were run.</caption>"
        f"<tbody>{body}</tbody></table>"
    )
