"""Regress confounds and drift out of responses, within each run and jointly.

One projection takes all of it out (numerics/confounds.py says why not one thing after the other).
Scans that are marked as censored have no part in the fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, PositiveFloat, model_validator

from neurodecode.core.artifacts import Array, Features, Responses
from neurodecode.core.checks import check_finite, check_known, find_rows, name_known
from neurodecode.core.errors import DataError
from neurodecode.core.lineage import ContactKind
from neurodecode.core.rows import group_samples
from neurodecode.core.stacked import StackedArray
from neurodecode.core.stage import Sight, Stage
from neurodecode.numerics.confounds import (
    Projection,
    interpolate_scans,
    make_projection,
)
from neurodecode.numerics.drift import make_cosines, make_fast_cosines, make_polynomials

CENSORED = "censored"
BLOCK_VOXELS = 4096


class Confounds(Stage):
    """Take confounds and drift out of every voxel, run by run.

    Parameters
    ----------
    columns : list of str
        Of the confounds, by name; "*" stands for anything ("trans_*").
    bands : list of str
        Of the confounds. Without columns and bands, all are taken.
    polynomial : int or None
        Highest degree of the polynomials removed.
    high_pass_s : float or None
        Remove cosines of at least this period, seconds, such as 128. fMRIPrep's CompCor columns
        need it, or its own cosines (the band "high_pass").
    low_pass_hz : float or None
        Remove cosines faster than this. It takes most of a run's degrees of freedom.
    standardize : {"z", "percent", "none"}
        By each run's deviation; percent of each run's mean; or in the units as they were. A run's
        mean is removed in any case. Censored scans have no part in mean and deviation.
    censored : {"drop", "interpolate", "keep"}
        Scans that the samples mark in the column ``censored``: left out, drawn as a straight line
        between their neighbours, or what is left of them by the fit on the others.
    """

    stage: ClassVar[str] = "preprocessing.confounds"
    contact: ClassVar[ContactKind] = "transductive"
    example: ClassVar[Mapping[str, Any]] = {"polynomial": 1}

    columns: tuple[str, ...] = ()
    bands: tuple[str, ...] = ()
    polynomial: Annotated[int, Field(ge=0, le=50)] | None = None
    high_pass_s: PositiveFloat | None = None
    low_pass_hz: PositiveFloat | None = None
    standardize: Literal["z", "percent", "none"] = "z"
    censored: Literal["drop", "interpolate", "keep"] = "drop"

    @model_validator(mode="after")
    def _check_drift(self) -> Self:
        if self.polynomial is not None and self.high_pass_s is not None:
            raise ValueError(
                "polynomial and high_pass_s both remove drift. Set one of them; cosines contain "
                "what a polynomial of low degree does but for a straight line."
            )
        return self

    def sees(self) -> dict[str, Sight]:
        """A row depends on those of its run."""
        return {"responses": "run", "confounds": "run"}

    def run(self, responses: Responses, confounds: Features | None = None) -> Responses:
        """Return what is left of the responses.

        Parameters
        ----------
        responses : Responses
            A time series.
        confounds : Features or None
            Of scans: joined by ``sample_id``. Without them only drift is removed.

        Raises
        ------
        DataError
            Confounds of other scans, an unknown column, or more regressors than a run can bear.
        """
        made: Responses = self.run_in_blocks(responses=responses, confounds=confounds)
        return made

    def blocks(self, **inputs: Any) -> Sequence[str]:
        """Return the names of the runs."""
        self._check_inputs(inputs["responses"], inputs.get("confounds"))
        return list(_list_runs(inputs["responses"], self.stage))

    def run_block(self, block: str, **inputs: Any) -> dict[str, np.ndarray]:
        """Return what is left of one run: (n_kept, n_voxels)."""
        responses, confounds = inputs["responses"], inputs.get("confounds")
        where = f"{self.stage}: {block}"
        rows = _list_runs(responses, self.stage)[block]
        kept = _find_kept(responses, rows)
        regressors = self._make_regressors(responses, confounds, rows, where)
        projection = make_projection(regressors, kept, where)
        whole = np.asarray(responses.data[rows])
        dtype = np.result_type(whole.dtype, np.float32)
        returned = kept if self.censored == "drop" else np.ones(len(rows), bool)
        out = np.empty((int(returned.sum()), whole.shape[1]), dtype)
        times = responses.samples["onset_s"][rows]
        for start in range(0, whole.shape[1], BLOCK_VOXELS):
            part = whole[:, start : start + BLOCK_VOXELS]
            check_finite(part, what="responses", where=where)
            cleaned = self._clean(part, projection, times, start, where)
            out[:, start : start + BLOCK_VOXELS] = cleaned[returned]
        return {"data": out}

    def assemble(self, parts: Mapping[str, Mapping[str, Array]], **inputs: Any) -> Responses:
        """Return the runs, in the order of the responses' rows."""
        responses: Responses = inputs["responses"]
        runs = _list_runs(responses, self.stage)
        if self.censored == "drop":
            runs = {name: rows[_find_kept(responses, rows)] for name, rows in runs.items()}
        order = np.concatenate([runs[name] for name in parts])
        kept = np.sort(order)
        back = np.argsort(order, kind="stable")
        arrays = tuple(part["data"] for part in parts.values())
        stacked = StackedArray(arrays, None if np.array_equal(order, kept) else back)
        in_memory = all(isinstance(array, np.ndarray) for array in arrays)
        rest = responses if len(kept) == len(responses.samples) else responses.take(kept)
        units = {"z": "z", "percent": "percent", "none": responses.units}[self.standardize]
        return replace(rest, data=np.asarray(stacked) if in_memory else stacked, units=units)

    def _clean(
        self, part: np.ndarray, projection: Projection, times: np.ndarray, start: int, where: str
    ) -> np.ndarray:
        kept = projection.kept
        cleaned, mean = projection.apply(part)
        if self.standardize == "z":
            deviation = cleaned[kept].std(axis=0)
            spread = part[kept].std(axis=0, dtype=np.float64)
            # what rounding leaves of a voxel that never changes is no signal
            flat = np.flatnonzero(deviation <= 1e-7 * np.maximum(spread, np.abs(mean)))
            if len(flat):
                raise DataError(
                    f"{where}: nothing is left of {len(flat)} voxels (first: "
                    f"{(flat[:5] + start).tolist()}): they are constant, or all confound. Drop "
                    "them first (preprocessing.select_voxels with by: variance), or set "
                    "standardize: none."
                )
            cleaned /= deviation
        elif self.standardize == "percent":
            low = np.flatnonzero(mean <= 1e-6 * np.abs(part[kept]).max(axis=0, initial=1e-300))
            if len(low):
                raise DataError(
                    f"{where}: {len(low)} voxels have a mean of 0 or less (first: "
                    f"{(low[:5] + start).tolist()}), of which no percentage can be taken. Set "
                    "standardize: z, or give responses whose mean is still in."
                )
            cleaned *= 100 / mean
        if self.censored == "interpolate" and not kept.all():
            return interpolate_scans(cleaned, kept, times)
        return cleaned

    def _make_regressors(
        self, responses: Responses, confounds: Features | None, rows: np.ndarray, where: str
    ) -> np.ndarray:
        """Return what is to be removed from a run, (n_scans, n_regressors)."""
        parts = [np.zeros((len(rows), 0))]
        places, n_scans = _find_places(responses, rows, where)
        if self.polynomial is not None:
            parts.append(make_polynomials(n_scans, self.polynomial)[places])
        if self.high_pass_s is not None:
            parts.append(make_cosines(n_scans, float(responses.t_r or 0), self.high_pass_s)[places])
        if self.low_pass_hz is not None:
            fast = make_fast_cosines(n_scans, float(responses.t_r or 0), self.low_pass_hz)
            parts.append(fast[places])
        if confounds is not None:
            ids = responses.samples["sample_id"][rows]
            at = find_rows(
                confounds.items["sample_id"], ids, what="scan", where=f"{where}: confounds"
            )
            chosen = self._choose_columns(confounds)
            values = np.asarray(confounds.data[at], np.float64)[:, chosen]
            names = _name_columns(confounds)
            check_finite(values, what="confounds", where=where, columns=[names[k] for k in chosen])
            parts.append(values)
        return np.concatenate(parts, axis=1)

    def _choose_columns(self, confounds: Features) -> np.ndarray:
        """Return the columns that the settings name."""
        names = _name_columns(confounds)
        if not self.columns and not self.bands:
            return np.arange(len(names))
        chosen = np.zeros(len(names), bool)
        for band in self.bands:
            check_known(band, list(confounds.bands), what="band", where=f"{self.stage}: bands")
            first, last = confounds.bands[band]
            chosen[first:last] = True
        for pattern in self.columns:
            found = [fnmatchcase(name, pattern) for name in names]
            if not any(found):
                raise DataError(
                    f"{self.stage}: no column '{pattern}' among the confounds."
                    f"{name_known(pattern, names, 'Columns')} Correct columns."
                )
            chosen |= found
        return np.flatnonzero(chosen)

    def _check_inputs(self, responses: Responses, confounds: Features | None) -> None:
        where = self.stage
        if len(responses.data.shape) != 2 or responses.foldwise is not None:
            raise DataError(
                f"{where}: responses have shape {tuple(responses.data.shape)}"
                f"{' and were preprocessed per fold' if responses.foldwise is not None else ''}. "
                "Allowed: a time series, (n_scans, n_voxels), before any step per fold. Put this "
                "step before that one."
            )
        if responses.t_r is None:
            raise DataError(
                f"{where}: the responses have no t_r, so that their rows are no scans of a run. "
                "Give a time series."
            )
        if confounds is None:
            if self.columns or self.bands:
                raise DataError(
                    f"{where}: columns or bands of confounds are named, but no confounds are "
                    "given. Add confounds: to this step, or leave columns and bands out."
                )
            return
        if "sample_id" not in confounds.items:
            raise DataError(
                f"{where}: the confounds describe stimuli, not scans (their items have no column "
                "'sample_id'). Give those that datasets.fmriprep or alignment.hrf make."
            )
        self._choose_columns(confounds)


