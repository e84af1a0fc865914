"""Rules about what decoded items are compared with: copies, ties, sets of differing size."""

from __future__ import annotations

import numpy as np

from neurodecode.core.artifacts import Artifact, Features, Predictions, Reconstructions, Stimuli
from neurodecode.core.lineage import make_row_tokens
from neurodecode.core.lint.findings import Found, name_plural
from neurodecode.core.lint.made import Made
from neurodecode.core.tables import Table
from neurodecode.core.trace import get_row_table

# Larger features are not read for a look at ties: 256 MB take about a second.
MAX_BYTES = 1 << 28
UNEVEN_SIZES = 1.5


def duplicate_items(made: Made) -> Found:
    """Stimuli whose content is the same under ids and sources that differ."""
    for artifact in made.outputs.values():
        if not isinstance(artifact, Stimuli) or "digest" not in artifact.items:
            continue
        items = artifact.items
        digests = items["digest"].astype(str)
        source = items["source" if "source" in items else "id"].astype(str)
        _, where, counts = np.unique(digests, return_inverse=True, return_counts=True)
        twice = (counts[where.ravel()] > 1) & (digests != "")
        groups = [np.flatnonzero(twice & (where.ravel() == g)) for g in np.flatnonzero(counts > 1)]
        groups = [g for g in groups if len(g) and len(np.unique(source[g])) > 1]
        if groups:
            n, ids = sum(len(g) for g in groups), items["id"][groups[0]].astype(str)
            return "note", (
                f"{name_plural(n, 'item')} of {len(items):,} have the very content of another one "
                f"under another name (first: '{ids[0]}' and '{ids[1]}'). A split by stimulus and "
                "the leakage check take them for one; a list of images should hold them once."
            )
    return None


def tied_candidates(made: Made) -> Found:
    """Candidates of different content whose features are the same: they tie whatever is decoded."""
    if not made.stage.scores:
        return None
    truth, decoded = made.find_input(Features), made.find_input(Predictions)
    if not isinstance(truth, Features) or decoded is None:
        return None
    ids = np.unique(_read_ids(decoded))
    at = np.flatnonzero(np.isin(truth.items["id"].astype(str), ids))
    if len(at) < 2 or _count_bytes(truth, len(at)) > MAX_BYTES:
        return None
    rows = np.ascontiguousarray(np.asarray(truth.data[at]).reshape(len(at), -1))
    same = np.unique(rows.view([("", np.void, rows.strides[0])]).ravel(), return_inverse=True)[1]
    tokens = make_row_tokens(truth.items.take(at)).get("stimulus", np.zeros((len(at), 1)))
    tied: list[int] = []
    for group in np.flatnonzero(np.bincount(same.ravel()) > 1):
        members = np.flatnonzero(same.ravel() == group)
        if len(np.unique(tokens[members, -1])) > 1:  # copies are no distractors of each other
            tied += members.tolist()
    if not tied:
        return None
    first, second = truth.items["id"][at[tied[:2]]].astype(str)
    return "warning", (
        f"{len(tied):,} of {len(at):,} candidates have the very features of another stimulus "
        f"(first: '{first}' and '{second}'): they tie whatever is decoded. Score with features "
        "that tell them apart."
    )


def _count_bytes(features: Features, n_rows: int) -> int:
    return n_rows * int(np.prod(features.data.shape[1:])) * np.dtype(features.data.dtype).itemsize


def uneven_candidates(made: Made) -> Found:
    """Folds whose candidate sets differ in size, where candidates are those of the fold."""
    decoded = made.find_input(Predictions, Reconstructions)
    table = get_row_table(decoded) if decoded is not None else None
    if getattr(made.stage, "candidates", None) != "fold" or table is None or "fold" not in table:
        return None
    ids, folds = _read_ids(decoded), table["fold"]
    sizes = [len(np.unique(ids[folds == fold])) for fold in np.unique(folds)]
    if max(sizes) < UNEVEN_SIZES * min(sizes):
        return None
    return "note", (
        f"{min(sizes)} to {max(sizes)} candidates, depending on the fold: top-k mixes tasks of "
        "differing difficulty. Even out the folds, or state both numbers."
    )


def _read_ids(artifact: Artifact | None) -> np.ndarray:
    table = get_row_table(artifact) if artifact is not None else None
    if table is None:
        table = Table({"id": np.zeros(0, str)})
    return table["stimulus_id" if "stimulus_id" in table else "id"].astype(str)
