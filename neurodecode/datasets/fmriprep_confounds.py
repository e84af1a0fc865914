"""Confounds of an fMRIPrep run, by the names nilearn has for strategies and their parts.

The parts are those of nilearn's load_confounds (Wang et al. 2024, PLOS Computational Biology
20(3), e1011942) after Ciric et al. 2017 (NeuroImage 154, 174-187): which columns of the table
belong to "motion", "compcor" and the rest, and which scans scrubbing takes out (Power et al. 2014,
NeuroImage 84, 320-341). A difference from the scan before is not known for the first scan; it
takes the value of the second, as nilearn has it. Tests compare all of it with nilearn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from neurodecode.core.checks import list_names, name_nearest
from neurodecode.core.errors import DataError
from neurodecode.datasets.bids_names import read_json
from neurodecode.datasets.event_files import read_columns, read_numbers

Model = Literal["basic", "power2", "derivatives", "full"]
Compcor = Literal[
    "anat_combined", "anat_separated", "temporal", "temporal_anat_combined",
    "temporal_anat_separated",
]  # fmt: skip
Part = Literal["motion", "high_pass", "wm_csf", "global_signal", "compcor", "ica_aroma", "scrub"]
Strategy = Literal["simple", "scrubbing", "compcor", "ica_aroma"]

STRATEGIES: Mapping[str, tuple[tuple[Part, ...], Mapping[str, Any]]] = {
    "simple": (("high_pass", "motion", "wm_csf"), {}),
    "scrubbing": (("high_pass", "motion", "wm_csf", "scrub"), {"wm_csf": "full"}),
    "compcor": (("high_pass", "motion", "compcor"), {}),
    "ica_aroma": (("high_pass", "wm_csf", "ica_aroma"), {}),
}
SUFFIXES: Mapping[str, tuple[str, ...]] = {
    "basic": ("",),
    "power2": ("", "_power2"),
    "derivatives": ("", "_derivative1"),
    "full": ("", "_derivative1", "_power2", "_derivative1_power2"),
}
MOTION = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
UNSTEADY = "non_steady_state"
DISPLACEMENT, DVARS = "framewise_displacement", "std_dvars"


@dataclass(frozen=True)
class Choice:
    """Which confounds are wanted.

    Parameters
    ----------
    parts : tuple of str
    motion, wm_csf, global_signal : {"basic", "power2", "derivatives", "full"}
    compcor : str
    n_compcor : int or None
        Components per mask; None takes all that fMRIPrep kept.
    ica_aroma : {"full", "basic"}
        "full": the BOLD was denoised by fMRIPrep and the columns are not needed again.
    scrub : int
        Shortest stretch of good scans that is kept between two that are taken out.
    fd_threshold : float
        Millimetres;  std_dvars_threshold : float
    """

    parts: tuple[Part, ...] = ()
    motion: Model = "full"
    wm_csf: Model = "basic"
    global_signal: Model = "basic"
    compcor: Compcor = "anat_combined"
    n_compcor: int | None = None
    ica_aroma: Literal["full", "basic"] = "full"
    scrub: int = 5
    fd_threshold: float = 0.5
    std_dvars_threshold: float = 1.5

    @classmethod
    def of(cls, wanted: str | Sequence[Part], **given: Any) -> Choice:
        """Return the choice of a named strategy, or of parts, with what is given otherwise.

        A strategy takes the global signal as a further part if ``global_signal`` is given.
        """
        known = {name: value for name, value in given.items() if value is not None}
        if not isinstance(wanted, str):
            return cls(tuple(wanted), **known)
        parts, own = STRATEGIES[wanted]
        if "global_signal" in known:
            parts = (*parts, "global_signal")
        return replace(cls(parts), **{**own, **known})


@dataclass(frozen=True, eq=False)
class RunConfounds:
    """What a table of confounds says of one run.

    Parameters
    ----------
    values : mapping of column to array of float64, shape (n_scans,)
    bands : mapping of part to its columns
    flagged : array of bool, shape (n_scans,)
        By scrubbing, or as not yet steady.
    n_unsteady : int
        Scans at the start that are marked as not yet steady.
    displacement_mm : array, shape (n_scans,), or None
        Framewise displacement.
    """

    values: Mapping[str, np.ndarray]
    bands: Mapping[str, tuple[str, ...]]
    flagged: np.ndarray
    n_unsteady: int
    displacement_mm: np.ndarray | None


def read_confounds(path: Path, n_scans: int, choice: Choice) -> RunConfounds:
    """Return the confounds that are wanted of one run.

    Raises
    ------
    DataError
        The table has another number of rows than there are scans, lacks a column, or holds NaN
        elsewhere than in its first row.
    """
    text = read_columns(path)
    table: dict[str, np.ndarray] = {}
    for name, column in text.items():
        numbers = read_numbers(column)
        if numbers is not None:
            table[name] = numbers
    rows = len(next(iter(text.values())))
    if rows != n_scans:
        raise DataError(
            f"{path}: it has {rows} rows, but the run has {n_scans} scans. Get the BOLD and its "
            "confounds from one run of fMRIPrep."
        )
    bands: dict[str, tuple[str, ...]] = {}
    for part in choice.parts:
        names = () if part == "scrub" else _list_columns(part, table, path, choice)
        if names:
            bands[part] = names
    values = {}
    for names in bands.values():
        for name in names:
            column = table[name].copy()
            if np.isnan(column[0]):
                column[0] = column[1]
            if not np.isfinite(column).all():
                raise DataError(
                    f"{path}: column '{name}' is n/a in {int((~np.isfinite(column)).sum())} rows "
                    "beside the first. Leave its part out of confounds, or run fMRIPrep again."
                )
            values[name] = column
    unsteady = np.zeros(n_scans, bool)
    for name in table:
        if UNSTEADY in name:
            unsteady |= table[name] > 0
    flagged = unsteady | _find_outliers(table, path, choice)
    n_unsteady = int(unsteady.sum())
    if unsteady[n_unsteady:].any():
        raise DataError(
            f"{path}: scans {np.flatnonzero(unsteady).tolist()} are marked as not yet steady, not "
            "only the first ones. Correct the columns of non_steady_state."
        )
    return RunConfounds(values, bands, flagged, n_unsteady, table.get(DISPLACEMENT))


def scrub_segments(outliers: np.ndarray, shortest: int) -> np.ndarray:
    """Return outliers together with stretches of good scans that are too short to keep.

    Parameters
    ----------
    outliers : array of bool, shape (n_scans,)
    shortest : int
        Stretches of fewer scans are taken out, too, if there is any outlier (Power et al. 2014).

    Examples
    --------
    >>> scrub_segments(np.array([0, 0, 1, 0, 0, 0], bool), 3).astype(int).tolist()
    [1, 1, 1, 0, 0, 0]
    """
    out = outliers.copy()
    if not outliers.any():
        return out
    edges = np.flatnonzero(np.diff(np.concatenate([[True], outliers, [True]]).astype(int)))
    for start, stop in edges.reshape(-1, 2):
        if stop - start < shortest:
            out[start:stop] = True
    return out


def _find_outliers(table: Mapping[str, np.ndarray], path: Path, choice: Choice) -> np.ndarray:
    n_scans = len(next(iter(table.values())))
    if "scrub" not in choice.parts:
        return np.zeros(n_scans, bool)
    for name in (DISPLACEMENT, DVARS):
        _check_there([name], table, path, "scrub")
    with np.errstate(invalid="ignore"):  # NaN in the first row is no outlier
        outliers = (table[DISPLACEMENT] > choice.fd_threshold) | (
            table[DVARS] > choice.std_dvars_threshold
        )
    return scrub_segments(outliers, choice.scrub)


def _list_columns(
    part: str, table: Mapping[str, np.ndarray], path: Path, choice: Choice
) -> tuple[str, ...]:
    """Return the columns of a part, in a fixed order."""
    sources = {
        "motion": MOTION,
        "wm_csf": ("csf", "white_matter"),
        "global_signal": ("global_signal",),
    }
    if part in sources:
        suffixes = SUFFIXES[getattr(choice, part)]
        names = [f"{name}{suffix}" for suffix in suffixes for name in sources[part]]
        _check_there(names, table, path, part)
        return tuple(names)
    if part == "high_pass":  # a run shorter than the cut-off has none
        return tuple(name for name in table if name.startswith("cosine"))
    if part == "ica_aroma":
        if choice.ica_aroma == "full":
            return ()
        names = [name for name in table if "aroma" in name]
        if not names:
            raise DataError(
                f"{path}: there are no columns of ICA-AROMA. Leave ica_aroma out of confounds, or "
                "run fMRIPrep with --use-aroma (before version 23.1)."
            )
        return tuple(names)
    return _list_components(table, path, choice)


def _list_components(
    table: Mapping[str, np.ndarray], path: Path, choice: Choice
) -> tuple[str, ...]:
    """Return the columns of CompCor: by mask those of the anatomy, and temporal ones."""
    kinds = choice.compcor.split("_")
    found: list[str] = []
    if "temporal" in kinds:
        found += _list_prefixed("t", table)[: choice.n_compcor]
    if "anat" in kinds:
        meta_path = path.with_suffix(".json")
        if not meta_path.is_file():
            raise DataError(
                f"{meta_path}: it is not there, and it says which mask each CompCor column comes "
                "from. Copy it beside the table."
            )
        meta = read_json(meta_path)
        anatomical = _list_prefixed("a", table)
        for mask in ("combined",) if "combined" in kinds else ("WM", "CSF"):
            of_mask = [n for n in anatomical if meta.get(n, {}).get("Mask") == mask]
            found += of_mask[: choice.n_compcor]
        if "separated" in kinds:  # as fMRIPrep names them since version 21
            for prefix in ("w", "c"):
                found += _list_prefixed(prefix, table)[: choice.n_compcor]
    if not found:
        raise DataError(
            f"{path}: there are no CompCor columns of the kind '{choice.compcor}'. Set compcor to "
            "another kind, or leave it out of confounds."
        )
    return tuple(found)


def _list_prefixed(prefix: str, table: Mapping[str, np.ndarray]) -> list[str]:
    return sorted(name for name in table if name.startswith(f"{prefix}_comp_cor_"))


def _check_there(
    names: Sequence[str], table: Mapping[str, np.ndarray], path: Path, part: str
) -> None:
    absent = [name for name in names if name not in table]
    if absent:
        raise DataError(
            f"{path}: {len(absent)} columns of '{part}' are not there or hold text "
            f"({list_names(absent, 6)}).{name_nearest(absent[0], list(table))} Leave the part out "
            "of confounds, or run fMRIPrep 1.4 or later."
        )
