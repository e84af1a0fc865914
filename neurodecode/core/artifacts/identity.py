"""Sample and item tables: who saw what when, and what an item is by content."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from neurodecode.core.artifacts.base import Array
from neurodecode.core.artifacts.stimuli import Stimuli
from neurodecode.core.checks import find_rows
from neurodecode.core.digests import digest_array, make_tokens
from neurodecode.core.tables import Table


def make_samples(
    *,
    dataset: str,
    stimulus_id: Any,
    subject: str | Any = "01",
    session: str | Any = "01",
    run: str | Any = "01",
    onset_s: Any = None,
    repeat: Any = None,
    stimuli: Stimuli | None = None,
    **columns: Any,
) -> Table:
    """Return a complete sample table.

    Parameters
    ----------
    dataset : str
        Names the recording; part of the identity of each sample.
    stimulus_id : sequence of str, n_samples
        "" where nothing was shown.
    subject, session, run : str, or sequence of str
        BIDS labels, such as "01".
    onset_s : sequence of float or None
        Seconds from the start of the run; NaN where not known.
    repeat : sequence of int or None
        How many times this subject had seen the stimulus before; counted here if None.
    stimuli : Stimuli or None
        Gives each sample its stimulus' source, digest and category.
    columns
        Further columns, each n_samples long.

    Returns
    -------
    samples : Table
        With a ``sample_id`` that is unique over datasets.
    """
    ids = np.asarray(stimulus_id).astype(str)
    n = len(ids)

    def spread(value: Any) -> np.ndarray:
        return np.full(n, value) if isinstance(value, str) else np.asarray(value).astype(str)

    table: dict[str, Any] = {
        "subject": spread(subject),
        "session": spread(session),
        "run": spread(run),
        "onset_s": np.full(n, np.nan) if onset_s is None else np.asarray(onset_s, np.float64),
        "stimulus_id": ids,
    }
    table["repeat"] = _count_repeats(table) if repeat is None else np.asarray(repeat, np.int64)
    place = [f"{dataset}/{i}" for i in range(n)]
    names = zip(place, table["subject"], table["session"], table["run"], ids, strict=True)
    table["sample_id"] = make_tokens(["/".join(parts) for parts in names], "sample")
    if stimuli is not None:
        shown = ids != ""
        rows = find_rows(
            stimuli.items["id"], ids[shown], what="stimulus", where=f"dataset {dataset}"
        )
        for column in ("source", "digest", "category"):
            if column in stimuli.items:
                known = stimuli.items[column]
                values = np.full(n, "", known.dtype if known.dtype.kind == "U" else "U32")
                values[shown] = known[rows].astype(values.dtype)
                table[column] = values
    return Table({**table, **columns})


def make_items(ids: Any, data: Array, *, source: Any = None, **columns: Any) -> Table:
    """Return a complete item table for stimuli.

    Parameters
    ----------
    ids : sequence of str
        Unique.
    data : array, shape (n_items, ...)
        Digested item by item.
    source : sequence of str or None
        The item that each was made from, such as the photograph a crop was cut from; the id if
        None. Give it a prefix that names its collection.
    """
    ids = np.asarray(ids).astype(str)
    digests = [digest_array(np.asarray(data[i])) for i in range(len(ids))]
    source = ids if source is None else np.asarray(source).astype(str)
    return Table({"id": ids, "source": source, "digest": digests, **columns})


def make_scan_items(samples: Table) -> Table:
    """Return the item table of features that describe scans, one row per sample.

    Such features are joined to responses by ``sample_id``.

    Parameters
    ----------
    samples : Table
        Of a time series; see make_samples.
    """
    names = np.char.add("scan/", samples["sample_id"].astype(str))
    kept = {name: samples[name] for name in ("sample_id", "subject", "session", "run", "onset_s")}
    return Table({"id": names, "source": names, "digest": names, **kept})


def _count_repeats(table: Mapping[str, np.ndarray]) -> np.ndarray:
    seen: dict[tuple[str, str], int] = {}
    counts = []
    for key in zip(table["subject"], table["stimulus_id"], strict=True):
        counts.append(seen.get(key, 0))
        seen[key] = counts[-1] + 1
    return np.array(counts, np.int64)
