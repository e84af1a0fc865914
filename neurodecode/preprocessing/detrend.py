"""Remove slow drift from each run, by polynomials or by cosines below a cut-off.

The mathematics and their sources are in numerics/drift.py. What is chosen matters for scores and
belongs in the methods: the same time courses were predicted with r from 0.23 to 0.47 under
polynomials of degree 0 to 5 (datasets.alice). Where the design is slow, as with long blocks, a
short cut-off takes the effect away with the drift.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar, Self

import numpy as np
from pydantic import Field, PositiveFloat, model_validator

from neurodecode.core.artifacts import Responses
from neurodecode.core.checks import check_finite
from neurodecode.core.errors import DataError
from neurodecode.core.lineage import ContactKind
from neurodecode.core.rows import group_samples
from neurodecode.core.stage import Sight, Stage
from neurodecode.numerics.drift import make_cosines, make_polynomials, remove_drift


class Detrend(Stage):
    """Project slow drift out of every voxel, run by run.

    Parameters
    ----------
    degree : int or None
        Highest degree of the polynomials removed; 0 removes the mean. The habit of AFNI is
        1 + floor(duration / 150 s). Give this or cutoff_s.
    cutoff_s : float or None
        Remove all cosines of at least this period, seconds; 128 is the habit of SPM. Needs the
        responses' ``t_r``.
    keep_mean : bool
        Leave each run's mean in, for signals in percent and for tSNR.
    """

    stage: ClassVar[str] = "preprocessing.detrend"
    contact: ClassVar[ContactKind] = "transductive"
    example: ClassVar[dict[str, int]] = {"degree": 1}

    degree: Annotated[int, Field(ge=0, le=50)] | None = None
    cutoff_s: PositiveFloat | None = None
    keep_mean: bool = False

    @model_validator(mode="after")
    def _check_one_way(self) -> Self:
        if (self.degree is None) == (self.cutoff_s is None):
            both = "neither degree nor" if self.degree is None else "both degree and"
            raise ValueError(f"it has {both} cutoff_s. Give one of them: degree: 5, say.")
        return self

    def sees(self) -> dict[str, Sight]:
        """A row depends on those of its run."""
        return {"responses": "run"}

    def run(self, responses: Responses) -> Responses:
        """Return the residuals, a projection within each run.

        Raises
        ------
        DataError
            A run is too short for what is removed, or not in the order of time; responses that
            are epochs, or preprocessed per fold.
        """
        if responses.foldwise is not None:
            raise DataError(
                f"{self.stage}: the responses were preprocessed per fold. Put this step before "
                "that one."
            )
        if len(responses.data.shape) > 2:
            raise DataError(
                f"{self.stage}: responses have shape {tuple(responses.data.shape)}. Allowed: "
                "(n_samples, n_voxels), a row per scan. Filter epochs while they are one recording."
            )
        groups = group_samples(responses.samples, "run", self.stage)
        dtype = np.result_type(responses.data.dtype, np.float32)
        out = np.empty(responses.data.shape, dtype)
        for group in np.unique(groups):
            rows = np.flatnonzero(groups == group)
            block = np.asarray(responses.data[rows])
            where = f"{self.stage}: {name_run(responses, int(rows[0]))}"
            check_finite(block, what="responses", where=where)
            basis = self._make_basis(responses, rows, where)
            out[rows] = remove_drift(block, basis, self.keep_mean, where)
        return replace(responses, data=out)

    def _make_basis(self, responses: Responses, rows: np.ndarray, where: str) -> np.ndarray:
        _check_steps(responses.samples["onset_s"][rows], where)
        if self.degree is not None:
            return make_polynomials(len(rows), self.degree)
        if responses.t_r is None:
            raise DataError(
                f"{where}: a cut-off in seconds needs the time between scans, but the "
                "responses have no t_r. Set degree instead, or give t_r where they are loaded."
            )
        return make_cosines(len(rows), responses.t_r, self.cutoff_s or np.inf)


def name_run(responses: Responses, row: int) -> str:
    """Return a row's run for messages, such as "sub-01/ses-01/run-02"."""
    samples = responses.samples
    places = (("sub", "subject"), ("ses", "session"), ("run", "run"))
    return "/".join(f"{short}-{samples[name][row]}" for short, name in places)


def _check_steps(onset_s: np.ndarray, where: str) -> None:
    """Raise DataError where scans are known not to be evenly spaced, as a basis takes them."""
    steps = np.diff(onset_s)
    if not np.isfinite(steps).all() or not len(steps):
        return
    if steps.min() <= 0 or steps.max() > 1.01 * np.median(steps):
        raise DataError(
            f"{where}: scans lie {steps.min():g} to {steps.max():g} s apart. Allowed: scans in the "
            "order of time, none left out. Put this step before scans are dropped."
        )
