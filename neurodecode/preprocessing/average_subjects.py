"""The mean response of a group: what subjects share, while their noise averages out.

Subjects are matched scan by scan, by session, run and onset, or trial by trial, by stimulus. A
group mean says nothing about single subjects: report these, too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from neurodecode.core.artifacts import Responses, Space
from neurodecode.core.checks import check_finite, list_names
from neurodecode.core.errors import DataError
from neurodecode.core.lineage import ContactKind
from neurodecode.core.stage import Sight, Stage
from neurodecode.core.tables import Table

GROUP = "mean"  # the subject of a mean
Key = tuple[str, ...]


class AverageSubjects(Stage):
    """Average corresponding rows over subjects whose columns correspond (parcels, a surface).

    Bring subjects to one scale first (preprocessing.zscore per run), or those of larger signals
    count more. A mean keeps its row in the first subject's table, ``sample_id`` and all, so that
    what is joined by scan finds it; its subject is "mean", and ``n_subjects`` says of how many.
    Where scans show no stimulus, lineage takes all of them for one; give the step a reason in
    allow_transductive then.

    Parameters
    ----------
    match : {"onset", "stimulus"}
        Rows correspond where session, run and onset (to a hundredth of a second) are equal, for
        time series; or where stimulus_id is, for one response per stimulus.
    min_subjects : int or None
        Leave out rows that fewer subjects have; None refuses rows that not all of them have.
    """

    stage: ClassVar[str] = "preprocessing.average_subjects"
    contact: ClassVar[ContactKind] = "transductive"

    match: Literal["onset", "stimulus"] = "onset"
    min_subjects: Annotated[int, Field(ge=2)] | None = None

    def sees(self) -> dict[str, Sight]:
        """A mean depends on what all subjects gave to one stimulus."""
        return {"responses": "stimulus"}

    def run(self, responses: dict[str, Responses]) -> Responses:
        """Return the mean over all subjects in all parts.

        Parameters
        ----------
        responses : mapping of label to Responses
            Gathered subjects, or one stack of them.

        Raises
        ------
        DataError
            Columns do not correspond, a row is there twice, or subjects have different rows.
        """
        first_name, first = next(iter(responses.items()))
        rows_of: dict[Key, list[tuple[str, int]]] = {}
        subjects: dict[str, dict[Key, tuple[str, int]]] = {}
        for name, part in responses.items():
            self._check_alike(first_name, first, name, part)
            for row, (subject, key) in enumerate(self._list_keys(part.samples)):
                own = subjects.setdefault(subject, {})
                if key in own:
                    raise DataError(
                        f"{self.stage}: subject '{subject}' has {' '.join(key)} twice. Average "
                        "repeats first (preprocessing.average_repeats), or give each part once."
                    )
                own[key] = (name, row)
                rows_of.setdefault(key, []).append((name, row))
        if len(subjects) < 2:
            raise DataError(
                f"{self.stage}: there is one subject, {list_names([*subjects])}. Allowed: two or "
                "more. Gather them (gather: subject), or load all."
            )
        keys = self._choose_keys(rows_of, subjects)
        total = np.zeros((len(keys), *first.data.shape[1:]))
        place = {key: number for number, key in enumerate(keys)}
        for own in subjects.values():  # one subject in memory at a time
            shared = [(place[key], *at) for key, at in own.items() if key in place]
            for part_name in dict.fromkeys(at[1] for at in shared):
                into = np.array([at[0] for at in shared if at[1] == part_name])
                rows = np.array([at[2] for at in shared if at[1] == part_name])
                order = np.argsort(rows)
                block = np.asarray(responses[part_name].data[rows[order]])
                check_finite(block, what="responses", where=f"{self.stage}: '{part_name}'")
                total[into[order]] += block
        counts = np.array([len(rows_of[key]) for key in keys])
        mean = total / counts.reshape(-1, *(1,) * (total.ndim - 1))
        dtype = np.result_type(first.data.dtype, np.float32)
        samples = _make_table(responses, [rows_of[key][0] for key in keys], counts)
        return replace(first, data=mean.astype(dtype), samples=samples)

    def _list_keys(self, samples: Table) -> list[tuple[str, Key]]:
        """Return each row's subject, and what it is matched by."""
        subjects = samples["subject"].astype(str).tolist()
        if self.match == "stimulus":
            ids = samples["stimulus_id"].astype(str)
            if (ids == "").any():
                raise DataError(
                    f"{self.stage}: {int((ids == '').sum())} rows show no stimulus, so that they "
                    "cannot be matched by it. Set match: onset."
                )
            return [(s, (i,)) for s, i in zip(subjects, ids.tolist(), strict=True)]
        onset_s = samples["onset_s"]
        if not np.isfinite(onset_s).all():
            raise DataError(
                f"{self.stage}: {int((~np.isfinite(onset_s)).sum())} rows have no onset, so that "
                "they cannot be matched by it. Set match: stimulus."
            )
        times = [f"{time:.2f}s" for time in onset_s.tolist()]
        places = zip(samples["session"].tolist(), samples["run"].tolist(), times, strict=True)
        return [
            (s, (f"ses-{a}", f"run-{b}", c)) for s, (a, b, c) in zip(subjects, places, strict=True)
        ]

    def _choose_keys(
        self,
        rows_of: dict[Key, list[tuple[str, int]]],
        subjects: dict[str, dict[Key, tuple[str, int]]],
    ) -> list[Key]:
        n = len(subjects)
        wanted = n if self.min_subjects is None else self.min_subjects
        if wanted > n:
            raise DataError(
                f"{self.stage}: min_subjects is {wanted}, but there are {n} subjects. Lower it."
            )
        short = [key for key, rows in rows_of.items() if len(rows) < wanted]
        if short and self.min_subjects is None:
            lacks = [s for s, own in subjects.items() if short[0] not in own]
            raise DataError(
                f"{self.stage}: {len(short)} of {len(rows_of)} rows are not there for all "
                f"{n} subjects (first: {' '.join(short[0])}, absent for {list_names(lacks)}). "
                "Leave that subject out, or set min_subjects."
            )
        return [key for key, rows in rows_of.items() if len(rows) >= wanted]

    def _check_alike(self, first_name: str, first: Responses, name: str, part: Responses) -> None:
        where = f"{self.stage}: '{name}'"
        if part.foldwise is not None:
            raise DataError(f"{where} was preprocessed per fold. Average before that step.")
        if part.data.shape[1:] != first.data.shape[1:] or not _corresponds(first.space, part.space):
            raise DataError(
                f"{where} has {part.data.shape[1]} columns of {part.space.kind}, '{first_name}' "
                f"{first.data.shape[1]} of {first.space.kind}, and they do not correspond. Bring "
                "subjects into one space first (a common surface, parcels)."
            )
        for what in ("units", "t_r", "sfreq", "tmin"):
            ours, theirs = getattr(first, what), getattr(part, what)
            if ours != theirs:
                raise DataError(
                    f"{where} has {what} {theirs}, '{first_name}' {ours}. Make them equal."
                )


def _make_table(
    responses: dict[str, Responses], rows: list[tuple[str, int]], counts: np.ndarray
) -> Table:
    """Return the rows of the first subject that has each, with what all parts' tables name."""
    shared = [c for c in next(iter(responses.values())).samples
              if all(c in part.samples for part in responses.values())]  # fmt: skip
    columns = {
        column: np.array([responses[name].samples[column][row] for name, row in rows])
        for column in shared
    }
    columns["subject"] = np.full(len(rows), GROUP)
    return Table({**columns, "n_subjects": counts})


def _corresponds(ours: Space, theirs: Space) -> bool:
    if (ours.kind, ours.mesh) != (theirs.kind, theirs.mesh):
        return False
    for name in ("vertices", "mask", "affine", "names"):
        a, b = getattr(ours, name), getattr(theirs, name)
        if (a is None) != (b is None) or (a is not None and not np.array_equal(a, b)):
            return False
    return True
