"""One page that says what was done, what came out, and what to make of it.

The page is a single HTML file without scripts that loads nothing: styles, drawings and pictures
are inside it, and its own content security policy forbids the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, ClassVar

import numpy as np

from neurodecode.core.artifacts import Artifact, Document, Reconstructions, Scores, Stimuli
from neurodecode.core.digests import digest_json
from neurodecode.core.stage import Stage
from neurodecode.plotting.audit_panel import describe_audit
from neurodecode.plotting.chart import draw_chart, format_number, read_claims
from neurodecode.plotting.figures import find_leakage, make_data_uri
from neurodecode.plotting.graph import Node, draw_graph
from neurodecode.plotting.headline import format_p, write_headline
from neurodecode.plotting.report_context import ReportContext, StepRecord, read_context

LONGEST_SETTING = 90  # characters of one setting in the table of steps


class Report(Stage):
    """Write what was done and what came out as one self-contained HTML page.

    Parameters
    ----------
    title : str
        The pipeline's own if empty.
    """

    stage: ClassVar[str] = "plotting.report"

    title: str = ""

    def run(self, show: list[Artifact], context: Document | None = None) -> Document:
        """Return the page.

        Parameters
        ----------
        show : list of Artifact
            Audits become panels, scores tables and charts, documents and images figures; of
            anything else the page says what it is.
        context : Document or None
            Its ``html`` is JSON, see report_context.ReportContext.
        """
        known = ReportContext() if context is None else read_context(context.html)
        names = [*known.names, *("" for _ in show)][: len(show)]
        title = self.title or known.title or "Report"
        named = list(zip(names, show, strict=True))
        shown = [(name, one) for name, one in named if isinstance(one, Scores)]
        sections = [describe_scores(name, one) for name, one in shown]
        notices = _name_notices(shown)
        leakage = find_leakage(notices)
        html = render(
            title=title,
            known=known,
            audits=[section for section in sections if section["audit"]],
            scores=[section for section in sections if not section["audit"]],
            figures=[f for name, one in named for f in collect_figures(name, one, show)],
            others=[_describe_other(name, one) for name, one in named if _is_other(one)],
            leakage=leakage,
            notices=[n for n in notices if n not in leakage],
            graph=_draw_method(known.steps),
            steps=[_describe_step(step) for step in known.steps],
            digest=digest_json(known.model_dump(mode="json")) if context is not None else "",
        )
        return Document(title=title, html=html, is_report=True)


def _name_notices(shown: Sequence[tuple[str, Scores]]) -> list[str]:
    """Return every notice once, followed by the steps that gave it."""
    givers: dict[str, list[str]] = {}
    for name, scores in shown:
        for notice in scores.notices:
            givers.setdefault(notice, []).append(name)
    return [
        f"{notice} ({', '.join(names)})" if all(names) else notice
        for notice, names in givers.items()
    ]


def describe_scores(name: str, scores: Scores) -> dict[str, Any]:
    """Return everything that the page says about one Scores."""
    claims = read_claims(scores)
    rows = [
        {
            "name": claim.name,
            "is_control": claim.is_control,
            "value": format_number(claim.value),
            "interval": "–"
            if claim.low is None or claim.high is None
            else f"{format_number(claim.low)} to {format_number(claim.high)}",
            "chance": format_number(claim.chance),
            "null": "–"
            if claim.null_mean is None
            else f"{format_number(claim.null_mean)} ± {format_number(claim.null_sd)}",
            "p": "–" if claim.p is None else format_p(claim.p).removeprefix("= "),
            "n": "–" if claim.n is None else f"{claim.n:,.0f}",
        }
        for claim in claims
    ]
    units = {"r2": "r²"}
    return {
        "name": name,
        "metric": scores.metric,
        "unit": units.get(scores.scale, scores.scale),
        "rows": rows,
        "ceiling": _describe_ceiling(scores),
        "significant": _describe_significance(scores),
        "chart": draw_chart(scores),
        "headline": write_headline(scores, claims),
        "audit": describe_audit(scores) if scores.verdict else None,
        "test_set": scores.test_set,
    }


def _describe_ceiling(scores: Scores) -> str:
    if scores.ceiling is None:
        return "none given"
    ceiling = np.asarray(scores.ceiling, np.float64)
    finite = ceiling[np.isfinite(ceiling)]
    if not len(finite):
        return "given, but nowhere defined"
    low, middle, high = np.percentile(finite, [5, 50, 95])
    return (
        f"median {format_number(middle)}, 5th to 95th percentile {format_number(low)} to "
        f"{format_number(high)}, in the same unit"
    )


def _describe_significance(scores: Scores) -> str:
    if scores.q is None:
        return ""
    q = np.asarray(scores.q, np.float64)
    what = "voxels" if scores.over == "voxels" else f"{scores.of}s"
    defined = int(np.isfinite(q).sum())
    return f"{int((q < 0.05).sum()):,} of {defined:,} {what} with q < 0.05 (corrected)"


def collect_figures(name: str, shown: Artifact, others: Sequence[Artifact]) -> list[dict[str, str]]:
    """Return the figures of a document, or of images, each with its title and HTML."""
    if isinstance(shown, Reconstructions) and shown.of == "image":
        document = _draw_images(shown, others)
    elif isinstance(shown, Document) and not shown.is_report:
        document = shown
    else:
        return []
    html = "" if "<html" in document.html.lower() else document.html
    for file, data in document.figures.items():
        if f'data-figure="{escape(file)}"' not in html:
            address = make_data_uri(file, np.asarray(data))
            html += f'<figure><img alt="{escape(document.title)}" src="{address}"></figure>'
    return [{"name": name, "title": document.title, "html": html}]


def _draw_images(shown: Reconstructions, others: Sequence[Artifact]) -> Document:
    """Return a gallery, below the originals where those are shown, too."""
    from neurodecode.plotting.figures import make_figure_html
    from neurodecode.plotting.gallery import Gallery, choose_evenly, plot_gallery

    ids = shown.items["id"].astype(str)
    for other in others:
        known = other.items["id"].astype(str) if isinstance(other, Stimuli) else ids[:0]
        if isinstance(other, Stimuli) and other.of == "image" and np.isin(ids, known).all():
            return Gallery().run(other, [shown])
    chosen, rule = choose_evenly(len(ids), 10, 0)
    pictures = np.asarray(shown.data[chosen])[:, 0]
    data = plot_gallery([pictures], ["reconstruction"], [""] * len(chosen))
    caption = f"Chosen without regard to quality: {rule}. The first sample of each."
    return Document(
        title="Reconstructions",
        html=make_figure_html("gallery.png", data, alt=caption, caption=caption),
        figures={"gallery.png": data},
    )


def _is_other(shown: Artifact) -> bool:
    is_image = isinstance(shown, Reconstructions) and shown.of == "image"
    is_page = isinstance(shown, Document) and shown.is_report
    return is_page or not (isinstance(shown, Scores | Document) or is_image)


def _describe_other(name: str, shown: Artifact) -> str:
    if isinstance(shown, Document):
        return f"{name or 'unnamed'}: '{shown.title}', a page of its own, written beside this one"
    array = getattr(shown, shown.rows_field, None) if shown.rows_field else None
    shape = "" if array is None else f" of shape {' × '.join(map(str, array.shape))}"
    return f"{name or 'unnamed'}: {shown.kind()}{shape}"


def _draw_method(steps: Sequence[StepRecord]) -> str:
    if not steps:
        return ""
    known = {step.name for step in steps}
    nodes = []
    for step in steps:
        given = [i.source if i.source in known else i.source.split(".")[0] for i in step.inputs]
        inputs = tuple(dict.fromkeys(name for name in given if name in known))
        nodes.append(Node(step.name, step.stage, inputs, step.n_branches))
    return draw_graph(nodes)


def _describe_step(step: StepRecord) -> dict[str, Any]:
    settings = []
    for name, value in sorted(step.settings.items()):
        text = value if isinstance(value, str) else str(value)
        short = text if len(text) <= LONGEST_SETTING else f"{text[: LONGEST_SETTING - 1]}…"
        settings.append((name, short))
    return {
        "name": step.name,
        "stage": step.stage,
        "doc": step.doc,
        "count": step.n_branches,
        "settings": settings,
        "time": _format_seconds(step.seconds),
        "memory": "–" if step.peak_mb is None else f"{step.peak_mb:,.0f} MB",
        "key": step.key[:12],
    }


def _format_seconds(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {rest} s"


def render(**values: Any) -> str:
    """Return the page, with every value escaped that is not a drawing made here."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from neurodecode import __version__

    environment = Environment(
        loader=PackageLoader("neurodecode.plotting", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page: str = environment.get_template("report.html.j2").render(version=__version__, **values)
    return page
