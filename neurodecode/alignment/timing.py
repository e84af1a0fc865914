"""What belongs to which run: events to scans, and scans to the features made for them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from neurodecode.core.artifacts import Events, Features, Responses
from neurodecode.core.checks import list_names
from neurodecode.core.errors import DataError
from neurodecode.core.tables import Table

PLACES = ("subject", "session", "run")


def check_timed(responses: Responses, where: str) -> None:
    """Raise DataError unless every sample is a scan at a known time."""
    if responses.t_r is None:
        raise DataError(
            f"{where}: the responses have no t_r, so that their rows are no scans. Give a time "
            "series; to join features to single trials, hand them to the encoder as they are."
        )
    unknown = int((~np.isfinite(responses.samples["onset_s"])).sum())
    if unknown:
        raise DataError(
            f"{where}: {unknown} of {len(responses.samples)} scans have no onset_s. Give each scan "
            "its time from the start of its run, in seconds."
        )


def name_runs(table: Table) -> np.ndarray:
    """Return the name of each row's run, "subject/session/run"."""
    parts = [table[place].astype(str) for place in PLACES]
    return np.array(["/".join(names) for names in zip(*parts, strict=True)])


def iterate_runs(
    events: Events | Table, samples: Table, where: str, *, allow_empty: bool = False
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield (name, rows of the samples in order of time, rows of the events) for every run.

    Parameters
    ----------
    events : Events, or Table
        Columns that name a place may be absent where the samples have one value for it.
    samples : Table
        Of scans.
    where : str
        Stage that asks, for messages.
    allow_empty : bool
        Runs without events are allowed; they still need rows of zeros.

    Raises
    ------
    DataError
        Events of runs that were not measured, or runs without events.
    """
    table = events.table if isinstance(events, Events) else events
    table = _complete_places(table, samples, where)
    ours, theirs = name_runs(samples), name_runs(table)
    names = list(dict.fromkeys(ours.tolist()))
    strange = sorted(set(theirs.tolist()) - set(names))
    if strange:
        raise DataError(
            f"{where}: there are events of {list_names(strange)}, but the responses hold "
            f"{list_names(names)} (subject/session/run). Give the events of the runs measured."
        )
    silent = [name for name in names if name not in set(theirs.tolist())]
    if silent and not allow_empty:
        raise DataError(
            f"{where}: {len(silent)} of {len(names)} runs have no events ({list_names(silent)}). "
            "Give their events, or set allow_empty_runs: true if nothing was shown in them."
        )
    for name in names:
        rows = np.flatnonzero(ours == name)
        order = rows[np.argsort(samples["onset_s"][rows], kind="stable")]
        yield name, order, np.flatnonzero(theirs == name)


def _complete_places(table: Table, samples: Table, where: str) -> Table:
    for place in PLACES:
        if place in table:
            continue
        known = np.unique(samples[place].astype(str))
        if len(known) > 1:
            raise DataError(
                f"{where}: the events have no column '{place}', but the responses hold "
                f"{len(known)} of them ({list_names(known.tolist())}). Add the column."
            )
        table = table.with_columns(**{place: np.full(len(table), known[0])})
    return table


def check_scans(features: Features, where: str) -> None:
    """Raise DataError unless the features are those of scans."""
    missing = [name for name in ("sample_id", "onset_s", *PLACES) if name not in features.items]
    if missing:
        raise DataError(
            f"{where}: the features describe stimuli, not scans (their items have no column "
            f"'{missing[0]}'). Bring them to the scans first (alignment.hrf or "
            "alignment.resample)."
        )


def widen_bands(
    bands: dict[str, tuple[int, int]], n_columns: int, n_copies: int, name: str
) -> dict[str, tuple[int, int]]:
    """Return the bands after each column has become ``n_copies`` columns beside each other.

    Examples
    --------
    >>> widen_bands({"a": (0, 2)}, 3, 2, "all")
    {'a': (0, 4)}
    >>> widen_bands({}, 3, 2, "all")
    {'all': (0, 6)}
    """
    if not bands:
        return {name: (0, n_columns * n_copies)}
    return {band: (first * n_copies, last * n_copies) for band, (first, last) in bands.items()}
