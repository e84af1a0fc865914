"""Scores of one or more results as a chart: points with intervals, chance, controls, the null."""

from __future__ import annotations

from typing import ClassVar

from neurodecode.core.artifacts import Document, Scores
from neurodecode.core.errors import DataError
from neurodecode.core.stage import Stage
from neurodecode.plotting.chart import (
    WIDTH,
    choose_claims,
    draw_chart,
    draw_notices,
    format_number,
)
from neurodecode.plotting.figures import FONT_CSS, encode_text, find_leakage, make_figure_html


class ScoresChart(Stage):
    """Draw every claim of the scores as a point with its interval, beside chance and controls.

    Shares of voxels are left out: they lie on no axis of scores.

    Parameters
    ----------
    title : str
        Of the document; the first metric if empty.
    labels : sequence of str
        One per step given as ``scores``, in that order; the metrics if empty.
    """

    stage: ClassVar[str] = "plotting.scores_chart"

    title: str = ""
    labels: tuple[str, ...] = ()

    def run(self, scores: list[Scores]) -> Document:
        """Return one SVG figure with a panel per Scores; panels do not share their axis."""
        if not scores or (self.labels and len(self.labels) != len(scores)):
            raise DataError(
                f"{self.stage}: {len(self.labels)} labels for {len(scores)} scores. Give at least "
                "one Scores, and one label for each or none."
            )
        labels = self.labels or tuple(s.metric for s in scores)
        notices = find_leakage([notice for s in scores for notice in s.notices])
        body, top = draw_notices(notices)
        for one, label in zip(scores, labels, strict=True):
            panel = draw_chart(one, label)
            height = int(panel.split('height="', 1)[1].split('"', 1)[0])
            body += f'<g transform="translate(0 {top})">{panel}</g>'
            top += height + 16
        words = "; ".join(
            f"{label}: {claim.name} {format_number(claim.value)}"
            for one, label in zip(scores, labels, strict=True)
            for claim in choose_claims(one)
        )
        svg = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-10 -10 {WIDTH + 20} {top + 10}" '
            f'width="{WIDTH + 20}" height="{top + 10}" font-family="{FONT_CSS}">'
            f'<rect x="-10" y="-10" width="100%" height="100%" fill="white"/>{body}</svg>'
        )
        data = encode_text(svg)
        caption = (
            "Points: values; lines: 95 % intervals; dashed: chance; amber: null; grey: controls. "
            "Each panel has its own axis."
        )
        return Document(
            title=self.title or labels[0],
            html=make_figure_html("scores.svg", data, alt=words, caption=caption, notices=notices),
            figures={"scores.svg": data},
        )
