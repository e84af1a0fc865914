"""Judge every run and scan by stated limits, and leave out what does not meet them.

What is measured and its sources are in numerics/quality.py. Limits of 0.5 mm and 1.5 are those of
fMRIPrep. Put this step before drift is removed, since tSNR needs the mean. Judgement looks at all
scans, those of test runs, too, though (but for reliability_min, which favours runs that are easy to
predict) at no stimulus: the file must name that (allow_transductive).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal, TypedDict

import numpy as np
from pydantic import Field, PositiveFloat

from neurodecode.core.artifacts import Document, Features, Responses
from neurodecode.core.checks import check_finite, find_rows, list_names
from neurodecode.core.errors import DataError
from neurodecode.core.lineage import ContactKind
from neurodecode.core.progress import track
from neurodecode.core.rows import group_samples
from neurodecode.core.stage import Stage
from neurodecode.numerics.drift import make_polynomials, remove_drift
from neurodecode.numerics.quality import (
    compute_displacement,
    compute_dvars,
    compute_tsnr,
    correlate_repeats,
    count_outliers,
    find_lifeless,
)
from neurodecode.preprocessing.quality_report import write_quality

MOTION = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
FEWEST_SCANS = 5
Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True)
class RunQuality:
    """What was measured of one run.

    Parameters
    ----------
    name : str
    rows : array of int
    displacement_mm : array or None, shape (n_scans,)
    dvars, outlier_share : arrays, shape (n_scans,)
        DVARS standardised.
    lifeless, censored : arrays of bool, shape (n_scans,)
    tsnr, reliability : float
        NaN where not defined.
    reasons : tuple of str
        Why the run is left out; none if it is kept.
    """

    name: str
    rows: np.ndarray
    displacement_mm: np.ndarray | None
    dvars: np.ndarray
    outlier_share: np.ndarray
    lifeless: np.ndarray
    censored: np.ndarray
    tsnr: float
    reliability: float
    reasons: tuple[str, ...] = ()


class QualityGateOutputs(TypedDict):
    """What preprocessing.quality_gate returns."""

    responses: Responses
    report: Document


class QualityGate(Stage):
    """Measure each run; mark or drop bad scans; drop or refuse bad runs; log what was done.

    A scan is bad where it moved, jumped, has too many outliers, or is lifeless (the same in all
    voxels, or the same as the scan before it). Limits that are None are measured but not applied.

    Parameters
    ----------
    displacement_max_mm : float or None
        Of a scan (framewise displacement); needs motion.
    dvars_max : float or None
        Of a scan, standardised.
    outlier_share_max : float or None
        Of a scan: share of voxels that are outliers.
    mean_displacement_max_mm : float or None
        Of a run; needs motion.
    bad_share_max : float
        Of a run: share of its scans that are bad.
    tsnr_min : float or None
        Of a run, over the scans that are not bad.
    reliability_min : float or None
        Of a run: median over voxels of the correlation, over stimuli, of its responses with the
        mean of the subject's other runs. For responses with a stimulus per row.
    scans : {"mark", "drop"}
        Bad scans get True in the column ``censored``, or are dropped. Time series with scans
        dropped are no longer evenly spaced: mark them where drift is still to be removed.
    runs : {"drop", "mark", "refuse"}
        Bad runs are dropped, kept with every scan marked, or stop the pipeline.
    radius_mm : float
        On which rotations are measured as arcs.
    degree : int
        Of the polynomials that are removed before outliers and tSNR are measured.
    """

    stage: ClassVar[str] = "preprocessing.quality_gate"
    contact: ClassVar[ContactKind] = "transductive"

    displacement_max_mm: PositiveFloat | None = 0.5
    dvars_max: PositiveFloat | None = 1.5
    outlier_share_max: Share | None = 0.1
    mean_displacement_max_mm: PositiveFloat | None = 0.5
    bad_share_max: Share = 0.2
    tsnr_min: PositiveFloat | None = None
    reliability_min: Annotated[float, Field(ge=-1, le=1)] | None = None
    scans: Literal["mark", "drop"] = "mark"
    runs: Literal["drop", "mark", "refuse"] = "drop"
    radius_mm: PositiveFloat = 50.0
    degree: Annotated[int, Field(ge=0, le=10)] = 2

    def run(self, responses: Responses, motion: Features | None = None) -> QualityGateOutputs:
        """Return the responses that are left, with a column ``censored``, and the report.

        Parameters
        ----------
        responses : Responses
        motion : Features or None
            Of scans, with columns trans_x, trans_y, trans_z (mm) and rot_x, rot_y, rot_z (radians)
            named in its extractor, among others; joined by sample_id.

        Raises
        ------
        DataError
            Nothing is left, a bad run is to be refused, or responses and motion do not fit.
        """
        if responses.foldwise is not None or len(responses.data.shape) != 2:
            raise DataError(
                f"{self.stage}: responses are preprocessed per fold, or have shape "
                f"{tuple(responses.data.shape)}. Allowed: (n_scans, n_voxels). Put this step first."
            )
        samples = responses.samples
        parameters = None if motion is None else self._read_motion(motion, responses)
        groups = group_samples(samples, "run", self.stage)
        reliable = self._measure_reliability(responses, groups)
        found = []
        for group in track(list(np.unique(groups)), self.stage):
            rows = np.flatnonzero(groups == group)
            rows = rows[np.argsort(samples["onset_s"][rows], kind="stable")]
            own = None if parameters is None else parameters[rows]
            found.append(self._measure(responses, rows, own, reliable[int(group)]))
        bad = [run for run in found if run.reasons]
        if bad and self.runs == "refuse":
            raise DataError(
                f"{self.stage}: {len(bad)} of {len(found)} runs do not meet the limits (first: "
                f"{bad[0].name}: {', '.join(bad[0].reasons)}). Leave these runs out, or set runs: "
                "drop."
            )
        if len(bad) == len(found) and self.runs == "drop":
            raise DataError(
                f"{self.stage}: none of the {len(found)} runs meets the limits (first: "
                f"{bad[0].name}: {', '.join(bad[0].reasons)}). Raise the limits, or check the data."
            )
        censored, kept = np.zeros(len(samples), bool), np.ones(len(samples), bool)
        for run in found:
            censored[run.rows] = run.censored | (len(run.reasons) > 0)
            if run.reasons and self.runs == "drop":
                kept[run.rows] = False
            elif self.scans == "drop":
                kept[run.rows] = ~run.censored | (len(run.reasons) > 0)
        marked = replace(responses, samples=samples.with_columns(censored=censored))
        report = write_quality(found, self.settings(), int(len(kept) - kept.sum()))
        return {"responses": marked.take(np.flatnonzero(kept)), "report": report}

    def _read_motion(self, motion: Features, responses: Responses) -> np.ndarray:
        columns = list(motion.extractor.get("columns", ()))
        absent = [name for name in MOTION if name not in columns]
        if absent or "sample_id" not in motion.items:
            raise DataError(
                f"{self.stage}: the motion features name no columns {list_names(absent)}, or no "
                "scans (sample_id). Give features of scans, such as the confounds of a loader."
            )
        rows = find_rows(
            motion.items["sample_id"], responses.samples["sample_id"], what="scan", where=self.stage
        )
        every = np.asarray(motion.data)[:, [columns.index(name) for name in MOTION]]
        check_finite(every, what="motion parameters", where=self.stage, columns=MOTION)
        return every[rows]

    def _measure(
        self, responses: Responses, rows: np.ndarray, motion: np.ndarray | None, reliability: float
    ) -> RunQuality:
        samples = responses.samples
        first = rows[0]
        name = (
            f"sub-{samples['subject'][first]}/ses-{samples['session'][first]}/"
            f"run-{samples['run'][first]}"
        )
        if len(rows) < max(FEWEST_SCANS, self.degree + 3):
            raise DataError(
                f"{self.stage}: {name} has {len(rows)} scans. Allowed: "
                f"{max(FEWEST_SCANS, self.degree + 3)} or more. Leave the run out, or lower degree."
            )
        block = np.asarray(responses.data[rows], np.float64)
        check_finite(block, what="responses", where=f"{self.stage}: {name}")
        residuals = remove_drift(block, make_polynomials(len(rows), self.degree), keep_mean=True)
        moved = None if motion is None else compute_displacement(motion, self.radius_mm)
        dvars, outliers = compute_dvars(block)[1], count_outliers(residuals)
        lifeless = find_lifeless(block)
        bad = lifeless.copy()
        for values, limit in (
            (moved, self.displacement_max_mm), (dvars, self.dvars_max),
            (outliers, self.outlier_share_max),
        ):  # fmt: skip
            if values is not None and limit is not None:
                bad |= values > limit
        tsnr = compute_tsnr(residuals[~bad]) if bad.mean() < 1 else float("nan")
        mean_mm = np.nan if moved is None else moved[1:].mean()
        reasons = []
        if (limit := self.mean_displacement_max_mm) is not None and mean_mm > limit:
            reasons.append(f"mean displacement {mean_mm:.2f} mm")
        if lifeless.all() or bad.mean() > self.bad_share_max:
            reasons.append(f"{int(bad.sum())} of {len(bad)} scans are bad")
        if self.tsnr_min is not None and not tsnr >= self.tsnr_min:
            reasons.append(f"tSNR {tsnr:.1f}")
        if self.reliability_min is not None and not reliability >= self.reliability_min:
            reasons.append(f"reliability {reliability:.2f}")
        return RunQuality(
            name, rows, moved, dvars, outliers, lifeless, bad, tsnr, reliability, tuple(reasons)
        )

    def _measure_reliability(self, responses: Responses, groups: np.ndarray) -> dict[int, float]:
        """Return, per run, how its responses to stimuli agree with those of the other runs."""
        samples = responses.samples
        ids = samples["stimulus_id"].astype(str)
        subjects = samples["subject"].astype(str)
        found = {int(group): float("nan") for group in np.unique(groups)}
        shown = np.flatnonzero(ids != "")
        for group in found:
            own = shown[groups[shown] == group]
            if not len(own):
                continue
            others = shown[(groups[shown] != group) & (subjects[shown] == subjects[own[0]])]
            shared = np.intersect1d(ids[own], ids[others])
            if len(shared) < 3:
                continue
            means = [_average(responses, rows, ids, shared) for rows in (own, others)]
            found[group] = correlate_repeats(*means)
        return found


def _average(
    responses: Responses, rows: np.ndarray, ids: np.ndarray, wanted: np.ndarray
) -> np.ndarray:
    """Return the mean response to each stimulus over some rows."""
    rows = rows[np.isin(ids[rows], wanted)]
    number = np.searchsorted(wanted, ids[rows])
    total = np.zeros((len(wanted), responses.data.shape[1]))
    np.add.at(total, number, np.asarray(responses.data[rows], np.float64))
    return total / np.bincount(number, minlength=len(wanted))[:, None]
