"""When the scans of an fMRIPrep run were: the time that slice timing brought them to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neurodecode.core.errors import DataError
from neurodecode.datasets.repetition_time import TOLERANCE_S


def find_start(
    sidecar: Mapping[str, Any], start_time_s: float | None, t_r: float, where: str
) -> float:
    """Return the time within a scan to which its values belong, seconds.

    Parameters
    ----------
    sidecar : mapping
        With SliceTimingCorrected and StartTime, as fMRIPrep writes them.
    start_time_s : float or None
        Stated in the pipeline.
    t_r : float
    where : str
        Names the run.

    Raises
    ------
    DataError
        It was corrected to a time that nothing states, or two statements differ.
    """
    stated = sidecar.get("StartTime")
    if not sidecar.get("SliceTimingCorrected", False):
        if start_time_s:
            raise DataError(
                f"{where}: slice timing was not corrected by its sidecar, but start_time_s is "
                f"{start_time_s:g}. Leave start_time_s out, or correct the sidecar "
                "(SliceTimingCorrected)."
            )
        return 0.0
    if stated is None and start_time_s is None:
        raise DataError(
            f"{where}: slice timing was corrected, but the sidecar does not state to what time "
            f"(StartTime). Set start_time_s: {t_r / 2:g} if fMRIPrep brought slices to the middle "
            "of the scan, as it does by default, or 0 for its beginning."
        )
    start = float(stated if stated is not None else start_time_s)  # type: ignore[arg-type]
    if start_time_s is not None and abs(start - start_time_s) > TOLERANCE_S:
        raise DataError(
            f"{where}: StartTime is {start:g} s by the sidecar and {start_time_s:g} s by "
            "start_time_s. Leave start_time_s out, or correct the sidecar."
        )
    if not 0 <= start <= t_r:
        raise DataError(
            f"{where}: StartTime is {start:g} s. Allowed: from 0 to the repetition time, {t_r:g} "
            "s. Correct the sidecar, or start_time_s."
        )
    return start


def check_one_timing(timing: Mapping[str, tuple[float, float]], where: str) -> None:
    """Raise DataError unless all runs have one repetition time and one time within a scan.

    Parameters
    ----------
    timing : mapping of run to (t_r, start)
        Seconds.
    """
    if _differ([t_r for t_r, _ in timing.values()]):
        said = ", ".join(f"{name} {t_r:g} s" for name, (t_r, _) in timing.items())
        raise DataError(
            f"{where}: runs differ in repetition time: {said}. Read them in steps of their own "
            "(runs:, sessions:)."
        )
    if _differ([start for _, start in timing.values()]):
        said = ", ".join(f"{name} {start:g} s" for name, (_, start) in timing.items())
        raise DataError(
            f"{where}: runs differ in the time within a scan to which slices were brought: {said}. "
            "Run fMRIPrep in one way for all of them, or read them in steps of their own "
            "(runs:, sessions:)."
        )


def _differ(values: list[float]) -> bool:
    return max(values) - min(values) > TOLERANCE_S
