"""Values on the cortical surface, inflated and flat.

fsaverage5 (Fischl et al. 1999), from the files inside nilearn; nothing is fetched. Values of
vertices are drawn as they are; values of voxels are first averaged between the white and the pial
surface, which takes the volume to be in MNI space.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, PositiveFloat

from neurodecode.core.artifacts import Document, Scores, Space
from neurodecode.core.checks import check_known
from neurodecode.core.errors import DataError
from neurodecode.core.stage import Stage
from neurodecode.plotting.figures import encode_png, find_leakage, make_figure_html

if TYPE_CHECKING:
    from neurodecode.plotting.brain_figure import ColourScale

N_VERTICES = 20_484  # of both hemispheres
UNITS = {"r": "r", "r2": "r²", "accuracy": "accuracy", "similarity": "similarity",
         "distance": "distance"}  # fmt: skip


class BrainMap(Stage):
    """Draw one value per voxel or vertex on fsaverage5, inflated and flat.

    Parameters
    ----------
    title : str
        Above the figure; the metric if empty.
    q_threshold : float in (0, 1] or None
        Where the scores carry corrected p-values, only targets with a smaller q are shown.
    value_threshold : float or None
        Only targets at least this far from zero are shown.
    limits : (low, high) or None
        Ends of the colour scale. None: from chance, or zero, to the 99th percentile of what is
        shown.
    sides : {"auto", "one", "two"}
        One-sided colours, or two-sided ones about chance. "auto" takes two where more than 5 % of
        the values shown lie below chance.
    colours : {"inferno", "magma", "viridis", "cividis"}
        For one-sided values.
    zoom : {"whole", "data"}
        "data" crops the flat maps to where there are data.
    rois : sequence of str
        Regions of the responses' space to outline on the flat maps.
    """

    stage: ClassVar[str] = "plotting.brain_map"

    title: str = ""
    q_threshold: Annotated[float, Field(gt=0, le=1)] | None = 0.05
    value_threshold: PositiveFloat | None = None
    limits: tuple[float, float] | None = None
    sides: Literal["auto", "one", "two"] = "auto"
    colours: Literal["inferno", "magma", "viridis", "cividis"] = "inferno"
    zoom: Literal["whole", "data"] = "whole"
    rois: tuple[str, ...] = ()

    def run(self, scores: Scores) -> Document:
        """Return the map as one figure with its caption."""
        from neurodecode.plotting.brain_figure import plot_brain

        values = np.asarray(scores.values, np.float64)
        _check_drawable(scores, values)
        shown, rule = self._select(scores, values)
        # Regions of interest travel like values: as 0 and 1.
        for name in self.rois:
            check_known(name, scores.space.rois, what="region", where=self.stage)
        regions = {
            name: to_vertices(np.asarray(scores.space.rois[name], float), scores.space) >= 0.5
            for name in self.rois
        }
        on_surface = to_vertices(values, scores.space)
        with_data = np.isfinite(on_surface)
        if not with_data.any():
            raise DataError(
                f"{self.stage}: none of the {len(values)} targets has a value on the cortical "
                "surface of fsaverage5. A volume must be in MNI space: its affine gives "
                "millimetres there. Normalise it first, or give scores of vertices."
            )
        visible = with_data & (to_vertices(shown.astype(float), scores.space) >= 0.5)
        drawn = np.where(visible, on_surface, np.nan)
        scale = self._choose_scale(scores, drawn[visible])
        picture = plot_brain(
            drawn,
            scale,
            title=self.title or scores.metric,
            with_data=with_data if self.zoom == "data" else None,
            outlines=regions,
            notices=find_leakage(scores.notices),
        )
        caption = self._describe(scores, values, shown, visible, with_data, rule)
        data = encode_png(picture.figure)
        alt = f"Map of {scores.metric} on the inflated and flattened cortex. {caption}"
        return Document(
            title=self.title or f"{scores.metric} on the cortex",
            html=make_figure_html(
                "brain_map.png", data, alt=alt, caption=caption, notices=scores.notices
            ),
            figures={"brain_map.png": data},
        )

    def _select(self, scores: Scores, values: np.ndarray) -> tuple[np.ndarray, str]:
        """Return which targets are shown, and the rule in words."""
        shown, rules = np.isfinite(values), []
        if self.q_threshold is not None and scores.q is not None:
            shown = shown & (np.asarray(scores.q) < self.q_threshold)
            rules.append(f"q < {self.q_threshold:g} (corrected over all targets)")
        if self.value_threshold is not None:
            shown = shown & (np.abs(values) >= self.value_threshold)
            rules.append(f"|{UNITS[scores.scale]}| ≥ {self.value_threshold:g}")
        if not rules:
            return shown, "No threshold: values that may be chance are shown, too"
        return shown, f"Shown where {' and '.join(rules)}"

    def _choose_scale(self, scores: Scores, shown: np.ndarray) -> ColourScale:
        from neurodecode.plotting.brain_figure import ColourScale

        chance = find_chance(scores)
        centre = 0.0 if chance is None else chance
        two = self.sides == "two" or (
            self.sides == "auto" and len(shown) > 0 and bool((shown < centre).mean() > 0.05)
        )
        reach = float(np.percentile(np.abs(shown - centre), 99)) if len(shown) else 0.0
        near_zero = not two and abs(centre) < 0.05 * reach
        reach = round_up(reach + (centre if near_zero else 0.0) or 1.0)
        low, high = (centre - reach if two else centre), centre + reach
        if near_zero:
            low, high = min(0.0, centre), reach
        if self.limits is not None:
            low, high = self.limits
            if not low < high:
                raise DataError(
                    f"{self.stage}: limits are {low:g} and {high:g}; give the lower first."
                )
        unit = UNITS[scores.scale]
        label = scores.metric if unit in scores.metric.split() else f"{scores.metric} ({unit})"
        if len(shown) and (shown.max() > high or shown.min() < low):
            label += ", values beyond the ends take the end's colour"
        name = "RdBu_r" if two else self.colours
        return ColourScale(low, high, name, label, chance, self.value_threshold)

    def _describe(
        self,
        scores: Scores,
        values: np.ndarray,
        shown: np.ndarray,
        visible: np.ndarray,
        with_data: np.ndarray,
        rule: str,
    ) -> str:
        from neurodecode.plotting.brain_panels import find_off_map

        volume = scores.space.kind == "volume"
        text = [f"{scores.metric}, in units of {UNITS[scores.scale]}. {rule}:"]
        if volume:
            text.append(f"{shown.sum():,} of {len(values):,} voxels;")
        text.append(
            f"{visible.sum():,} of the {with_data.sum():,} vertices with data; the surface has "
            f"{N_VERTICES:,}. Grey cortex carries no value or did not pass."
        )
        chance = find_chance(scores)
        if chance is not None:
            text.append(f"Chance is {chance:.3g}.")
        if scores.ceiling is not None:
            ceiling = np.asarray(scores.ceiling, np.float64)[shown]
            if np.isfinite(ceiling).any():
                text.append(
                    f"Median noise ceiling of what is shown: {np.nanmedian(ceiling):.3g}, in the "
                    "same unit; values are not divided by it."
                )
        off = np.concatenate([find_off_map(side) for side in ("left", "right")])
        if (visible & off).any():
            text.append(
                f"{(visible & off).sum():,} vertices lie on cuts of the flat maps or on the medial "
                "wall and are seen on the inflated surface only."
            )
        if volume:
            text.append(
                "Voxels, taken to be in MNI space, were averaged between the white and the pial "
                "surface."
            )
        if self.zoom == "data":
            text.append("The flat maps are cropped to where there are data.")
        text.append("fsaverage5; sulci dark grey; colours interpolated between vertices.")
        return " ".join(text)


def to_vertices(values: np.ndarray, space: Space) -> np.ndarray:
    """Return one value per vertex of fsaverage5, shape (20484,), NaN where there is none.

    Parameters
    ----------
    values : array of float, shape (n_voxels,)
    space : Space
        Surface or volume.
    """
    if space.kind == "surface":
        on_surface = np.full(N_VERTICES, np.nan)
        on_surface[np.asarray(space.vertices)] = values
        return on_surface
    from neurodecode.plotting.fsaverage5 import project_volume

    mask = np.asarray(space.mask, bool)
    volume = np.full(mask.shape, np.nan)
    volume[mask] = values
    return project_volume(volume, mask, np.asarray(space.affine, np.float64))


def find_chance(scores: Scores) -> float | None:
    """Return the chance level of the first claim that is not a control, or None."""
    for name, chance in zip(scores.summary["name"], scores.summary["chance"], strict=True):
        if not str(name).startswith("control: "):
            return float(chance) if np.isfinite(chance) else None
    return None


def round_up(value: float) -> float:
    """Return the next of 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8 times a power of ten.

    Examples
    --------
    >>> round_up(0.37), round_up(0.8)
    (0.4, 0.8)
    """
    power = 10.0 ** np.floor(np.log10(value))
    steps = np.array([1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10])
    return float(np.round(steps[steps >= value / power - 1e-9][0] * power, 12))


def _check_drawable(scores: Scores, values: np.ndarray) -> None:
    space, where = scores.space, "plotting.brain_map"
    if scores.over != "voxels" or values.ndim != 1:
        raise DataError(
            f"{where}: the scores are over {scores.over}, shape {values.shape}. Give scores with "
            "one value per voxel or vertex (evaluation.encoding)."
        )
    if space.kind == "sensors":
        raise DataError(
            f"{where}: these are scores of sensors, which do not lie on the cortex. Draw them as a "
            "chart (plotting.scores_chart)."
        )
    if space.kind not in ("surface", "volume"):
        raise DataError(
            f"{where}: the scores lie in a space of kind '{space.kind}'. Allowed: surface with "
            "vertices of fsaverage5, volume with mask and affine in MNI space. Draw others as a "
            "chart (plotting.scores_chart)."
        )
    if space.kind == "volume":
        if space.mask is None or space.affine is None:
            raise DataError(f"{where}: the volume lacks its mask or affine. Give both in space.")
        n_places = int(np.asarray(space.mask, bool).sum())
    else:
        if space.mesh != "fsaverage5" or space.vertices is None:
            raise DataError(
                f"{where}: the surface is '{space.mesh or 'unnamed'}'"
                f"{'' if space.vertices is not None else ', without vertices'}. Allowed: "
                "vertices of fsaverage5. Resample the responses to it first."
            )
        vertices = np.asarray(space.vertices)
        n_places = len(vertices)
        outside = (vertices < 0) | (vertices >= N_VERTICES)
        if outside.any() or len(np.unique(vertices)) != n_places:
            raise DataError(
                f"{where}: {int(outside.sum())} vertices lie outside 0 … {N_VERTICES - 1} and "
                f"{n_places - len(np.unique(vertices))} come twice. Number the left hemisphere's "
                f"from 0, the right one's from {N_VERTICES // 2}, each once."
            )
    if n_places != len(values):
        raise DataError(
            f"{where}: {len(values)} values for {n_places} places of the space. Give the scores "
            "the space of the responses that were predicted."
        )
