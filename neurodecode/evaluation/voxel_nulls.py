"""Which null the responses at hand call for, and what it can tell. No stage.

Of trials, whole units are exchanged; of a time series, the null that holds (null_limits.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from neurodecode.core.errors import DataError
from neurodecode.evaluation.held_out import Reader
from neurodecode.numerics.autocorrelation import Memory
from neurodecode.numerics.null_limits import (
    Choice,
    check_null,
    choose_block_rows,
    choose_null,
    find_fault,
)
from neurodecode.numerics.nulls import CROSSED, Kind, Null
from neurodecode.numerics.voxel_bootstrap import FEWEST_UNITS, count_units, cut_units
from neurodecode.numerics.voxel_test import VoxelTest


@dataclass(frozen=True)
class Plan:
    """How predictions are permuted, and rows are drawn again.

    Parameters
    ----------
    null : Null or None
        None where there are no p-values.
    units : array of int, shape (n_rows,)
        Units that a bootstrap draws within each part: of a time series, blocks of scans.
    by_part : bool
        Whether it draws whole parts instead, as some hold too few units.
    notices : sequence of str
    family_wise : bool
        Whether the null holds for the largest of many voxels, too.
    """

    null: Null | None
    units: np.ndarray
    by_part: bool
    notices: tuple[str, ...]
    family_wise: bool = True


def plan_null(
    reader: Reader,
    choice: Choice,
    n_permutations: int,
    seed: int,
    *,
    block_s: float | None = None,
    min_shift_s: float = 0.0,
    family_wise: bool = False,
) -> Plan:
    """Return the null, or none and why there are no p-values, and the units of a bootstrap.

    Raises
    ------
    DataError
        The null that was asked for does not hold for these data.
    """
    wanted = choice != "none" and n_permutations > 0
    if wanted and reader.tests_twice:
        plan = plan_null(reader, "none", 0, seed, block_s=block_s)
        why = _word_none(
            "some samples are tested in several folds, and their rows cannot be permuted apart "
            "from each other (intervals take them as independent, too)"
        )
        return replace(plan, notices=(why,))
    if reader.segments is None:
        null: Null | None = None
        told: tuple[str, ...] = (_word_none("none were asked for"),)
        if wanted:
            null, told = _plan_trials(reader, choice, n_permutations, seed)
        by_part = count_units(reader.units, reader.parts) < FEWEST_UNITS
        return Plan(null, reader.units, by_part, told)
    t_r, lengths = float(reader.responses.t_r or 0), [len(rows) for rows in reader.segments]
    memory = reader.measure_memory()
    block_rows = max(1, round((block_s or 0) / t_r))
    if block_s is None:
        block_rows = choose_block_rows(memory)
    units = cut_units(len(reader.rows), reader.segments, block_rows)
    by_part = count_units(units, reader.parts) < FEWEST_UNITS
    if not wanted:
        return Plan(None, units, by_part, (_word_none("none were asked for"),))
    kind: Kind | None = choose_null(memory, lengths, family_wise)
    if choice != "auto":
        kind = choice  # type: ignore[assignment]
    if block_s is None and family_wise:
        block_rows = choose_block_rows(memory, family_wise)
    if kind is None:
        fault = find_fault("phases", memory, lengths, block_rows, family_wise=family_wise)
        why = _word_none(f"no null of a time series holds here: {fault}")
        return Plan(None, units, by_part, (why,))
    gap_rows = round(min_shift_s / t_r) if kind == "circular_shift" else 0
    check_null(kind, memory, lengths, block_rows, gap_rows, reader.where, family_wise=family_wise)
    stretch, crossed = widen_null(reader)
    null = Null(
        kind, n_permutations, seed, block_rows if kind == "blocks" else 1, gap_rows, stretch
    )
    holds = not find_fault(kind, memory, lengths, block_rows, gap_rows, family_wise=True)
    told = (_describe(kind, memory, block_rows, t_r), *crossed)
    return Plan(null, units, by_part, told, holds)


def _plan_trials(
    reader: Reader, choice: Choice, n_permutations: int, seed: int
) -> tuple[Null | None, tuple[str, ...]]:
    if choice not in ("auto", "exchange"):
        raise DataError(
            f"{reader.where}: the null '{choice}' works in time, and these responses are "
            "trials (no t_r). Use null: exchange."
        )
    stretch, told = widen_null(reader)
    null = Null("exchange", n_permutations, seed, stretch=stretch)
    if null.count_distinct(reader.list_segments(), reader.units) < 2:
        return None, (_word_none("there is nothing to exchange within a part"),)
    return null, told


def widen_null(reader: Reader) -> tuple[float, tuple[str, ...]]:
    """Return by how much the null is widened (voxel_scores.py says why), and what is said of it."""
    if not reader.is_crossed:
        return 1.0, ()
    told = "Folds train each other's models, so that their scores vary together by chance"
    return CROSSED, (
        f"{told}: null scores are widened by √2. Intervals are not, and near chance they are too "
        "narrow (of noise, 79 % held 0 where 95 % should).",
    )


def tell_floor(reader: Reader, null: Null, found: VoxelTest | None = None) -> list[str]:
    """Say what the smallest p is that can be reached, and whether a correction can be passed."""
    n_distinct = null.count_distinct(reader.list_segments(), reader.units)
    floor = max(1 / (1 + null.n_permutations), 1 / n_distinct)
    told = f"The smallest attainable p is {floor:.2g}, counted"
    if found is None:
        return [f"{told}."]
    tested = int(np.isfinite(found.p).sum())
    needed = int(np.ceil(floor * tested / 0.05))
    if found.n_fitted:
        return [
            f"{told}; smaller ones are from a generalised Pareto fit of the null's tail (with a "
            "shape of at least 0, which is conservative)."
        ]
    notices = [f"{told}."]
    if needed > 1:
        notices.append(
            f"At this floor Benjamini-Hochberg over {tested} voxels passes none unless {needed} "
            "of them sit there. Use tail: pareto, more permutations, or correction: max."
        )
    return notices


def _word_none(why: str) -> str:
    return (
        f"No p-values: {why}. Chance is taken as 0; add shuffled_brain controls for its true value."
    )


def _describe(kind: Kind, memory: Memory, block_rows: int, t_r: float) -> str:
    how = {
        "blocks": f"blocks of {block_rows} scans ({block_rows * t_r:g} s) change places",
        "circular_shift": "predictions are shifted, each stretch of scans in a circle",
        "phases": "phases of the predictions are randomised",
    }[kind]
    return (
        f"Null: {how}, within stretches of {memory.length:.0f} scans, each worth "
        f"{memory.n_independent:.0f} independent samples."
    )
