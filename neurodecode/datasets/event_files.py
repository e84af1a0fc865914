"""Tables of events as BIDS has them: one file per run, tabs between cells, "n/a" for absent."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from neurodecode.core.checks import list_names, name_known
from neurodecode.core.errors import DataError
from neurodecode.core.tables import Table

ABSENT = ("n/a", "")
STIMULUS = "stim_file"  # the column that BIDS has for it
PLACES = ("subject", "session", "run")


def read_columns(path: Path) -> dict[str, np.ndarray]:
    """Return the columns of a table as text, by name.

    Parameters
    ----------
    path : Path
        Tab-separated, or comma-separated if it ends in .csv; a header line first.

    Raises
    ------
    DataError
        It cannot be read, a line has too few or too many cells, or a column has no name of its own.
    """
    delimiter = "," if path.suffix.lower() == ".csv" else "\t"
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = [line for line in csv.reader(file, delimiter=delimiter) if line]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{path}: it cannot be read as a table ({error}). Save it again as UTF-8 text."
        ) from error
    if not lines:
        raise DataError(f"{path}: it is empty. Allowed: a line of names, then one line per row.")
    names = [name.strip() for name in lines[0]]
    if len(set(names)) < len(names) or "" in names:
        raise DataError(
            f"{path}: its columns are {list_names(names)}. Allowed: a name for each, none twice. "
            "Correct the first line."
        )
    for number, line in enumerate(lines[1:], 2):
        if len(line) != len(names):
            raise DataError(
                f"{path}: line {number} has {len(line)} cells, the first line {len(names)}. "
                "Correct it; cells are parted by tabs (.tsv) or commas (.csv)."
            )
    cells = [[cell.strip() for cell in line] for line in lines[1:]]
    return {name: np.array([line[k] for line in cells], str) for k, name in enumerate(names)}


def read_numbers(column: np.ndarray) -> np.ndarray | None:
    """Return a column of text as float64 with NaN for "n/a", or None if it holds other text.

    Examples
    --------
    >>> read_numbers(np.array(["1.5", "n/a"])).tolist()
    [1.5, nan]
    >>> read_numbers(np.array(["face"])) is None
    True
    """
    try:
        return np.array([np.nan if cell in ABSENT else float(cell) for cell in column], np.float64)
    except ValueError:
        return None


def read_events(
    path: Path, places: Mapping[str, str], stimulus_column: str | None
) -> dict[str, np.ndarray]:
    """Return the events of one run, in order of time.

    Parameters
    ----------
    path : Path
    places : mapping
        subject, session and run that they belong to.
    stimulus_column : str or None
        Names the stimulus of each event. None takes "stim_file" if it is there.

    Returns
    -------
    columns : dict of str to array
        subject, session, run, onset and duration (s; NaN where a duration is "n/a"), trial_type
        and stimulus_id ("" for none), then all others: numbers where a column holds nothing else.

    Raises
    ------
    DataError
        There are no onsets, or a column is absent.
    """
    columns = read_columns(path)
    for name in ("onset", "duration", *([stimulus_column] if stimulus_column else [])):
        if name not in columns:
            raise DataError(
                f"{path}: there is no column '{name}'.{name_known(name, columns, 'Columns')} "
                "Rename it, or add it."
            )
    n = len(columns["onset"])
    if not n:
        raise DataError(f"{path}: it holds no events. Add them, or leave the run out.")
    onset, duration = (read_numbers(columns.pop(name)) for name in ("onset", "duration"))
    if onset is None or not np.isfinite(onset).all():
        raise DataError(f"{path}: column 'onset' holds values that are no numbers. Correct them.")
    if duration is None or (duration < 0).any():
        raise DataError(
            f"{path}: column 'duration' holds values that are no lengths of time. Allowed: 0 or "
            "more, or n/a. Correct them."
        )
    shown = columns.get(stimulus_column or STIMULUS, np.full(n, ""))
    table: dict[str, np.ndarray] = {place: np.full(n, label) for place, label in places.items()}
    table |= {"onset": onset, "duration": duration}
    kinds = columns.pop("trial_type", np.full(n, ""))
    table["trial_type"] = np.where(np.isin(kinds, ABSENT), "", kinds)
    table["stimulus_id"] = np.where(np.isin(shown, ABSENT), "", shown)
    for name, column in columns.items():
        if name not in table:
            numbers = read_numbers(column)
            table[name] = column if numbers is None else numbers
    order = np.argsort(onset, kind="stable")
    return {name: column[order] for name, column in table.items()}


def stack_events(parts: Sequence[Mapping[str, np.ndarray]]) -> Table:
    """Return the events of several runs as one table.

    A column that some runs lack is NaN there, or "n/a" if it is of text.
    """
    names = list(dict.fromkeys(name for part in parts for name in part))
    stacked = {}
    for name in names:
        held = [part[name] for part in parts if name in part]
        text = any(column.dtype.kind == "U" for column in held)
        columns = [
            part[name] if name in part else np.full(len(part["onset"]), "n/a" if text else np.nan)
            for part in parts
        ]
        stacked[name] = np.concatenate([c.astype(str) if text else c for c in columns])
    return Table(stacked)


def find_shown(
    onsets: np.ndarray, shown: np.ndarray, times_s: np.ndarray, t_r: float
) -> np.ndarray:
    """Return the stimulus that starts within each scan, "" where none does.

    Parameters
    ----------
    onsets : array, shape (n_events,)
        Ascending, seconds on the clock of ``times_s``.
    shown : array of str, shape (n_events,)
    times_s : array, shape (n_scans,)
        When each scan begins.
    t_r : float

    Returns
    -------
    stimulus_id : array of str, shape (n_scans,)
        Of several that start within one scan, the first.

    Examples
    --------
    >>> find_shown(np.array([2.1]), np.array(["a"]), np.array([0.0, 2.0]), 2.0).tolist()
    ['', 'a']
    """
    found = np.full(len(times_s), "", shown.dtype if len(shown) else "U1")
    for onset, name in zip(onsets[::-1], shown[::-1], strict=True):
        if name:
            found[(onset >= times_s - 1e-9) & (onset < times_s + t_r - 1e-9)] = name
    return found