def _list_runs(responses: Responses, where: str) -> dict[str, np.ndarray]:
    """Return the rows of each run in order of time, by the run's name."""
    samples = responses.samples
    groups = group_samples(samples, "run", where)
    found = {}
    for group in dict.fromkeys(groups.tolist()):
        rows = np.flatnonzero(groups == group)
        rows = rows[np.argsort(samples["onset_s"][rows], kind="stable")]
        first = rows[0]
        labels = [str(samples[place][first]) for place in ("subject", "session", "run")]
        found[f"sub-{labels[0]}/ses-{labels[1]}/run-{labels[2]}"] = rows
    return found


def _find_kept(responses: Responses, rows: np.ndarray) -> np.ndarray:
    """Return which scans of a run are not censored."""
    if CENSORED not in responses.samples:
        return np.ones(len(rows), bool)
    return ~responses.samples[CENSORED][rows].astype(bool)


def _find_places(responses: Responses, rows: np.ndarray, where: str) -> tuple[np.ndarray, int]:
    """Return each scan's place on the run's regular grid, and the length of that grid."""
    onset = responses.samples["onset_s"][rows]
    if not np.isfinite(onset).all():
        raise DataError(
            f"{where}: {int((~np.isfinite(onset)).sum())} scans have no onset_s. Give each scan "
            "its time from the start of its run, in seconds."
        )
    steps = (onset - onset[0]) / float(responses.t_r or 1)
    places = np.rint(steps).astype(int)
    if np.abs(steps - places).max() > 0.05 or (np.diff(places) < 1).any():
        raise DataError(
            f"{where}: scans do not lie on a grid of t_r = {responses.t_r:g} s (onset_s begins "
            f"{onset[:3].tolist()}). Correct t_r or onset_s."
        )
    return places, int(places[-1]) + 1


def _name_columns(confounds: Features) -> list[str]:
    known = confounds.extractor.get("columns", [])
    n_columns = confounds.data.shape[1]
    return [str(name) for name in known] if len(known) == n_columns else [
        str(k) for k in range(n_columns)
    ]  # fmt: skip
