"""One mean response per stimulus, or per block of a block design.

Averaging raises the signal-to-noise ratio of what is fitted and scored, and with it every score:
say in the methods what was averaged. A mean keeps the identity (``sample_id``) of its first row.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np

from neurodecode.core.artifacts import Responses
from neurodecode.core.checks import check_finite, list_names
from neurodecode.core.errors import DataError
from neurodecode.core.lineage import ContactKind
from neurodecode.core.rows import group_samples
from neurodecode.core.stage import Sight, Stage
from neurodecode.core.tables import Table
from neurodecode.numerics.classification import find_blocks

AVERAGED = "averaged"  # the run or session of a mean over several


class AverageRepeats(Stage):
    """Average the rows of a stimulus, or of a block.

    A mean has the columns of its first row and ``n_averaged``; its run and session are "averaged"
    where its rows are of several, and its onset is then not known. Rows without a stimulus (or a
    label) belong to no mean and are left out. The result is no time series: it has no ``t_r``.

    Parameters
    ----------
    by : {"stimulus", "block"}
        All rows that show one stimulus (by id, source or content), or successive rows of a run
        that share a label.
    within : {"subject", "session", "run"}
        Rows of one stimulus are averaged within these, never across. Blocks lie within runs.
    label : str
        Column whose value a block shares.
    leave_out : tuple of str
        Labels that make no block, such as ["rest"].
    """

    stage: ClassVar[str] = "preprocessing.average_repeats"
    contact: ClassVar[ContactKind] = "transductive"

    by: Literal["stimulus", "block"] = "stimulus"
    within: Literal["subject", "session", "run"] = "subject"
    label: str = "category"
    leave_out: tuple[str, ...] = ()

    def sees(self) -> dict[str, Sight]:
        """A mean depends on the rows of its stimulus, or of its run."""
        return {"responses": "stimulus" if self.by == "stimulus" else "run"}

    def run(self, responses: Responses) -> Responses:
        """Return the means, in the order of their first rows.

        Raises
        ------
        DataError
            The column is absent, or no row has a label or stimulus.
        """
        if responses.foldwise is not None:
            raise DataError(
                f"{self.stage}: the responses were preprocessed per fold. Put this step before "
                "that one."
            )
        samples = responses.samples
        groups = self._group_stimuli(samples) if self.by == "stimulus" else self._group(samples)
        kept = np.flatnonzero(groups >= 0)
        if not len(kept):
            raise DataError(
                f"{self.stage}: none of the {len(samples)} rows belongs to a {self.by}. Name the "
                "column of labels in label, or set by: stimulus where rows have stimuli."
            )
        _, first, of_row = np.unique(groups[kept], return_index=True, return_inverse=True)
        order = np.argsort(first, kind="stable")
        members = [kept[of_row == number] for number in order]
        out = np.empty((len(members), *responses.data.shape[1:]), _choose_dtype(responses))
        for place, rows in enumerate(members):
            block = np.asarray(responses.data[rows])
            check_finite(block, what="responses", where=self.stage)
            out[place] = block.mean(axis=0, dtype=np.float64)
        return replace(responses, data=out, samples=_average_table(samples, members), t_r=None)

    def _group_stimuli(self, samples: Table) -> np.ndarray:
        """Return the group of each row; -1 for rows without a stimulus."""
        stimuli = group_samples(samples, "stimulus", self.stage)
        places = group_samples(samples, self.within, self.stage)
        groups = np.unique(np.stack([stimuli, places]), axis=1, return_inverse=True)[1].ravel()
        return np.where(samples["stimulus_id"].astype(str) == "", -1, groups)

    def _group(self, samples: Table) -> np.ndarray:
        """Return the block of each row; -1 for rows that belong to none."""
        if self.label not in samples:
            raise DataError(
                f"{self.stage}: the samples have no column '{self.label}'. Columns: "
                f"{list_names(list(samples))}. Name one of them in label."
            )
        labels = samples[self.label].astype(str)
        onset_s = samples["onset_s"]
        place = onset_s if np.isfinite(onset_s).all() else np.arange(len(labels), dtype=float)
        blocks = find_blocks(labels, group_samples(samples, "run", self.stage), place)
        return np.where((labels == "") | np.isin(labels, self.leave_out), -1, blocks)


def _average_table(samples: Table, members: list[np.ndarray]) -> Table:
    """Return a row per mean: the first of its rows, and what that would say wrongly put right."""
    first = samples.take(np.array([rows[0] for rows in members]))
    changed: dict[str, Any] = {"n_averaged": np.array([len(rows) for rows in members])}
    several = {
        name: np.array([(samples[name][rows] != samples[name][rows[0]]).any() for rows in members])
        for name in ("session", "run")
    }
    for name, differs in several.items():
        if differs.any():
            changed[name] = np.where(differs, AVERAGED, first[name].astype(str))
    across = several["session"] | several["run"]
    changed["onset_s"] = np.where(across, np.nan, first["onset_s"])
    return first.with_columns(**changed)


def _choose_dtype(responses: Responses) -> np.dtype:
    dtype = np.dtype(responses.data.dtype)
    return dtype if dtype.kind == "f" and dtype.itemsize >= 4 else np.dtype(np.float32)
