"""Which rows of responses show the same thing: no stage. By stimulus, or by position in a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from neurodecode.core.artifacts import Responses
from neurodecode.core.checks import check_known
from neurodecode.core.errors import DataError
from neurodecode.core.rows import group_samples

Match = Literal["stimulus", "position"]


@dataclass(frozen=True)
class Shown:
    """What rows show.

    Parameters
    ----------
    rows : array of int, shape (n_shown,)
        Rows that show something, ascending.
    names : array of str, shape (n_shown,)
        Equal for rows that show the same.
    blocks : array of str, shape (n_shown,)
        Names of what is left out together when errors are estimated: the stimulus, or a stretch of
        time. Rows of one name lie in one block.
    """

    rows: np.ndarray
    names: np.ndarray
    blocks: np.ndarray


def find_shown(responses: Responses, match: Match, same: str, block_s: float, where: str) -> Shown:
    """Return what each row shows.

    Parameters
    ----------
    responses : Responses
        Of one subject.
    match : {"stimulus", "position"}
        By stimulus id; or by the position in the run, where runs show one thing over time.
    same : str
        By position: the column that names what a run shows ("run": each its own); "" if all runs
        show the same.
    block_s : float
        By position: length of the stretches that are left out together, seconds.
    where : str
        Stage that asks, for messages.
    """
    samples = responses.samples
    subjects = np.unique(samples["subject"])
    if len(subjects) > 1:
        raise DataError(
            f"{where}: the responses are those of {len(subjects)} subjects, whose rows are no "
            "repeats of each other. Give one subject (each:), or gather subjects for "
            "evaluation.inter_subject."
        )
    if match == "stimulus":
        ids = samples["stimulus_id"].astype(str)
        rows = np.flatnonzero(ids != "")
        return Shown(rows, ids[rows], ids[rows])
    runs = group_samples(samples, "run", where)
    shows = _name_runs(responses, runs, same, where)
    position = np.empty(len(runs), np.int64)
    lengths: dict[str, int] = {}
    for run in np.unique(runs):
        rows = np.flatnonzero(runs == run)
        told = np.unique(shows[rows])
        if len(told) > 1:
            raise DataError(
                f"{where}: a run shows {len(told)} things by its column '{same}' (first: "
                f"'{told[0]}', '{told[1]}'). Allowed: one per run. Name a column that says what "
                "the whole run shows."
            )
        if lengths.setdefault(str(told[0]), len(rows)) != len(rows):
            raise DataError(
                f"{where}: runs that show the same ('{told[0]}') have {lengths[str(told[0])]} and "
                f"{len(rows)} scans. Allowed: as many in each, so that they match by position. "
                "Trim them first."
            )
        onset_s = samples["onset_s"][rows]
        order = np.argsort(onset_s, kind="stable") if np.isfinite(onset_s).all() else slice(None)
        position[rows[order]] = np.arange(len(rows))
    length = max(1, round(block_s / _find_step(responses, where)))
    names = np.array([f"{show}/{k:06d}" for show, k in zip(shows, position, strict=True)])
    blocks = np.array(
        [f"{show}/{k // length:06d}" for show, k in zip(shows, position, strict=True)]
    )
    return Shown(np.arange(len(runs)), names, blocks)


def keep_repeated(shown: Shown) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows of what is shown twice or more, its number in each row, and the block of each.

    Returns
    -------
    rows : array of int, shape (n_presentations,)
    stimulus : array of int, shape (n_presentations,)
        From 0 without gaps.
    blocks : array of int, shape (n_stimuli,)
        From 0 without gaps.
    """
    _, code, count = np.unique(shown.names, return_inverse=True, return_counts=True)
    kept = np.flatnonzero(count[code] > 1)
    _, first, stimulus = np.unique(shown.names[kept], return_index=True, return_inverse=True)
    blocks = np.unique(shown.blocks[kept][first], return_inverse=True)[1]
    return shown.rows[kept], stimulus, blocks


def _name_runs(responses: Responses, runs: np.ndarray, same: str, where: str) -> np.ndarray:
    if same == "":
        return np.full(len(runs), "all")
    check_known(same, list(responses.samples), what="column", where=where)
    if same == "run":
        session, run = (responses.samples[c].astype(str).tolist() for c in ("session", "run"))
        return np.array(["/".join(pair) for pair in zip(session, run, strict=True)])
    return responses.samples[same].astype(str)


def _find_step(responses: Responses, where: str) -> float:
    """Return the seconds between rows of a time series."""
    if responses.t_r is None:
        raise DataError(
            f"{where}: match: position is for time series, and these responses have no t_r. Set "
            "match: stimulus, or give the repetition time where the responses are read."
        )
    return responses.t_r
