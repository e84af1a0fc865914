"""How every metric turns one value per item into Scores: interval, chance, name of the test set.

No stage. Each claim of a score (a row of its summary) is a mean over items, and the items' values
stand in ``items`` under the claim's name, so that two scores of the same items can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from neurodecode.core.artifacts import Features, Predictions, Reconstructions, Scores, Stimuli
from neurodecode.core.checks import find_rows
from neurodecode.core.digests import digest_json
from neurodecode.core.errors import DataError
from neurodecode.core.tables import Table
from neurodecode.numerics.statistics import (
    bootstrap_mean,
    bound_share,
    compute_p,
    link_rows,
    number_groups,
)

Unit = Literal["stimulus", "category", "run", "session", "subject"]
Scale = Literal["r", "r2", "accuracy", "similarity", "distance"]


@dataclass(frozen=True)
class Claim:
    """One row of a summary.

    Parameters
    ----------
    name : str
    values : array, shape (n_items,)
        NaN where an item does not count.
    chance : float
    null : array or None, shape (n_permutations,)
        The mean under each permutation of predictions against the truth.
    within : str
        The column whose value all candidates of an item share; empty if they need not.
    only : str
        The one value of that column that the claim is about.
    """

    name: str
    values: np.ndarray
    chance: float
    null: np.ndarray | None = None
    within: str = ""
    only: str = ""


def make_scores(
    claims: Sequence[Claim],
    items: Table,
    units: np.ndarray,
    *,
    metric: str,
    scale: Scale,
    n_bootstrap: int,
    seed: int,
    notices: Sequence[str] = (),
    of: str = "item",
) -> Scores:
    """Return Scores over items; the first claim gives the values.

    Parameters
    ----------
    claims : sequence of Claim
    items : Table, n_items
    units : array, shape (n_items,)
        Unit of independence that the bootstrap resamples.
    """
    rows = [_summarize(claim, units, scale, n_bootstrap, seed) for claim in claims]
    if not any(claim.within for claim in claims):
        rows = [{k: v for k, v in row.items() if k not in ("within", "only")} for row in rows]
    n_units = len(np.unique(units))
    told = list(notices)
    if n_units < 5:
        told.append(
            f"The intervals rest on {n_units} independent units: too few to be relied upon."
        )
    return Scores(
        values=claims[0].values,
        over="items",
        items=items.with_columns(unit=units, **{claim.name: claim.values for claim in claims}),
        metric=metric,
        scale=scale,
        summary=Table({name: [row[name] for row in rows] for name in rows[0]}),
        of=of,
        notices=tuple(told),
        test_set=digest_test_set(items),
    )


def _summarize(
    claim: Claim, units: np.ndarray, scale: Scale, n_bootstrap: int, seed: int
) -> dict[str, Any]:
    counted = np.isfinite(claim.values)
    value = float(claim.values[counted].mean()) if counted.any() else float("nan")
    low, high = bootstrap_mean(claim.values, units, n_bootstrap=n_bootstrap, seed=seed)
    n_units = len(np.unique(units[counted]))
    if scale == "accuracy" and n_units > 1 and value in (0.0, 1.0):
        low, high = bound_share(value, n_units)
    null = np.full(1, np.nan) if claim.null is None else claim.null
    p = compute_p(null, value, lower_is_better=scale == "distance")
    return {
        "name": claim.name,
        "value": value,
        "low": low,
        "high": high,
        "chance": float(claim.chance),
        "n": int(counted.sum()),
        "n_units": n_units,
        "null_mean": float(null.mean()),
        "null_sd": float(null.std()),
        "null_n": 0 if claim.null is None else len(null),
        "p": p,
        "within": claim.within,
        "only": claim.only,
    }


def find_units(table: Table, level: str, where: str) -> np.ndarray:
    """Return the unit of independence of each row, as whole numbers.

    Parameters
    ----------
    table : Table
        Of samples or items.
    level : str
        "sample", "stimulus" (rows that share source or content), "run", "session", "subject", or
        the name of a column.

    Returns
    -------
    units : array of int, shape (n_rows,)
    """
    if level == "sample":
        return np.arange(len(table))
    if level == "stimulus":
        return link_rows(_list_identities(table, where))
    places = ("subject", "session", "run")
    if level in places:
        # A run is known by its subject and session, too: "01" is a run of every session.
        parts = [table[level]]
        parts += [table[p] for p in places[: places.index(level)] if p in table]
        return number_groups(np.array(["/".join(row) for row in zip(*parts, strict=True)]))
    return number_groups(table[level])


def _list_identities(table: Table, where: str) -> list[np.ndarray]:
    name = "stimulus_id" if "stimulus_id" in table else "id"
    if name not in table:
        raise DataError(f"{where}: the table names no stimuli. Add a column 'stimulus_id' or 'id'.")
    blank = int((table[name] == "").sum())
    if blank:
        raise DataError(
            f"{where}: {blank} of {len(table)} rows show no stimulus, so that stimuli are no unit "
            "here. Use by: run, session or subject."
        )
    extra = [table[c] for c in ("source", "digest") if c in table]
    return [table[name], *extra]


def digest_test_set(items: Table) -> str:
    """Return the digest of the identities scored, whatever their order."""
    return digest_json(sorted(name_items(items).tolist()))


def name_items(items: Table) -> np.ndarray:
    """Return the identity of each row: its sample, or else its stimulus."""
    for column in ("sample_id", "id", "stimulus_id"):
        if column in items:
            return items[column].astype(str)
    raise DataError(
        "scores: the items have neither 'sample_id' nor 'id', so they have no names. Add one "
        "of these columns."
    )


def describe_truth(given: Table, truth: Stimuli | Features, where: str) -> Table:
    """Return the item table with source, digest and category looked up where they are absent.

    Raises DataError if a stimulus shown is not among the true ones.
    """
    rows = find_rows(truth.items["id"], given["id"], what="stimulus", where=where)
    found = {
        column: truth.items[column][rows]
        for column in ("source", "digest", "category")
        if column in truth.items and column not in given
    }
    return given.with_columns(**found)


def check_testable(given: Predictions | Reconstructions, where: str) -> None:
    """Raise DataError for predictions of training rows, or for none at all."""
    if getattr(given, "role", "test") == "training":
        raise DataError(
            f"{where}: these are predictions of training rows, made for a second fit. Score the "
            "test predictions (the other output of that step)."
        )
    if len(given.data) == 0:
        raise DataError(f"{where}: there is nothing to score: no test rows. Check the split.")


def read_folds(items: Table) -> np.ndarray:
    """Return the fold of each row; -1 where there are no folds."""
    return items["fold"].astype(int) if "fold" in items else np.full(len(items), -1)
