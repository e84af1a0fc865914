"""A map to turn and to read values from: one HTML file that works without network.

Scores of a surface become both hemispheres in WebGL, whose shape moves from pial over inflated to
flat; scores of a volume become three orthogonal slices. The viewer is this project's own and
loads nothing: data, scripts and styles are inside the file, and its content security policy
forbids the rest.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, PositiveFloat

from neurodecode.core.artifacts import Document, Responses, Scores
from neurodecode.core.checks import check_known
from neurodecode.core.stage import Stage
from neurodecode.plotting.cortex import list_mesh_files, load_cortex
from neurodecode.plotting.figures import find_leakage
from neurodecode.plotting.map_places import check_on_surface, check_places
from neurodecode.plotting.map_values import UNITS, Below, MapValues, ShowRule, choose_values

if TYPE_CHECKING:
    from neurodecode.plotting.colours import ColourScale

VIEWERS = {"surface": ("geometry", "shaders", "surface"), "slices": ("volume",)}  # scripts


class InteractiveMap(Stage):
    """Write one value per voxel or vertex as an HTML file to turn, to threshold and to read from.

    Parameters
    ----------
    title : str
        Above the map; the metric if empty.
    view : {"auto", "surface", "slices"}
        "auto" shows volumes as slices. A volume shown on the surface is taken to be in MNI space
        (or in that of the meshes given).
    q_threshold : float in (0, 1] or None
        Where the scores carry corrected p-values, what the threshold is at first.
    value_threshold : float or None
        Likewise for the distance from zero.
    below_threshold : {"fade", "hide"}
        Whether values below fade, with a line where they pass, or are not shown.
    divide_by_ceiling : bool
        Show shares of the noise ceiling.
    ceiling_min : float
        Values with a lower ceiling, in the unit of the scores, are then left out.
    limits : (low, high) or None
        Ends of the colour scale. None: from chance, or zero, to the 99th percentile.
    sides : {"auto", "one", "two"}
        One-sided colours, or two-sided ones about chance. "auto" takes two where more than 5 % of
        the values that pass lie below chance.
    colours : {"inferno", "magma", "viridis", "cividis"}
        For one-sided values.
    rois : "all", or sequence of str
        Regions of the space whose borders and names are shown.
    mesh_files : mapping of hemisphere to mapping of shape to path
        GIFTI files of another surface: {left: {inflated: …, pial: …, curvature: …}, right: …}.
    background : {"auto", "MNI152", "mean", "none"}
        Behind slices: the MNI152 template where the grid is one of MNI space, the mean of the
        responses, or nothing. "auto" takes the first of these that there is.
    anatomy : str
        Path of a NIfTI image to show behind slices instead.
    """

    stage: ClassVar[str] = "plotting.interactive_map"

    title: str = ""
    view: Literal["auto", "surface", "slices"] = "auto"
    q_threshold: Annotated[float, Field(gt=0, le=1)] | None = 0.05
    value_threshold: PositiveFloat | None = None
    below_threshold: Below = "fade"
    divide_by_ceiling: bool = False
    ceiling_min: Annotated[float, Field(ge=0, lt=1)] = 0.1
    limits: tuple[float, float] | None = None
    sides: Literal["auto", "one", "two"] = "auto"
    colours: Literal["inferno", "magma", "viridis", "cividis"] = "inferno"
    rois: Literal["all"] | tuple[str, ...] = "all"
    mesh_files: dict[str, dict[str, str]] = {}
    background: Literal["auto", "MNI152", "mean", "none"] = "auto"
    anatomy: str = ""

    def sources(self) -> Sequence[Path]:
        """Return the meshes and the anatomy, where they are given as files."""
        return [*list_mesh_files(self.mesh_files), *([Path(self.anatomy)] if self.anatomy else [])]

    def run(
        self,
        scores: Scores,
        ceiling: Scores | None = None,
        responses: Responses | None = None,
    ) -> Document:
        """Return the page.

        Parameters
        ----------
        scores : Scores
        ceiling : Scores or None
            Noise ceilings; None takes those inside the scores.
        responses : Responses or None
            For their mean, as a background.
        """
        from neurodecode.plotting.colours import choose_scale

        check_places(scores, self.stage)
        rule = ShowRule(
            self.q_threshold, self.value_threshold, self.below_threshold,
            self.divide_by_ceiling, self.ceiling_min,
        )  # fmt: skip
        shown = choose_values(scores, rule, self.stage, ceiling)
        scale = choose_scale(
            shown.drawn, shown.label, chance=shown.chance, sides=self.sides, colours=self.colours,
            limits=self.limits, threshold=self.value_threshold, where=self.stage,
        )  # fmt: skip
        kind = self.view
        if kind == "auto":
            kind = "slices" if scores.space.kind == "volume" else "surface"
        rois = {name: np.asarray(scores.space.rois[name], bool) for name in self._name_rois(scores)}
        if kind == "surface":
            data, words = self._describe_surface(scores, shown, rois)
        else:
            from neurodecode.plotting.viewer_volume import describe_volume

            data, words = describe_volume(
                scores, shown, rois, self.background, self.anatomy, responses, self.stage
            )
        # A threshold by q is the page's own to move; the caption tells what it was set to.
        caption = " ".join((f"{shown.label}. {shown.rule}.", *shown.notes, words))
        title = self.title or scores.metric
        html = render_page(kind, title, caption, scale, shown, rule, data, scores)
        return Document(title=title, html=html, is_report=True)

    def _name_rois(self, scores: Scores) -> Sequence[str]:
        if self.rois == "all":
            return list(scores.space.rois)
        for name in self.rois:
            check_known(name, scores.space.rois, what="region", where=self.stage)
        return self.rois

    def _describe_surface(
        self, scores: Scores, shown: MapValues, rois: dict[str, np.ndarray]
    ) -> tuple[dict[str, Any], str]:
        from neurodecode.plotting.viewer_surface import (
            pack_array,
            pack_cortex,
            pack_q,
            pack_rois,
        )

        space = scores.space
        cortex = load_cortex(space, self.mesh_files, self.stage)
        check_on_surface(scores, cortex, self.stage)
        values = cortex.place(shown.values, space)
        q = None if shown.q is None else cortex.place(shown.q, space)
        regions = {name: cortex.place(r.astype(float), space) >= 0.5 for name, r in rois.items()}
        data = {
            **pack_cortex(cortex),
            "values": pack_array(values.astype(np.float32)),
            "neglog_q": pack_q(q),
            "rois": pack_rois(regions),
            "places": "vertices",
        }
        words = f"Surface: {cortex.name}{f' ({cortex.source})' if cortex.source else ''}."
        if space.kind == "volume":
            words += (
                " Voxels, taken to be in the space of the surface, and their q were averaged "
                "between the white and the pial surface."
            )
        return data, words


def render_page(
    kind: str,
    title: str,
    caption: str,
    scale: ColourScale,
    shown: MapValues,
    rule: ShowRule,
    data: dict[str, Any],
    scores: Scores,
) -> str:
    """Return the whole page, everything inside."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from neurodecode.plotting.colours import list_colours
    from neurodecode.plotting.viewer_surface import pack_array

    unit = f"{UNITS[scores.scale]} / ceiling" if rule.divide_by_ceiling else UNITS[scores.scale]
    data = {
        **data,
        "unit": unit,
        "scale": {
            "low": scale.low,
            "high": scale.high,
            "ticks": scale.list_ticks(),
            "colours": pack_array(np.floor(list_colours(scale.name) * 255 + 0.5).astype(np.uint8)),
        },
        "rule": {
            "q": rule.q_threshold,
            "least": rule.value_threshold,
            "fade": rule.below_threshold == "fade",
        },
    }
    environment = Environment(
        loader=PackageLoader("neurodecode.plotting", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def read(name: str) -> str:
        assert environment.loader is not None
        return environment.loader.get_source(environment, f"interactive_map.{name}")[0]

    page: str = environment.get_template("interactive_map.html.j2").render(
        kind="surface" if kind == "surface" else "volume",
        title=title,
        caption=caption,
        label=scale.label,
        leakage=find_leakage(scores.notices),
        style=read("style.css"),
        shared=read("shared.js"),
        viewers=[read(f"{name}.js") for name in VIEWERS[kind]],
        # "<" could end the element that the data stand in
        data=json.dumps(data, ensure_ascii=True, allow_nan=False).replace("<", "\\u003c"),
    )
    return page
