"""Checks that many stages share, with their messages worded once.

A message says what, where, got, allowed and the next step.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np

from neurodecode.core.errors import DataError
from neurodecode.core.visible import show

MOST_COMPARED, LONGEST_NAME = 1000, 100


def name_nearest(name: str, known: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the nearest known name, or "" if none is near.

    Examples
    --------
    >>> name_nearest("delayd", ["delayed", "responses"])
    " Did you mean 'delayed'?"
    """
    # bounded, since comparing takes time by the product of the lengths
    short = [str(k) for k in itertools.islice(known, MOST_COMPARED) if len(str(k)) <= LONGEST_NAME]
    near = difflib.get_close_matches(str(name)[: LONGEST_NAME + 1], short, n=1, cutoff=0.6)
    return f" Did you mean '{show(near[0])}'?" if near else ""


def name_known(name: str, known: Collection[str], label: str = "Known", most: int = 12) -> str:
    """Return the nearest known name as a question, or all that are known where none is near.

    Examples
    --------
    >>> name_known("delayd", ["delayed", "responses"])
    " Did you mean 'delayed'?"
    >>> name_known("x", ["delayed", "responses"], "Columns")
    ' Columns: delayed, responses.'
    """
    return name_nearest(name, known) or f" {label}: {list_names(known, most)}."


def list_names(names: Collection[str], most: int = 12) -> str:
    """Return names as a readable list, cut after ``most``."""
    shown = sorted(show(n) for n in names)
    more = f" and {len(shown) - most} more" if len(shown) > most else ""
    return ", ".join(shown[:most]) + more if shown else "none"


def check_known(name: str, known: Collection[str], *, what: str, where: str) -> None:
    """Raise DataError unless ``name`` is one of ``known``."""
    if name not in known:
        raise DataError(f"{where}: Unknown {what} '{name}'.{name_known(name, known)}")


def check_same_length(where: str, next_step: str = "", **arrays: Any) -> int:
    """Raise DataError unless all arrays have as many rows; return that number."""
    lengths = {name: len(values) for name, values in arrays.items()}
    if len(set(lengths.values())) > 1:
        got = ", ".join(f"{name} {n}" for name, n in lengths.items())
        raise DataError(
            f"{where}: lengths differ: {got}. Allowed: as many rows in each. {next_step}".rstrip()
        )
    return next(iter(lengths.values()))


def check_finite(
    values: np.ndarray, *, what: str, where: str, columns: Sequence[str] | None = None
) -> None:
    """Raise DataError that counts and names the columns holding NaN or infinity."""
    finite = np.isfinite(values)
    if finite.all():
        return
    flat = finite.reshape(len(values), -1)
    bad_columns = np.flatnonzero(~flat.all(axis=0))
    bad_rows = np.flatnonzero(~flat.all(axis=1))
    names = [columns[c] for c in bad_columns[:5]] if columns else bad_columns[:5].tolist()
    raise DataError(
        f"{where}: {what} hold {int((~finite).sum())} values that are NaN or infinite, in "
        f"{len(bad_columns)} of {flat.shape[1]} columns (first: {names}) and {len(bad_rows)} of "
        f"{len(values)} rows (first: {bad_rows[:5].tolist()}). Allowed: finite numbers. "
        "Drop those columns or rows before this step."
    )


def check_varying(values: np.ndarray, *, what: str, where: str) -> None:
    """Raise DataError that counts and names the columns that never change."""
    constant = np.flatnonzero(np.ptp(values.reshape(len(values), -1), axis=0) == 0)
    if len(constant):
        raise DataError(
            f"{where}: {what} hold {len(constant)} constant columns (first: "
            f"{constant[:5].tolist()}). A column without variance cannot be standardised. "
            "Drop them first (preprocessing.select_voxels with by: variance and threshold: 1e-12, "
            "say)."
        )


def find_rows(ids: np.ndarray, wanted: np.ndarray, *, what: str, where: str) -> np.ndarray:
    """Return the row of each wanted id, or raise DataError that lists what is absent.

    Parameters
    ----------
    ids : array of str, shape (n_items,)
        Unique identities, in any order.
    wanted : array of str, shape (n_wanted,)
        Repeats are allowed.

    Returns
    -------
    rows : array of int, shape (n_wanted,)

    Examples
    --------
    >>> find_rows(np.array(["b", "a"]), np.array(["a", "a", "b"]), what="item", where="here")
    array([1, 1, 0])
    """
    ids = np.asarray(ids).astype(str)
    wanted = np.asarray(wanted).astype(str)
    order = np.argsort(ids, kind="stable")
    sorted_ids = ids[order]
    twice = sorted_ids[1:][sorted_ids[1:] == sorted_ids[:-1]]
    if len(twice):
        raise DataError(
            f"{where}: {what} ids are not unique (first: '{twice[0]}', {len(twice)} in all). "
            "Give every item one id."
        )
    at = np.searchsorted(sorted_ids, wanted)
    found = np.zeros(len(wanted), bool)
    inside = at < len(ids)
    found[inside] = sorted_ids[at[inside]] == wanted[inside]
    if not found.all():
        absent = np.unique(wanted[~found])
        raise DataError(
            f"{where}: {len(absent)} {what} ids are wanted but absent (first: '{absent[0]}')."
            f"{name_known(absent[0], list(ids[:2000]), 'Present', 5)}"
        )
    return order[at]
