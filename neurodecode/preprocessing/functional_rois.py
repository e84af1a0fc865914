"""A region of interest defined by what its voxels respond to: a functional localizer.

The contrast comes from scans of its own; voxels chosen by the scores of the very rows that are
tested later would be chosen by their noise (Kriegeskorte et al. 2009, Nature Neuroscience 12:535),
and the leakage check finds them. Group-constrained: within a larger anatomical region (Julian et
al. 2012, NeuroImage 60:2357).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar, Self

import numpy as np
from pydantic import Field, PositiveInt, model_validator

from neurodecode.core.artifacts import Responses, Scores
from neurodecode.core.checks import check_known
from neurodecode.core.errors import DataError
from neurodecode.core.stage import Sight, Stage


class FunctionalRois(Stage):
    """Add the region of voxels with the highest scores of a localizer.

    Parameters
    ----------
    name : str
        Of the region.
    within : str or None
        A region of the responses' space that the new one lies in.
    n_voxels : int or None
        How many, from the highest.
    value_threshold : float or None
        Only voxels with at least this score.
    q_threshold : float or None
        Only voxels whose corrected p is smaller.
    """

    stage: ClassVar[str] = "preprocessing.functional_rois"
    example: ClassVar = {"name": "FFA", "n_voxels": 3}

    name: str = Field(min_length=1)
    within: str | None = None
    n_voxels: PositiveInt | None = None
    value_threshold: float | None = None
    q_threshold: Annotated[float, Field(gt=0, le=1)] | None = None

    @model_validator(mode="after")
    def _check_rule(self) -> Self:
        if self.n_voxels is None and self.value_threshold is None and self.q_threshold is None:
            raise ValueError("nothing says which voxels. Give n_voxels or a threshold.")
        return self

    def sees(self) -> dict[str, Sight]:
        """Each row on its own; the scores count with all that they have seen."""
        return {"responses": "row"}

    def run(self, responses: Responses, scores: Scores) -> Responses:
        """Return the responses in a space with the region added.

        Raises
        ------
        DataError
            Scores of other voxels, or no voxel that passes.
        """
        values = np.asarray(scores.values, np.float64)
        if scores.over != "voxels" or len(values) != responses.data.shape[1]:
            raise DataError(
                f"{self.stage}: the scores have {len(values)} values over {scores.over}, the "
                f"responses {responses.data.shape[1]} voxels. Give one score per voxel of them."
            )
        passed = np.isfinite(values)
        if self.within is not None:
            check_known(self.within, responses.space.rois, what="region", where=self.stage)
            passed &= np.asarray(responses.space.rois[self.within], bool)
        if self.value_threshold is not None:
            passed &= values >= self.value_threshold
        if self.q_threshold is not None:
            if scores.q is None:
                raise DataError(
                    f"{self.stage}: the scores carry no corrected p. Give scores that were tested "
                    "(evaluation.encoding), or leave q_threshold out."
                )
            passed &= np.asarray(scores.q) < self.q_threshold
        rows = np.flatnonzero(passed)
        if not len(rows):
            raise DataError(
                f"{self.stage}: no voxel passes for '{self.name}' (highest score "
                f"{np.nanmax(values):.3g}). Lower the threshold, or leave the region out."
            )
        if self.n_voxels is not None:
            if len(rows) < self.n_voxels:
                raise DataError(
                    f"{self.stage}: {len(rows)} voxels pass for '{self.name}', fewer than n_voxels "
                    f"{self.n_voxels}. Lower n_voxels or the threshold."
                )
            rows = rows[np.argsort(-values[rows], kind="stable")[: self.n_voxels]]
        region = np.zeros(len(values), bool)
        region[rows] = True
        rois = {**responses.space.rois, self.name: region}
        return replace(responses, space=replace(responses.space, rois=rois))
