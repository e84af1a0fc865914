"""Scores of regions, several models side by side: bars or points with their intervals.

Scores of regions (evaluation.rois) bring intervals over independent units and are drawn as they
are. Scores of voxels are averaged within the regions of their space; an interval then tells how
the voxels of a region differ, which is not how the result would differ on other stimuli, and the
caption says so.
"""

from __future__ import annotations

from html import escape
from typing import Annotated, ClassVar, Literal

from pydantic import Field, PositiveInt

from neurodecode.core.artifacts import Document, Scores
from neurodecode.core.checks import check_known
from neurodecode.core.errors import DataError
from neurodecode.core.stage import Stage
from neurodecode.plotting.chart import format_number
from neurodecode.plotting.figures import encode_figure, find_leakage, make_figure_html
from neurodecode.plotting.map_values import UNITS
from neurodecode.plotting.roi_values import RoiValue, read_regions


class RoiBars(Stage):
    """Draw one value per region with its interval, chance and ceiling, for one model or several.

    Parameters
    ----------
    title : str
        Above the figure; the metric if empty.
    labels : sequence of str
        One per step given as ``scores``, in that order; the metrics, numbered, if empty.
    rois : sequence of str
        Regions to draw, in this order; all, in the order in which they come, if empty.
    style : {"bars", "points"}
        Bars start from chance where there is one for all, else from zero.
    statistic : {"mean", "median"}
        Over the voxels of a region, where scores of voxels are given.
    n_bootstrap : int
        Resamples of the voxels of a region, for their interval.
    q_threshold : float in (0, 1]
        Regions with a smaller corrected p are marked with a star.
    form : {"svg", "png"}
        Of the figure.
    seed : int
    """

    stage: ClassVar[str] = "plotting.roi_bars"
    example: ClassVar[dict[str, int]] = {"n_bootstrap": 20}

    title: str = ""
    labels: tuple[str, ...] = ()
    rois: tuple[str, ...] = ()
    style: Literal["bars", "points"] = "bars"
    statistic: Literal["mean", "median"] = "mean"
    n_bootstrap: PositiveInt = 1000
    q_threshold: Annotated[float, Field(gt=0, le=1)] = 0.05
    form: Literal["svg", "png"] = "svg"
    seed: int = 0

    def run(self, scores: list[Scores]) -> Document:
        """Return the figure, and its numbers as a table."""
        from neurodecode.plotting.roi_figure import plot_regions

        labels = self._name(scores)
        read = [
            read_regions(one, self.statistic, self.n_bootstrap, self.seed, self.stage)
            for one in scores
        ]
        names = list(dict.fromkeys(name for model in read for name in model))
        for name in self.rois:
            check_known(name, names, what="region", where=self.stage)
        names = list(self.rois) or names
        unit = UNITS[scores[0].scale]
        notices = [notice for one in scores for notice in find_leakage(one.notices)]
        metric = scores[0].metric
        figure = plot_regions(
            dict(zip(labels, read, strict=True)),
            names,
            unit=unit,
            axis=metric if unit in metric.lower().split() else f"{metric} ({unit})",
            style=self.style,
            q_threshold=self.q_threshold,
            title=self.title or metric,
            notices=notices,
        )
        caption = self._describe(scores, read, names)
        name, data = f"roi_bars.{self.form}", encode_figure(figure, self.form)
        words = "; ".join(
            f"{label}, {roi}: {format_number(model[roi].value)}"
            for label, model in zip(labels, read, strict=True)
            for roi in names
            if roi in model
        )
        html = make_figure_html(name, data, alt=words, caption=caption, notices=notices)
        table = write_table(dict(zip(labels, read, strict=True)), names, unit)
        return Document(
            title=self.title or f"{metric} by region", html=html + table, figures={name: data}
        )

    def _name(self, scores: list[Scores]) -> tuple[str, ...]:
        if not scores or (self.labels and len(self.labels) != len(scores)):
            raise DataError(
                f"{self.stage}: {len(self.labels)} labels for {len(scores)} scores. Give at least "
                "one Scores, and one label for each or none."
            )
        scales = {one.scale for one in scores}
        if len(scales) > 1:
            raise DataError(
                f"{self.stage}: the scores are in {', '.join(sorted(UNITS[s] for s in scales))}. "
                "One axis takes one unit: r and r² never mix. Give scores of one metric, or draw "
                "them apart."
            )
        labels = self.labels or tuple(one.metric for one in scores)
        if len(set(labels)) < len(labels):
            if self.labels:
                raise DataError(f"{self.stage}: labels come twice. Give each scores its own.")
            labels = tuple(f"{number} {label}" for number, label in enumerate(labels, 1))
        return labels

    def _describe(
        self, scores: list[Scores], read: list[dict[str, RoiValue]], names: list[str]
    ) -> str:
        text = []
        kinds = {one.over == "voxels" for one in scores}
        shown = [model[name] for model in read for name in names if name in model]
        if False in kinds:
            text.append("Lines: 95 % intervals over independent units, as scored.")
        if True in kinds:
            spread = (
                f"lines: 95 % of {self.n_bootstrap:,} resamples of its voxels, which tells how "
                "voxels differ and not what other stimuli or subjects would give "
                "(evaluation.rois does)"
            )
            has_lines = any(v.of_voxels and v.low is not None for v in shown)
            text.append(
                f"{self.statistic.capitalize()} over the voxels of each region"
                f"{'; ' + spread if has_lines else ''}."
            )
        if any(v.chance is not None for v in shown):
            text.append("Dashed: chance.")
        if any(v.ceiling is not None for v in shown):
            text.append("Grey marks: noise ceiling, in the same unit.")
        if any(v.q is not None for v in shown):
            text.append(f"Stars: q < {self.q_threshold:g}, corrected over the regions scored.")
        return " ".join(text)


def write_table(models: dict[str, dict[str, RoiValue]], names: list[str], unit: str) -> str:
    """Return the numbers as an HTML table, one row per region and model."""
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(label)}</td>"
        + "".join(
            f'<td class="number">{cell}</td>'
            for cell in (
                format_number(one.value),
                "–"
                if one.low is None or one.high is None
                else f"{format_number(one.low)} to {format_number(one.high)}",
                format_number(one.chance),
                format_number(one.ceiling),
                format_number(one.q),
                f"{one.n:,}",
            )
        )
        + "</tr>"
        for name in names
        for label, model in models.items()
        if (one := model.get(name)) is not None
    )
    heads = (f"value ({escape(unit)})", "95 % interval", "chance", "ceiling", "q", "n")
    head = "".join(f'<th class="number">{text}</th>' for text in heads)
    return (
        "<details><summary>All numbers</summary><table><thead><tr><th>region</th><th>model</th>"
        f"{head}</tr></thead><tbody>{rows}</tbody></table></details>"
    )
