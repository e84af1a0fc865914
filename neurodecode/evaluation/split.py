"""Divide samples into training, validation and test rows, without breaking a unit of independence.

A unit is what may not lie on both sides: one sample, one stimulus (with its repeats, its crops and
its copies under other names), one category, run, session or subject. Folds are balanced greedily,
in the manner of scikit-learn's StratifiedGroupKFold: the largest units first, each to the fold
whose counts it keeps most even.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

import numpy as np
from pydantic import Field, NonNegativeInt, model_validator

from neurodecode.core.artifacts import TEST, TRAIN, UNUSED, VALIDATION, Responses
from neurodecode.core.artifacts import Split as SplitArtifact
from neurodecode.core.checks import list_names
from neurodecode.core.errors import DataError
from neurodecode.core.rows import find_neighbours
from neurodecode.core.stage import Sight, Stage
from neurodecode.core.tables import Table
from neurodecode.evaluation.summary import find_units
from neurodecode.numerics.statistics import number_groups

Share = Annotated[float, Field(gt=0, lt=1)]


class Split(Stage):
    """Assign every sample its role in each fold.

    Give one of ``n_folds``, ``test_fraction``, ``leave_one_out`` and ``test_where``; none of them
    means five folds.

    Parameters
    ----------
    by : str
        Unit of independence: "sample", "stimulus", "category", "run", "session", "subject",
        "column:NAME" for clusters named by a column of the sample table, or "block": stretches of
        each run, for time series with few runs. Every run is cut into ``n_folds`` of them, and
        the k-th of each is tested in fold k.
    n_folds : int or None
        Each unit is tested in one fold.
    test_fraction : float or None
        One fold; this share of the units is held out.
    leave_one_out : bool
        One fold per unit.
    test_where : mapping of column to value, or None
        One fold, as published: rows with these values are tested. Rows of ``train_where`` train,
        all others if it is not given.
    train_where : mapping of column to value, or None
    validation_fraction : float
        Share of each fold's training units kept for validation, in [0, 1).
    stratify : str or None
        Column whose values are spread evenly over the folds, such as "category".
    shuffle : bool
        Draw units at random; without, they are taken in their order. Blocks stay in their order.
    purge : int
        Rows beside a tested row, in its run, that neither train nor validate in that fold: as many
        as responses to one moment overlap with (an HRF lasts 16 s or so), since neighbours in
        time would give the tested rows away.
    seed : int
    """

    stage: ClassVar[str] = "evaluation.split"

    by: Annotated[
        str, Field(pattern=r"^(sample|stimulus|category|run|session|subject|block|column:.+)$")
    ] = "stimulus"
    n_folds: Annotated[int, Field(ge=2)] | None = None
    test_fraction: Share | None = None
    leave_one_out: bool = False
    test_where: dict[str, str | int] | None = None
    train_where: dict[str, str | int] | None = None
    validation_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.0
    stratify: str | None = None
    shuffle: bool = True
    purge: NonNegativeInt = 0
    seed: int = 0

    @model_validator(mode="after")
    def _check_one_way(self) -> Self:
        ways = {
            "n_folds": self.n_folds is not None,
            "test_fraction": self.test_fraction is not None,
            "leave_one_out": self.leave_one_out,
            "test_where": self.test_where is not None,
        }
        chosen = [name for name, given in ways.items() if given]
        if len(chosen) > 1:
            raise ValueError(f"{' and '.join(chosen)} exclude each other. Give one of them.")
        if self.train_where is not None and self.test_where is None:
            raise ValueError("train_where is set without test_where. Set test_where, too.")
        if self.by == "block" and (self.test_fraction or self.leave_one_out or self.test_where):
            raise ValueError("by: block takes n_folds only. Give n_folds, or split by: run.")
        if self.by == "block" and self.stratify is not None:
            raise ValueError("by: block is not stratified. Leave stratify out, or split by: run.")
        return self

    def sees(self) -> dict[str, Sight]:
        """Roles follow from the sample table alone; no data are read."""
        return {"responses": "row"}

    def run(self, responses: Responses) -> SplitArtifact:
        """Return the roles of all samples in every fold."""
        samples = responses.samples
        rng = np.random.default_rng(self.seed)
        if self.by == "block":
            return self._cut_runs(samples, rng)
        units = self._find_units(samples)
        if self.test_where is not None:
            roles = self._follow_columns(samples, units)
        else:
            roles = self._draw_folds(samples, units, rng)
        if self.validation_fraction:
            for fold in roles:
                self._hold_out_validation(fold, units, rng)
        self._purge(roles, samples)
        return SplitArtifact(roles=roles, samples=samples, unit=self.by, seed=self.seed)

    def _cut_runs(self, samples: Table, rng: np.random.Generator) -> SplitArtifact:
        """Return folds of stretches; the split's own table names each row's ``time_block``."""
        n_folds = self.n_folds or 5
        runs = find_units(samples, "run", self.stage)
        fold_of_row = cut_runs(runs, samples["onset_s"], n_folds)
        shortest = int(np.bincount(runs).min())
        if shortest < 3 * n_folds:
            raise DataError(
                f"{self.stage}: a run holds {shortest} samples, which are too few to cut into "
                f"{n_folds} blocks. Allowed: three samples a block. Use fewer folds, or by: run."
            )
        roles = np.where(fold_of_row == np.arange(n_folds)[:, None], TEST, TRAIN).astype(np.int8)
        units = number_groups(runs * n_folds + fold_of_row)
        if self.validation_fraction:
            for fold in roles:
                self._hold_out_validation(fold, units, rng)
        self._purge(roles, samples)
        table = samples.with_columns(time_block=units)
        return SplitArtifact(roles=roles, samples=table, unit="time_block", seed=self.seed)

    def _purge(self, roles: np.ndarray, samples: Table) -> None:
        """Take rows near tested ones out of training, in place."""
        if not self.purge:
            return
        runs = find_units(samples, "run", self.stage)
        for k, fold in enumerate(roles):
            near = np.flatnonzero(fold == TEST)
            for _ in range(self.purge):
                near = np.union1d(near, find_neighbours(runs, samples["onset_s"], near))
            fold[near[fold[near] != TEST]] = UNUSED
            if not (fold == TRAIN).any():
                raise DataError(
                    f"{self.stage}: purge {self.purge} leaves fold {k} without training rows. "
                    "Lower purge, or use fewer folds."
                )

    def _find_units(self, samples: Table) -> np.ndarray:
        column = self.by.removeprefix("column:")
        if self.by == "stimulus" or column != self.by or self.by in samples:
            return find_units(samples, column, self.stage)
        if self.by == "sample":
            return np.arange(len(samples))
        raise DataError(
            f"{self.stage}: by: {self.by}, but the samples have no such column. "
            f"Columns: {list_names(samples.columns)}."
        )

    def _draw_folds(
        self, samples: Table, units: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        n_units = int(units.max(initial=-1)) + 1
        n_folds = self.n_folds or (5 if self.test_fraction is None else 0)
        if self.leave_one_out:
            n_folds = n_units
        if n_units < max(2, n_folds):
            raise DataError(
                f"{self.stage}: {n_folds or 2} folds need as many units, but {len(samples)} "
                f"samples hold {n_units} ({self.by}). Use fewer folds, or split by a finer unit."
            )
        strata = _number_strata(samples, self.stratify)
        order = rng.permutation(n_units) if self.shuffle else np.arange(n_units)
        if self.test_fraction is not None:
            n_test = min(n_units - 1, max(1, round(self.test_fraction * n_units)))
            held = _choose_units(units, strata, order, n_test)
            return np.where(np.isin(units, held), TEST, TRAIN)[None].astype(np.int8)
        if self.leave_one_out:
            fold_of_unit = np.arange(n_units)
        else:
            fold_of_unit = _deal_units(units, strata, order, n_folds)
        tested = fold_of_unit[units][None] == np.arange(n_folds)[:, None]
        return np.where(tested, TEST, TRAIN).astype(np.int8)

    def _follow_columns(self, samples: Table, units: np.ndarray) -> np.ndarray:
        test = _find_where(samples, self.test_where or {})
        train = ~test if self.train_where is None else _find_where(samples, self.train_where)
        for name, rows in (("test_where", test), ("training", train)):
            if not rows.any():
                raise DataError(
                    f"{self.stage}: {name} matches none of the {len(samples)} samples. "
                    "Check the column's values."
                )
        both = np.intersect1d(units[test], units[train])
        if len(both):
            raise DataError(
                f"{self.stage}: {len(both)} units ({self.by}) lie in both the test and the "
                f"training rows as published; so do {int(np.isin(units[test], both).sum())} test "
                "rows. Split by a finer unit, and say so, or leave those rows out."
            )
        roles = np.full(len(samples), UNUSED, np.int8)
        roles[train], roles[test] = TRAIN, TEST
        return roles[None]

    def _hold_out_validation(
        self, fold: np.ndarray, units: np.ndarray, rng: np.random.Generator
    ) -> None:
        training = np.unique(units[fold == TRAIN])
        n_held = max(1, round(self.validation_fraction * len(training)))
        if n_held >= len(training):
            raise DataError(
                f"{self.stage}: validation_fraction {self.validation_fraction} leaves none of the "
                f"{len(training)} training units ({self.by}). Give a smaller one."
            )
        held = rng.permutation(training)[:n_held] if self.shuffle else training[-n_held:]
        fold[np.isin(units, held) & (fold == TRAIN)] = VALIDATION


def cut_runs(runs: np.ndarray, onset_s: np.ndarray, n_blocks: int) -> np.ndarray:
    """Return which of ``n_blocks`` stretches of its run each row lies in.

    Parameters
    ----------
    runs : array of int, shape (n_samples,)
    onset_s : array of float, shape (n_samples,)
        Rows of a run are ordered by it where all of them have one, else as they lie.
    n_blocks : int

    Examples
    --------
    >>> cut_runs(np.array([0, 0, 0, 0, 1, 1]), np.full(6, np.nan), 2).tolist()
    [0, 0, 1, 1, 0, 1]
    """
    place = onset_s if np.isfinite(onset_s).all() else np.arange(len(runs))
    blocks = np.zeros(len(runs), np.int64)
    for run in np.unique(runs):
        rows = np.flatnonzero(runs == run)
        ordered = rows[np.argsort(place[rows], kind="stable")]
        blocks[ordered] = np.arange(len(rows)) * n_blocks // len(rows)
    return blocks


def _number_strata(samples: Table, column: str | None) -> np.ndarray:
    if column is None:
        return np.zeros(len(samples), np.int64)
    return np.unique(samples[column], return_inverse=True)[1]


def _find_where(samples: Table, wanted: dict[str, str | int]) -> np.ndarray:
    rows = np.ones(len(samples), bool)
    for column, value in wanted.items():
        rows &= samples[column].astype(str) == str(value)
    return rows


def _count_strata(units: np.ndarray, strata: np.ndarray) -> np.ndarray:
    counts = np.zeros((int(units.max()) + 1, int(strata.max()) + 1))
    np.add.at(counts, (units, strata), 1)
    return counts


def _deal_units(
    units: np.ndarray, strata: np.ndarray, order: np.ndarray, n_folds: int
) -> np.ndarray:
    """Return the fold of each unit, folds even in rows per stratum and none of them empty."""
    counts = _count_strata(units, strata)
    largest_first = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    held = np.zeros((n_folds, counts.shape[1]))
    n_held = np.zeros(n_folds, np.int64)
    folds = np.zeros(len(counts), np.int64)
    share = counts.sum(axis=0)
    for place, unit in enumerate(largest_first):
        grown = (held + counts[unit]) / share
        others = (held / share) ** 2
        uneven = (grown**2).sum(axis=1) - others.sum(axis=1)  # growth of the sum of squares
        if len(largest_first) - place <= (n_held == 0).sum():
            uneven = np.where(n_held == 0, uneven, np.inf)
        best = np.lexsort((n_held, uneven.round(12)))[0]
        folds[unit] = best
        held[best] += counts[unit]
        n_held[best] += 1
    return folds


def _choose_units(
    units: np.ndarray, strata: np.ndarray, order: np.ndarray, n_chosen: int
) -> np.ndarray:
    """Return units to hold out: an even share of each stratum, by the units' main stratum."""
    main = _count_strata(units, strata).argmax(axis=1)[order]
    place = np.zeros(len(order))
    for stratum in np.unique(main):
        rows = np.flatnonzero(main == stratum)
        place[rows] = (np.arange(len(rows)) + 0.5) / len(rows)  # quantile within its stratum
    return order[np.argsort(place, kind="stable")[:n_chosen]]
