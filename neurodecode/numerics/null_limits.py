"""Where each null of a time series holds, as measured, and the length of its blocks.

Measured with independent predictions and responses (AR(1) with 0.3 to 0.95, 1/f with exponents 1
and 1.5, noise through an HRF) in runs of 75 to 600 scans, 5,000 data sets of each: the share with
p < 0.05, which is to lie between 3 and 6.5 %. tests/benchmarks/bench_nulls.py prints the table.

phases, circular_shift   hold where a stretch of scans counts as 15 independent samples or more: 3.9
                         to 6.1 and 3.4 to 6.0 %. With 7 to 9 they find 6.7 to 8.3 %, and 1/f noise
                         of exponent 1.5 stays there at any length. Family-wise corrections need
                         40: by the maximum over 200 voxels phases had a family-wise error of 11 %
                         with 24 (1/f, 4 runs of 150), and of 4 to 7 % with 47 (AR(1) 0.7).
phases                   make predictions normal. Spikes in predictions and responses both give the
                         correlation a tail that its null has not: with an excess kurtosis of 2 to 3
                         phases found 0.7 % at p < 0.005, and had a family-wise error of 22 % over
                         200 voxels; blocks (7 %) and shifts (8 %) keep the values as they are.
circular_shift           that leaves out the shifts near 0, as is common, is no group of
                         permutations any more: without 10 on either side 5.9 to 12.3 % at 150
                         scans, 5.1 to 6.3 % at 1,000. At most 2 % may be left out.
blocks                   of ten times the reach or more (autocorrelation.py) lose at most a tenth of
                         the null's variance: 4.6 to 6.3 %. Half that length gives up to 7.3 %. A
                         stretch must hold five. The far tail is hit harder: family-wise error by
                         the maximum over 500 voxels was 8.0 % (phases 4.5 %), so that family-wise
                         corrections need blocks of fifty times the reach.
drifts                   taken out of predictions and responses both (degree 5 in 120 scans, AR(1)
                         0.85): phases and shifts 6.5 to 7.4 %, blocks up to 9.0 %. Phases and
                         shifts then need 8 independent samples for each drift (4.1 to 6.0 %), and
                         blocks are refused. Taken out of the responses alone, all find 6.2 % or
                         less; from 1/f predictions as little as 2.6 %.
exchange                 of single scans finds 6 to 42 %, never for a time series.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from neurodecode.core.errors import DataError
from neurodecode.numerics.autocorrelation import Memory
from neurodecode.numerics.nulls import FEWEST_BLOCKS, Kind, cut_blocks

FEWEST_INDEPENDENT, FEWEST_INDEPENDENT_FAMILY = 15.0, 40.0
LARGEST_LOSS = 0.1
LARGEST_LOSS_FAMILY = 0.02  # where the far tail counts: maxima over voxels, clusters, regions
INDEPENDENT_PER_DRIFT = 8.0
MOST_SPIKES, MOST_SPIKES_FAMILY = 0.5, 0.02  # excess kurtosis of the correlation
LARGEST_GAP = 0.02  # share of the shifts on either side of 0 that are left out
PREFERRED: tuple[Kind, ...] = ("phases", "blocks", "circular_shift")

Choice = Literal["auto", "exchange", "blocks", "circular_shift", "phases", "none"]


def choose_block_rows(memory: Memory, family_wise: bool = False) -> int:
    """Return the length of blocks: ten times the reach, and no less than n^(1/3).

    For family-wise corrections, fifty times the reach.

    Examples
    --------
    >>> choose_block_rows(Memory(tau=2.0, reach=0.5, length=150))
    6
    >>> choose_block_rows(Memory(tau=3.0, reach=1.65, length=150))
    17
    """
    loss = LARGEST_LOSS_FAMILY if family_wise else LARGEST_LOSS
    return max(int(np.ceil(memory.reach / loss)), int(np.ceil(memory.length ** (1 / 3))))


def choose_null(memory: Memory, lengths: Sequence[int], family_wise: bool = False) -> Kind | None:
    """Return the null to use where none is asked for; None where none holds.

    Phases first, which follow each voxel's own spectrum and are without number; then blocks, and
    shifts, of which a single run has but as many as scans.
    """
    rows = choose_block_rows(memory, family_wise)
    held = (
        kind
        for kind in PREFERRED
        if not find_fault(kind, memory, lengths, rows, family_wise=family_wise)
    )
    return next(held, None)


def check_null(
    kind: Kind,
    memory: Memory,
    lengths: Sequence[int],
    block_rows: int,
    gap_rows: int,
    where: str,
    *,
    family_wise: bool = False,
) -> None:
    """Raise DataError where a null would find too much, or too little, in these data.

    Parameters
    ----------
    lengths : sequence of int
        Of the stretches of time, in scans.
    block_rows, gap_rows : int
        Of "blocks" the least length; of "circular_shift" the shifts left out on either side of 0.
    family_wise : bool
        Whether the largest of many voxels or regions is to be judged.
    """
    fault = find_fault(kind, memory, lengths, block_rows, gap_rows, family_wise=family_wise)
    if fault:
        raise DataError(
            f"{where}: the null '{kind}' does not hold here: {fault}. Use null: auto, hold out "
            "longer stretches of time, or take slow drifts out of the responses first."
        )


def find_fault(
    kind: Kind,
    memory: Memory,
    lengths: Sequence[int],
    block_rows: int,
    gap_rows: int = 0,
    *,
    family_wise: bool = False,
) -> str:
    """Return why a null does not hold, or "" where it does."""
    if kind == "exchange":
        return "scans follow each other, and exchanging them finds 6 to 42 % where 5 are due"
    least = FEWEST_INDEPENDENT_FAMILY if family_wise else FEWEST_INDEPENDENT
    needed = max(least, INDEPENDENT_PER_DRIFT * memory.n_drifts)
    if memory.n_independent < needed:
        drifts = (
            f" with {memory.n_drifts} drifts taken out of both sides" if memory.n_drifts else ""
        )
        return (
            f"{memory.length:.0f} scans in a row{drifts} count as {memory.n_independent:.1f} "
            f"independent samples (autocorrelation; {memory.tau:.1f} scans each; needed"
            f"{', for a family-wise correction' if family_wise else ''}: {needed:.0f}), too few to "
            "hold 5 %"
        )
    if kind == "blocks" and memory.n_drifts:
        return (
            f"slow drifts ({memory.n_drifts}) were taken out of predictions and responses both, "
            "and blocks put them back into the predictions"
        )
    most_spikes = MOST_SPIKES_FAMILY if family_wise else MOST_SPIKES
    if kind == "phases" and memory.spikes > most_spikes:
        return (
            "predictions and responses both hold spikes, which turned phases do not (excess "
            f"kurtosis of their correlation {memory.spikes:.2g}; allowed: {most_spikes:g})"
        )
    if kind == "blocks":
        sizes = [cut_blocks(n, block_rows) for n in lengths]
        loss = memory.reach / np.average([size for _, size in sizes], weights=lengths)
        most = LARGEST_LOSS_FAMILY if family_wise else LARGEST_LOSS
        if loss > most * (1 + 1e-9):
            return (
                f"blocks of {block_rows} scans lose {loss:.0%} of the null's variance (needed"
                f"{', for a family-wise correction' if family_wise else ''}: {most:.0%} or less, "
                f"blocks of {choose_block_rows(memory, family_wise)} scans)"
            )
        fewest = np.average([n for n, _ in sizes], weights=lengths)
        if fewest < FEWEST_BLOCKS:
            return (
                f"{memory.length:.0f} scans in a row hold {fewest:.1f} blocks of {block_rows} "
                f"(needed: {FEWEST_BLOCKS})"
            )
    gap = 2 * gap_rows / memory.length
    if kind == "circular_shift" and gap > LARGEST_GAP:
        return (
            f"{gap:.0%} of the shifts are left out, and at 13 % it finds 6 to 12 % where 5 are due "
            f"(needed: {LARGEST_GAP:.0%} or less; 0 leaves none out)"
        )
    return ""
