"""Values on the cortical surface, inflated, pial, white or flat.

fsaverage5 (Fischl et al. 1999), from the files inside nilearn, or meshes of one's own; nothing is
fetched. Values of vertices are drawn as they are; values of voxels are first averaged between the
white and the pial surface, which takes the volume to be in MNI space (or that of the meshes).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, PositiveFloat

from neurodecode.core.artifacts import Document, Scores
from neurodecode.core.checks import check_known, list_names
from neurodecode.core.errors import DataError
from neurodecode.core.stage import Stage
from neurodecode.plotting.cortex import Cortex, list_mesh_files, load_cortex
from neurodecode.plotting.figures import encode_figure, find_leakage, make_figure_html
from neurodecode.plotting.map_places import check_on_surface, check_places
from neurodecode.plotting.map_values import Below, MapValues, ShowRule, choose_values

Shape = Literal["inflated", "pial", "white", "flat"]
ViewName = Literal["lateral", "medial", "dorsal", "ventral", "posterior", "anterior"]


class BrainMap(Stage):
    """Draw one value per voxel or vertex on the cortical surface, in several views and flat.

    Parameters
    ----------
    title : str
        Above the figure; the metric if empty.
    surfaces : sequence of {"inflated", "pial", "white", "flat"}
        Shapes to draw; flat maps come last.
    views : sequence of {"lateral", "medial", "dorsal", "ventral", "posterior", "anterior"}
        Of each shape that is not flat, for both hemispheres.
    q_threshold : float in (0, 1] or None
        Where the scores carry corrected p-values, targets with a smaller q pass.
    value_threshold : float or None
        Only targets at least this far from zero pass.
    below_threshold : {"fade", "hide"}
        What does not pass fades with the square of how near it comes, and a line is drawn around
        what passes (Taylor et al. 2023); or it is not shown.
    divide_by_ceiling : bool
        Draw shares of the noise ceiling, r by r or r² by r².
    ceiling_min : float
        Targets with a lower ceiling, in the unit of the scores, are then left out.
    limits : (low, high) or None
        Ends of the colour scale. None: from chance, or zero, to the 99th percentile of what
        passes.
    sides : {"auto", "one", "two"}
        One-sided colours, or two-sided ones about chance. "auto" takes two where more than 5 % of
        the values that pass lie below chance.
    colours : {"inferno", "magma", "viridis", "cividis"}
        For one-sided values.
    zoom : {"whole", "data"}
        "data" crops the flat maps to where there are data.
    rois : sequence of str
        Regions of the responses' space to outline, on every view.
    mesh_files : mapping of hemisphere to mapping of shape to path
        GIFTI files of another surface (fsaverage6, a subject's own): {left: {inflated: …, pial: …,
        white: …, flat: …, curvature: …}, right: …}, or those of them that are drawn.
    form : {"png", "svg"}
        Of the figure; in SVG the cortex is still made of pixels, lines and words are not.
    """

    stage: ClassVar[str] = "plotting.brain_map"
    version: ClassVar[int] = 2

    title: str = ""
    surfaces: Annotated[tuple[Shape, ...], Field(min_length=1)] = ("inflated", "flat")
    views: Annotated[tuple[ViewName, ...], Field(min_length=1)] = (
        "lateral", "medial", "dorsal", "ventral",
    )  # fmt: skip
    q_threshold: Annotated[float, Field(gt=0, le=1)] | None = 0.05
    value_threshold: PositiveFloat | None = None
    below_threshold: Below = "fade"
    divide_by_ceiling: bool = False
    ceiling_min: Annotated[float, Field(ge=0, lt=1)] = 0.1
    limits: tuple[float, float] | None = None
    sides: Literal["auto", "one", "two"] = "auto"
    colours: Literal["inferno", "magma", "viridis", "cividis"] = "inferno"
    zoom: Literal["whole", "data"] = "whole"
    rois: tuple[str, ...] = ()
    mesh_files: dict[str, dict[str, str]] = {}
    form: Literal["png", "svg"] = "png"

    def sources(self) -> Sequence[Path]:
        """Return the meshes that are given as files."""
        return list_mesh_files(self.mesh_files)

    def run(self, scores: Scores, ceiling: Scores | None = None) -> Document:
        """Return the map as one figure with its caption.

        Parameters
        ----------
        scores : Scores
        ceiling : Scores or None
            Noise ceilings; None takes those inside the scores.
        """
        from neurodecode.plotting.brain_figure import Layers, plot_brain
        from neurodecode.plotting.colours import choose_scale

        check_places(scores, self.stage)
        cortex = self._find_cortex(scores)
        rule = ShowRule(
            self.q_threshold, self.value_threshold, self.below_threshold,
            self.divide_by_ceiling, self.ceiling_min,
        )  # fmt: skip
        shown = choose_values(scores, rule, self.stage, ceiling)
        space = scores.space
        for name in self.rois:
            check_known(name, space.rois, what="region", where=self.stage)
        # Regions and what passes travel like values: as 0 and 1.
        regions = {
            name: cortex.place(np.asarray(space.rois[name], float), space) >= 0.5
            for name in self.rois
        }
        values = cortex.place(shown.values, space)
        with_data = np.isfinite(values)
        passes = with_data & (cortex.place(shown.passes.astype(float), space, 0.0) >= 0.5)
        opacity = np.where(passes, 1.0, cortex.place(shown.opacity, space, 0.0))
        fades = self.below_threshold == "fade" and not passes[with_data].all()
        drawn = values[passes] if passes.any() else values[with_data]
        scale = choose_scale(
            drawn, shown.label, chance=shown.chance, sides=self.sides, colours=self.colours,
            limits=self.limits, threshold=self.value_threshold, where=self.stage,
        )  # fmt: skip
        layers = Layers(
            values if fades else np.where(passes, values, np.nan),
            opacity if fades else None,
            passes if fades else None,
            regions,
        )
        picture = plot_brain(
            layers,
            scale,
            cortex=cortex,
            shapes=[s for s in self.surfaces if s != "flat"]
            + (["flat"] if "flat" in self.surfaces else []),
            views=self.views,
            title=self.title or scores.metric,
            with_data=with_data if self.zoom == "data" else None,
            notices=find_leakage(scores.notices),
        )
        caption = self._describe(scores, shown, passes, with_data, cortex)
        name, data = f"brain_map.{self.form}", encode_figure(picture.figure, self.form)
        alt = f"Map of {shown.label} on the cortex. {caption}"
        return Document(
            title=self.title or f"{scores.metric} on the cortex",
            html=make_figure_html(name, data, alt=alt, caption=caption, notices=scores.notices),
            figures={name: data},
        )

    def _find_cortex(self, scores: Scores) -> Cortex:
        cortex = load_cortex(scores.space, self.mesh_files, self.stage)
        check_on_surface(scores, cortex, self.stage)
        absent = [shape for shape in self.surfaces if shape not in cortex.shapes]
        if absent:
            raise DataError(
                f"{self.stage}: the mesh {cortex.name} has no {absent[0]} surface in both "
                f"hemispheres. Allowed in 'surfaces': {list_names(cortex.shapes)}. Add the files "
                "to mesh_files, or leave it out."
            )
        return cortex

    def _describe(
        self,
        scores: Scores,
        shown: MapValues,
        passes: np.ndarray,
        with_data: np.ndarray,
        cortex: Cortex,
    ) -> str:
        volume = scores.space.kind == "volume"
        text = [f"{shown.label}. {shown.rule}:"]
        if volume:
            text.append(f"{shown.passes.sum():,} of {len(shown.values):,} voxels;")
        text.append(
            f"{passes.sum():,} of the {with_data.sum():,} vertices with data; the surface has "
            f"{len(passes):,}. Grey cortex carries no value"
            f"{'' if self.below_threshold == 'fade' else ' or did not pass'}."
        )
        if shown.chance is not None:
            text.append(f"Chance is {round(shown.chance, 3) + 0.0:g}.")
        text += shown.notes
        if "flat" in self.surfaces:
            off = passes & cortex.find_off_map()
            if off.any():
                elsewhere = "on the other views only" if len(self.surfaces) > 1 else "nowhere"
                text.append(
                    f"On cuts of the flat maps or on the medial wall, and seen {elsewhere}: "
                    f"{off.sum():,} of the vertices that pass."
                )
        if volume:
            text.append(
                f"Voxels, taken to be in {'MNI space' if not self.mesh_files else 'its space'}, "
                "were averaged between the white and the pial surface."
            )
        if self.zoom == "data" and "flat" in self.surfaces:
            text.append("The flat maps are cropped to where there are data.")
        source = f" ({cortex.source})" if cortex.source else ""
        text.append(
            f"{cortex.name}{source}; sulci dark grey; colours interpolated between vertices."
        )
        return " ".join(text)
