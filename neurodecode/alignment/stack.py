"""Subjects one below the other, where their columns correspond.

Anatomical correspondence only: vertex i of one subject is set on vertex i of the other, as the
common surface has it. Nothing is fitted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np

from neurodecode.core.artifacts import Responses, Space
from neurodecode.core.errors import DataError
from neurodecode.core.stage import Sight, Stage
from neurodecode.core.tables import Table

KNOWN_OF_STIMULI = ("source", "digest", "category")


class Stack(Stage):
    """Set the responses of several subjects (or parts) one below the other."""

    stage: ClassVar[str] = "alignment.stack"

    def sees(self) -> Mapping[str, Sight]:
        """Each row on its own."""
        return {"responses": "row"}

    def run(self, responses: dict[str, Responses]) -> Responses:
        """Return all samples, in the order of the parts.

        Parameters
        ----------
        responses : mapping of label to Responses, each (n_samples, n_voxels)
            In one space and unit, without preprocessing per fold.

        Raises
        ------
        DataError
            The columns do not correspond, or a sample is there twice.
        """
        parts = list(responses.items())
        first_name, first = parts[0]
        for name, part in parts:
            _check_alike(first_name, first, name, part)
        samples = stack_tables([part.samples for _, part in parts])
        ids = samples["sample_id"]
        if len(np.unique(ids)) < len(ids):
            raise DataError(
                f"{self.stage}: {len(ids) - len(np.unique(ids))} samples are in several of "
                f"{', '.join(responses)}. Give each part once."
            )
        data = np.concatenate([np.asarray(p.data) for _, p in parts])
        return replace(first, data=data, samples=samples)


def stack_tables(tables: Sequence[Table]) -> Table:
    """Return sample tables one below the other, with the columns that all of them have.

    What stimuli are (source, content, category) is kept where any table knows it, since two names
    of one photograph are told by it: a part that does not know is told by the others, by id.
    """
    shared = {c: [table[c] for table in tables] for c in tables[0] if all(c in t for t in tables)}
    for column in KNOWN_OF_STIMULI:
        known = [table for table in tables if column in table]
        if column in shared or not known or "stimulus_id" not in shared:
            continue
        ids = np.concatenate([table["stimulus_id"] for table in known]).astype(str)
        values = np.concatenate([table[column] for table in known]).astype(str)
        told = dict(zip(ids.tolist(), values.tolist(), strict=True))
        shared[column] = [
            table[column].astype(str)
            if column in table
            else np.array([told.get(i, "") for i in table["stimulus_id"].astype(str).tolist()], str)
            for table in tables
        ]
    return Table({name: np.concatenate(columns) for name, columns in shared.items()})


def _check_alike(first_name: str, first: Responses, name: str, part: Responses) -> None:
    where = f"alignment.stack: '{name}'"
    if part.foldwise is not None:
        raise DataError(f"{where} was preprocessed per fold. Stack first, preprocess afterwards.")
    if part.data.shape[1:] != first.data.shape[1:]:
        raise DataError(
            f"{where} has {part.data.shape[1]} columns, '{first_name}' {first.data.shape[1]}. "
            "Bring them into one space first (a common surface, parcels)."
        )
    for what in ("units", "t_r", "sfreq", "tmin"):
        ours, theirs = getattr(first, what), getattr(part, what)
        if ours != theirs:
            raise DataError(f"{where} has {what} {theirs}, '{first_name}' {ours}. Make them equal.")
    if not _is_same_space(first.space, part.space):
        raise DataError(
            f"{where} lies in another space ({part.space.kind} {part.space.mesh}) than "
            f"'{first_name}' ({first.space.kind} {first.space.mesh}), or has other vertices. Bring "
            "them into one space first."
        )


def _is_same_space(ours: Space, theirs: Space) -> bool:
    if (ours.kind, ours.mesh) != (theirs.kind, theirs.mesh):
        return False
    pairs = [
        (getattr(ours, n), getattr(theirs, n)) for n in ("vertices", "mask", "affine", "names")
    ]
    return all(
        (a is None and b is None)
        or (a is not None and b is not None and np.array_equal(np.asarray(a), np.asarray(b)))
        for a, b in pairs
    )
