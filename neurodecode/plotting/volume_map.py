"""Values of voxels as slices, as a mosaic of slices, or projected in a glass brain.

In MNI space on the MNI152 template that comes inside nilearn; in a subject's own space on an
anatomy given as a file, on the mean of the responses, or on nothing. Slabs and single slices are
cut only where that gives more than a line.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, PositiveFloat

from neurodecode.core.artifacts import Document, Responses, Scores
from neurodecode.core.checks import check_known
from neurodecode.core.errors import DataError
from neurodecode.core.stage import Stage
from neurodecode.plotting.figures import encode_figure, find_leakage, make_figure_html
from neurodecode.plotting.map_places import check_places
from neurodecode.plotting.map_values import Below, MapValues, ShowRule, choose_values
from neurodecode.plotting.volume_background import find_background, judge_mni, measure_tilt

if TYPE_CHECKING:
    from neurodecode.plotting.volume_figure import VolumeLayers

N_MOSAIC = 7  # cuts along each axis


class VolumeMap(Stage):
    """Draw one value per voxel of a volume, in slices or in a glass brain.

    Parameters
    ----------
    title : str
        Above the figure; the metric if empty.
    view : {"slices", "mosaic", "glass"}
        "slices" cuts where ``cuts`` says, or once along each axis through the strongest value;
        "mosaic" seven times along each axis; "glass" projects what passes, in MNI space only.
    cuts : mapping of {"x", "y", "z"} to sequence of float
        Where to cut, millimetres, such as {z: [-12, 0, 12]}.
    background : {"auto", "MNI152", "mean", "none"}
        The MNI152 template where the grid is one of MNI space (asking for it states that it is),
        the mean of the responses, or nothing. "auto" takes the first of these that there is.
    anatomy : str
        Path of a NIfTI image in the space of the responses, to be drawn on instead.
    q_threshold : float in (0, 1] or None
        Where the scores carry corrected p-values, voxels with a smaller q pass.
    value_threshold : float or None
        Only voxels at least this far from zero pass.
    below_threshold : {"fade", "hide"}
        What does not pass fades with the square of how near it comes, and a line is drawn around
        what passes (Taylor et al. 2023); or it is not shown. A glass brain hides it.
    divide_by_ceiling : bool
        Draw shares of the noise ceiling, r by r or r² by r².
    ceiling_min : float
        Voxels with a lower ceiling, in the unit of the scores, are then left out.
    limits : (low, high) or None
        Ends of the colour scale. None: from chance, or zero, to the 99th percentile of what
        passes.
    sides : {"auto", "one", "two"}
        One-sided colours, or two-sided ones about chance. "auto" takes two where more than 5 % of
        the values that pass lie below chance.
    colours : {"inferno", "magma", "viridis", "cividis"}
        For one-sided values.
    rois : sequence of str
        Regions of the responses' space to outline on slices.
    form : {"png", "svg"}
        Of the figure.
    """

    stage: ClassVar[str] = "plotting.volume_map"

    title: str = ""
    view: Literal["slices", "mosaic", "glass"] = "slices"
    cuts: dict[Literal["x", "y", "z"], tuple[float, ...]] = {}
    background: Literal["auto", "MNI152", "mean", "none"] = "auto"
    anatomy: str = ""
    q_threshold: Annotated[float, Field(gt=0, le=1)] | None = 0.05
    value_threshold: PositiveFloat | None = None
    below_threshold: Below = "fade"
    divide_by_ceiling: bool = False
    ceiling_min: Annotated[float, Field(ge=0, lt=1)] = 0.1
    limits: tuple[float, float] | None = None
    sides: Literal["auto", "one", "two"] = "auto"
    colours: Literal["inferno", "magma", "viridis", "cividis"] = "inferno"
    rois: tuple[str, ...] = ()
    form: Literal["png", "svg"] = "png"

    def sources(self) -> Sequence[Path]:
        """Return the anatomy, where it is given as a file."""
        return [Path(self.anatomy)] if self.anatomy else []

    def run(
        self,
        scores: Scores,
        ceiling: Scores | None = None,
        responses: Responses | None = None,
    ) -> Document:
        """Return the map as one figure with its caption.

        Parameters
        ----------
        scores : Scores
        ceiling : Scores or None
            Noise ceilings; None takes those inside the scores.
        responses : Responses or None
            For their mean, as a background.
        """
        from neurodecode.plotting.colours import choose_scale
        from neurodecode.plotting.volume_figure import plot_glass, plot_slices

        check_places(scores, self.stage)
        if scores.space.kind != "volume":
            raise DataError(
                f"{self.stage}: the scores lie on the surface {scores.space.mesh}. Draw them with "
                "plotting.brain_map."
            )
        rule = ShowRule(
            self.q_threshold, self.value_threshold,
            "hide" if self.view == "glass" else self.below_threshold,
            self.divide_by_ceiling, self.ceiling_min,
        )  # fmt: skip
        shown = choose_values(scores, rule, self.stage, ceiling)
        scale = choose_scale(
            shown.drawn, shown.label, chance=shown.chance, sides=self.sides, colours=self.colours,
            limits=self.limits, threshold=self.value_threshold, where=self.stage,
        )  # fmt: skip
        title, notices = self.title or scores.metric, find_leakage(scores.notices)
        layers, words = self._lay(scores, shown, rule.below_threshold == "fade", responses)
        if self.view == "glass":
            figure = plot_glass(layers, scale, title=title, notices=notices)
        else:
            cuts = self._choose_cuts(layers)
            figure = plot_slices(layers, scale, cuts, title=title, notices=notices)
        caption = " ".join(
            (
                f"{shown.label}. {shown.rule}: {shown.passes.sum():,} of {len(shown.values):,} "
                "voxels.",
                *([] if shown.chance is None else [f"Chance is {round(shown.chance, 3) + 0.0:g}."]),
                *shown.notes,
                words,
                "The left of the head is on the left; cuts in millimetres.",
            )
        )
        name, data = f"volume_map.{self.form}", encode_figure(figure, self.form)
        alt = f"Map of {shown.label} in the volume. {caption}"
        return Document(
            title=self.title or f"{scores.metric} in the volume",
            html=make_figure_html(name, data, alt=alt, caption=caption, notices=scores.notices),
            figures={name: data},
        )

    def _lay(
        self, scores: Scores, shown: MapValues, fades: bool, responses: Responses | None
    ) -> tuple[VolumeLayers, str]:
        """Return what is drawn, as volumes, and what the caption says of the space."""
        from neurodecode.plotting.volume_figure import (
            TILT_DEG,
            VolumeLayers,
            straighten,
        )

        space = scores.space
        mask, affine = np.asarray(space.mask, bool), np.asarray(space.affine, np.float64)
        background = None
        if self.view == "glass":
            is_mni, why = judge_mni(space)
            if not (is_mni or self.background == "MNI152"):
                raise DataError(
                    f"{self.stage}: view: glass: the outline is that of the MNI152 brain, and the "
                    f"volume is not taken to be in its space: {why}. Use view: slices or mosaic; "
                    "if it is in MNI space, say so with background: MNI152."
                )
            words = "Strongest value along each line of sight, in the outline of MNI152."
        else:
            background, words = find_background(
                space, self.background, self.anatomy, responses, self.stage
            )
        for name in self.rois:
            check_known(name, space.rois, what="region", where=self.stage)

        def fill(column: np.ndarray) -> np.ndarray:
            volume = np.zeros(mask.shape, column.dtype)
            volume[mask] = column
            return volume

        layers = VolumeLayers(
            values=fill(np.nan_to_num(shown.values)),
            opacity=fill(shown.opacity),
            passes=fill(shown.passes) if fades and not shown.passes.all() else None,
            affine=affine,
            mask=mask,
            background=background,
            outlines={name: fill(np.asarray(space.rois[name], bool)) for name in self.rois},
        )
        tilt = measure_tilt(affine)
        if tilt <= TILT_DEG or self.view == "glass":
            return layers, words
        words += f" Drawn on the scan's own grid, which is tilted by {tilt:.2g}°."
        return straighten(layers), words

    def _choose_cuts(self, layers: VolumeLayers) -> dict[str, Sequence[float]]:
        from neurodecode.plotting.volume_figure import choose_cuts, list_axes

        possible = list_axes(layers.mask.shape, layers.affine)
        if not possible:
            raise DataError(
                f"{self.stage}: the volume has shape {layers.mask.shape}, a line of voxels. Draw "
                "it as a chart (plotting.scores_chart)."
            )
        if self.view == "mosaic" or not self.cuts:
            return dict(choose_cuts(layers, N_MOSAIC if self.view == "mosaic" else 1))
        for axis in self.cuts:
            if axis not in possible:
                raise DataError(
                    f"{self.stage}: cuts along {axis}: the volume, of shape "
                    f"{layers.mask.shape}, would show a line. Allowed: {', '.join(possible)}."
                )
        self._check_inside(layers)
        return {axis: cuts for axis, cuts in self.cuts.items() if cuts}

    def _check_inside(self, layers: VolumeLayers) -> None:
        places = np.argwhere(layers.mask) @ layers.affine[:3, :3].T + layers.affine[:3, 3]
        half = np.abs(layers.affine[:3, :3]).sum(axis=1) / 2
        for axis, cuts in self.cuts.items():
            k = "xyz".index(axis)
            low, high = places[:, k].min() - half[k], places[:, k].max() + half[k]
            outside = [cut for cut in cuts if not low <= cut <= high]
            if outside:
                raise DataError(
                    f"{self.stage}: cuts: {axis} = {outside[0]:g} mm lies outside the mask. "
                    f"Allowed: {low:.1f} to {high:.1f}."
                )
