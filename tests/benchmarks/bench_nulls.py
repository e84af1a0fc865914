"""Nulls of time series: false positives, power, tails and corrections at the size of a cortex.

Not collected by default; run it by hand:

    python tests/benchmarks/bench_nulls.py                # all tables
    python tests/benchmarks/bench_nulls.py rates power    # rates, power, cortex, error, stage
    pytest -m slow -s tests/benchmarks/bench_nulls.py

rates    share of independent data sets with p < 0.05 (5,000 or more of each kind), by null, length
         of the run and autocorrelation, with its binomial interval; and what null_limits.py says
power    share found, by effect size, of what no null refuses
cortex   time and memory at 200,000 voxels and 1,000 permutations; planted voxels found under FDR
         with and without fitted tails, and by the maximum
error    family-wise error and false discovery rate over repeated maps
stage    time and memory of evaluation.encoding on files, 200,000 voxels
drift    false positives where polynomials were taken out of responses, or of both sides
real     false positives on recorded BOLD (NEURODECODE_DATA) against predictions that know nothing
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pytest
from scipy.signal import fftconvolve, lfilter
from scipy.stats import binom

from neurodecode.core.device import limit_threads
from neurodecode.core.raw import list_data_roots
from neurodecode.numerics.autocorrelation import measure_memory
from neurodecode.numerics.null_limits import choose_block_rows, find_fault
from neurodecode.numerics.nulls import Null
from neurodecode.numerics.simulation_time import compute_hrf
from neurodecode.numerics.statistics import control_fdr, count_p
from neurodecode.numerics.voxel_scores import HeldOut, score_null, score_voxels
from neurodecode.numerics.voxel_test import compute_voxel_test

Noise = Callable[[int, int, np.random.Generator], np.ndarray]
AT_ONCE = 1000  # data sets that share their permutations
BAND = (0.03, 0.065)


def make_ar1(n: int, n_sets: int, rng: np.random.Generator, rho: float) -> np.ndarray:
    noise = rng.standard_normal((n, n_sets))
    noise[1:] *= np.sqrt(1 - rho**2)
    return lfilter([1], [1, -rho], noise, axis=0)


def make_power_law(n: int, n_sets: int, rng: np.random.Generator, exponent: float) -> np.ndarray:
    """Noise of power 1 / f^exponent, cut from a series 16 times as long: it is not periodic."""
    frequency = np.fft.rfftfreq(16 * n)
    frequency[0] = np.inf
    shape = (len(frequency), n_sets)
    spectrum = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    return np.fft.irfft(spectrum * (frequency ** (-exponent / 2))[:, None], 16 * n, axis=0)[:n]


def make_hrf(n: int, n_sets: int, rng: np.random.Generator) -> np.ndarray:
    """White events through an HRF, a scan every 2 s."""
    kernel = compute_hrf(np.arange(0, 32, 2.0))[:, None]
    return fftconvolve(rng.standard_normal((n + 40, n_sets)), kernel, axes=0)[30 : 30 + n]


KINDS: dict[str, tuple[Noise, Noise]] = {
    **{f"AR(1) {rho}": (partial(make_ar1, rho=rho),) * 2 for rho in (0.3, 0.5, 0.7, 0.85, 0.95)},
    "1/f": (partial(make_power_law, exponent=1.0),) * 2,
    "1/f^1.5": (partial(make_power_law, exponent=1.5),) * 2,
    "HRF, AR(1) 0.5": (make_hrf, partial(make_ar1, rho=0.5)),
    "HRF, 1/f": (make_hrf, partial(make_power_law, exponent=1.0)),
}


def plant_runs(
    kind: str, n_sets: int, n_rows: int, n_runs: int, rng: np.random.Generator, r: float = 0.0
) -> HeldOut:
    """Return independent data sets, one per voxel; responses hold r of the prediction."""
    first, second = KINDS[kind]
    x = [first(n_rows, n_sets, rng) for _ in range(n_runs)]
    y = [second(n_rows, n_sets, rng) for _ in range(n_runs)]
    x, y = ([one / one.std(axis=0) for one in runs] for runs in (x, y))
    predicted = np.concatenate(x)
    measured = np.concatenate([r * a + np.sqrt(1 - r**2) * b for a, b in zip(x, y, strict=True)])
    parts = np.repeat(np.arange(n_runs), n_rows)
    segments = [np.flatnonzero(parts == k) for k in range(n_runs)]
    return HeldOut(predicted, measured, parts, np.arange(len(parts)), segments)


def list_nulls(held: HeldOut, n_permutations: int, seed: int) -> Iterator[tuple[str, Null, str]]:
    """Yield the nulls of these data, and why one does not hold, or ""."""
    memory = measure_memory(held.predicted, held.measured, held.segments)
    lengths = [len(rows) for rows in held.segments]
    rows = choose_block_rows(memory)
    for name, null in {
        "phases": Null("phases", n_permutations, seed),
        "blocks": Null("blocks", n_permutations, seed, rows),
        "circular_shift": Null("circular_shift", n_permutations, seed),
        "shift of 10 or more": Null("circular_shift", n_permutations, seed, gap_rows=10),
        "rows": Null("exchange", n_permutations, seed),
    }.items():
        yield name, null, find_fault(null.kind, memory, lengths, rows, null.gap_rows)


def measure_rates(
    kind: str, n_rows: int, n_runs: int, *, n_sets: int = 5000, n_permutations: int = 499,
    r: float = 0.0, names: tuple[str, ...] = (), seed: int = 0,
) -> dict[str, tuple[float, bool]]:  # fmt: skip
    """Return the share of data sets with p < 0.05 of each null, and whether it is refused."""
    found: dict[str, list[np.ndarray]] = {}
    refused: dict[str, list[bool]] = {}
    for start in range(0, n_sets, AT_ONCE):
        rng = np.random.default_rng([seed, start, n_rows, n_runs])
        held = plant_runs(kind, min(AT_ONCE, n_sets - start), n_rows, n_runs, rng, r)
        observed = score_voxels(held, "r")
        for name, null, fault in list_nulls(held, n_permutations, seed + start):
            if not names or name in names:
                p = count_p(score_null(held, "r", null), observed)
                found.setdefault(name, []).append(p < 0.05)
                refused.setdefault(name, []).append(bool(fault))
    return {
        k: (float(np.concatenate(v).mean()), np.mean(refused[k]) > 0.5) for k, v in found.items()
    }


def print_rates(n_sets: int = 5000) -> list[str]:
    """Print the table of false positives; return what is offered and lies outside the band."""
    low, high = (binom.ppf(q, n_sets, 0.05) / n_sets for q in (0.025, 0.975))
    print(f"False positives, % of {n_sets} data sets with p < 0.05 (a true 5 % gives "
          f"{100 * low:.1f} to {100 * high:.1f}); in brackets: refused")  # fmt: skip
    outside = []
    for kind in KINDS:
        for n_rows, n_runs in ((75, 1), (150, 1), (300, 1), (600, 1), (150, 4)):
            rates = measure_rates(kind, n_rows, n_runs, n_sets=n_sets)
            cells = []
            for name, (rate, refused) in rates.items():
                half = 196 * np.sqrt(rate * (1 - rate) / n_sets)
                text = f"{100 * rate:.1f} ± {half:.1f}"
                cells.append(f"{name} {f'({text})' if refused else text}")
                if not refused and not BAND[0] <= rate <= BAND[1]:
                    outside.append(f"{kind}, {n_runs} x {n_rows}: {name} {100 * rate:.1f} %")
            print(f"{kind:15s} {n_runs} x {n_rows:3d}  " + "   ".join(cells), flush=True)
        far = measure_rates(kind, 1000, 1, n_sets=n_sets, names=("shift of 10 or more",))
        rate, refused = far["shift of 10 or more"]
        text = f"({100 * rate:.1f})" if refused else f"{100 * rate:.1f}"
        print(f"{kind:15s} 1 x 1000 shift of 10 or more {text}", flush=True)
        if not refused and not BAND[0] <= rate <= BAND[1]:
            outside.append(f"{kind}, 1 x 1000: shift of 10 or more {100 * rate:.1f} %")
    print("offered, and outside 3 to 6.5 %:", outside or "none")
    return outside


def print_drifts(n_sets: int = 5000, n_permutations: int = 299) -> list[str]:
    """Print false positives where drifts were taken out of one side or both."""
    print("\nFalse positives, %, with polynomials taken out; in brackets: refused")
    outside = []
    for kind in ("AR(1) 0.5", "AR(1) 0.85", "1/f", "HRF, AR(1) 0.5"):
        for n_rows, n_runs, degree in ((120, 4, 1), (120, 4, 3), (120, 4, 5), (300, 1, 5)):
            for sides in ("responses", "both"):
                found: dict[str, list[tuple[float, bool]]] = {}
                for start in range(0, n_sets, AT_ONCE):
                    rng = np.random.default_rng([5, start, degree])
                    held = plant_runs(kind, AT_ONCE, n_rows, n_runs, rng)
                    x, y = (
                        np.concatenate([_take_out(v[rows], degree) for rows in held.segments])
                        for v in (held.predicted, held.measured)
                    )
                    x = x if sides == "both" else held.predicted
                    held = HeldOut(x, y, held.parts, held.units, held.segments)
                    observed = score_voxels(held, "r")
                    for name, null, fault in list_nulls(held, n_permutations, start):
                        if name in ("phases", "blocks", "circular_shift"):
                            p = count_p(score_null(held, "r", null), observed)
                            found.setdefault(name, []).append(((p < 0.05).mean(), bool(fault)))
                cells = []
                for name, values in found.items():
                    rate, refused = (np.mean([v[i] for v in values]) for i in (0, 1))
                    text = f"{100 * rate:.1f}"
                    cells.append(f"{name} {f'({text})' if refused > 0.5 else text}")
                    if refused <= 0.5 and not BAND[0] <= rate <= BAND[1]:
                        outside.append(
                            f"{kind} {n_runs} x {n_rows} degree {degree} {sides}: {name}"
                        )
                print(f"{kind:15s} {n_runs} x {n_rows} degree {degree} of {sides:9s}  "
                      + "   ".join(cells), flush=True)  # fmt: skip
    print("offered, and above 6.5 %:", outside or "none")
    return outside


def print_power(n_sets: int = 1000) -> None:
    """Print the share of planted effects found at p < 0.05, by the correlation planted."""
    print("\nPower: % found at p < 0.05, by planted r (4 runs of 150 scans)")
    for kind in ("AR(1) 0.5", "AR(1) 0.85", "HRF, AR(1) 0.5"):
        for r in (0.02, 0.05, 0.08, 0.12, 0.16, 0.2):
            rates = measure_rates(kind, 150, 4, n_sets=n_sets, r=r, seed=1)
            cells = [f"{name} {100 * v:.0f}" for name, (v, refused) in rates.items() if not refused]
            print(f"{kind:15s} r {r:.2f}  " + "   ".join(cells), flush=True)


def print_cortex(n_voxels: int = 200_000, n_permutations: int = 1000, n_planted: int = 200) -> None:
    """Print what a whole cortex costs, and what is found in it."""
    n_rows, n_runs, size = 150, 4, 5000
    print(f"\n{n_voxels} voxels, {n_permutations} permutations, {n_runs} runs of {n_rows} scans, "
          f"{n_planted} voxels planted with r = 0.3")  # fmt: skip

    def iterate() -> Iterator[tuple[slice, HeldOut]]:
        for a in range(0, n_voxels, size):
            rng = np.random.default_rng([2, a])
            held = plant_runs("AR(1) 0.5", min(size, n_voxels - a), n_rows, n_runs, rng)
            if a == 0:
                measured = held.measured.copy()
                measured[:, :n_planted] += 0.315 * held.predicted[:, :n_planted]
                held = HeldOut(held.predicted, measured, held.parts, held.units, held.segments)
            yield slice(a, min(a + size, n_voxels)), held

    for _ in iterate():
        pass
    start = time.perf_counter()
    for _ in iterate():
        pass
    making = time.perf_counter() - start
    for kind, rows in (("phases", 1), ("blocks", 10)):
        start = time.perf_counter()
        found = compute_voxel_test(
            iterate(), n_voxels, "r", Null(kind, n_permutations, 0, rows), tail=True
        )
        seconds = time.perf_counter() - start - making
        counted = np.maximum(found.p, 1 / (1 + n_permutations))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        for name, q in (
            ("FDR, fitted tails", control_fdr(found.p)),
            ("FDR, counted", control_fdr(counted)),
            ("maximum", found.p_max),
        ):
            hits = q < 0.05
            print(
                f"{kind:7s} {name:18s} {int(hits[:n_planted].sum())} of {n_planted} found, "
                f"{int(hits[n_planted:].sum())} others"
            )
        print(f"{kind:7s} {seconds:.0f} s, peak {peak:.1f} GB, smallest p {found.p.min():.1g}",
              flush=True)  # fmt: skip


def measure_errors(
    kind: str, null_kind: str, *, n_maps: int = 400, n_voxels: int = 500, n_permutations: int = 499,
    n_planted: int = 0, n_rows: int = 150, n_runs: int = 4, seed: int = 3,
) -> tuple[float, float, bool]:  # fmt: skip
    """Return family-wise error by p_max, mean share of false q, and whether p_max is refused."""
    wrong, false, refused = [], [], []
    for number in range(n_maps):
        rng = np.random.default_rng([seed, number])
        held = plant_runs(kind, n_voxels, n_rows, n_runs, rng)
        measured = held.measured.copy()
        measured[:, :n_planted] += 0.4 * held.predicted[:, :n_planted]
        held = HeldOut(held.predicted, measured, held.parts, held.units, held.segments)
        memory = measure_memory(held.predicted, held.measured, held.segments)
        rows = choose_block_rows(memory, family_wise=True)
        fault = find_fault(null_kind, memory, [n_rows] * n_runs, rows, family_wise=True)
        refused.append(bool(fault))
        if fault:
            rows = choose_block_rows(memory)
        null = Null(null_kind, n_permutations, number, rows)
        found = compute_voxel_test([(slice(0, n_voxels), held)], n_voxels, "r", null, tail=True)
        wrong.append((found.p_max[n_planted:] < 0.05).any())
        hits = control_fdr(found.p) < 0.05
        false.append(hits[n_planted:].sum() / max(1, hits.sum()))
    return float(np.mean(wrong)), float(np.mean(false)), np.mean(refused) > 0.5


def print_errors(n_maps: int = 400) -> None:
    """Print family-wise error and false discovery rate, both to be held at 5 %."""
    half = 196 * np.sqrt(0.05 * 0.95 / n_maps)
    print(f"\nErrors over {n_maps} maps of 500 voxels, 4 runs of 150 scans (nominal 5 %, "
          f"± {half:.1f}); in brackets: refused for family-wise corrections")  # fmt: skip
    for kind in ("AR(1) 0.3", "AR(1) 0.7", "1/f"):
        for null_kind in ("phases", "blocks"):
            cells = []
            for n_planted in (0, 50):
                family, false, refused = measure_errors(
                    kind, null_kind, n_maps=n_maps, n_planted=n_planted
                )
                shown = f"({100 * family:.1f})" if refused else f"{100 * family:.1f}"
                cells.append(f"family-wise {shown} %, false discoveries {100 * false:.1f} %")
            print(f"{kind:10s} {null_kind:7s} nothing planted: {cells[0]}; 50 planted: {cells[1]}",
                  flush=True)  # fmt: skip


def print_stage(n_voxels: int = 200_000, n_rows: int = 300, n_runs: int = 2) -> None:
    """Print what evaluation.encoding costs where predictions and responses lie in HDF5 files."""
    import tempfile
    from pathlib import Path

    from neurodecode.core.artifacts import Predictions, Responses, make_samples
    from neurodecode.core.store import Store
    from neurodecode.evaluation.encoding import Encoding

    n = n_rows * n_runs
    run = np.repeat([f"{k}" for k in range(n_runs)], n_rows)
    samples = make_samples(
        dataset="bench",
        stimulus_id=[""] * n,
        run=run,
        onset_s=np.tile(2.0 * np.arange(n_rows), n_runs),
    )
    rows = samples.with_columns(row=np.arange(n), fold=run.astype(int))
    rng = np.random.default_rng(0)

    def make() -> np.ndarray:
        return lfilter(
            [1], [1, -0.5], rng.standard_normal((n, n_voxels), np.float32), axis=0
        ).astype(np.float32)

    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        opened = {}
        for name, artifact in (
            ("predictions", lambda: Predictions(data=make(), rows=rows, of="responses")),
            ("responses", lambda: Responses(data=make(), samples=samples, t_r=2.0)),
        ):
            card = store.write("bench.step", name, {name: artifact()}, {})
            opened |= store.read(card)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        start = time.perf_counter()
        scores = Encoding(n_bootstrap=200).run(**opened)
        seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"\nevaluation.encoding from HDF5: {n_voxels} voxels x {n} scans, 1,000 permutations: "
          f"{seconds:.0f} s, peak {peak:.1f} GB (making the data: {before:.1f} GB); p < 0.05 in "
          f"{100 * np.mean(scores.p < 0.05):.2f} %, q < 0.05 in {int((scores.q < 0.05).sum())}",
          flush=True)  # fmt: skip


def load_runs(name: str) -> list[np.ndarray]:
    """Return the BOLD of a recording, a run each of shape (n_scans, n_voxels), voxels that vary."""
    import nibabel

    roots = [r for r in list_data_roots() if (r / name).exists()]
    if not roots:
        return []
    folder = roots[0] / name
    if name == "haxby2001_slice":
        mask = np.asarray(nibabel.load(folder / "mask.nii.gz").dataobj) > 0
        data = np.asarray(nibabel.load(folder / "bold.nii.gz").dataobj, np.float64)
        data = data[mask.reshape(data.shape[:3])].T
        runs = np.loadtxt(folder / "attributes_literal.txt", dtype=str)[:, 1]
        return [data[runs == run] for run in np.unique(runs)]
    data = np.asarray(nibabel.load(folder / "subj0_bold_session0.nii.gz").dataobj, np.float64)
    inside = data.mean(axis=-1) > 0.5 * data.mean(axis=-1).max()
    return [data[inside].T]


def print_recordings(n_rounds: int = 10, n_permutations: int = 499) -> None:
    """Print false positives on recorded BOLD, against predictions that know nothing of it.

    Each voxel has a prediction of its own: random events through an HRF. Responses have a
    polynomial of some degree taken out of each run.
    """
    print("\nFalse positives on recordings, % of voxels with p < 0.05; in brackets: refused")
    for name in ("haxby2001_slice", "localizer_fmri"):
        runs = load_runs(name)
        if not runs:
            print(f"{name}: not in NEURODECODE_DATA")
        for degree in (0, 1, 3, 5) if runs else ():
            found: dict[str, list[float]] = {}
            refused: dict[str, list[bool]] = {}
            lengths = [len(run) for run in runs]
            parts = np.repeat(np.arange(len(runs)), lengths)
            segments = [np.flatnonzero(parts == k) for k in range(len(runs))]
            measured = np.concatenate([_take_out(run, degree) for run in runs])
            measured = measured[:, np.ptp(measured, axis=0) > 0][:, :2000]
            for round_ in range(n_rounds):
                rng = np.random.default_rng([4, round_])
                x = [_take_out(make_hrf(n, measured.shape[1], rng), degree) for n in lengths]
                held = HeldOut(np.concatenate(x), measured, parts, np.arange(len(parts)), segments)
                observed = score_voxels(held, "r")
                for kind, null, fault in list_nulls(held, n_permutations, round_):
                    if kind != "rows" or round_ < 2:
                        p = count_p(score_null(held, "r", null), observed)
                        found.setdefault(kind, []).append(float((p < 0.05).mean()))
                        refused.setdefault(kind, []).append(bool(fault))
            memory = measure_memory(held.predicted, held.measured, held.segments)
            cells = []
            for kind, rates in found.items():
                text = f"{100 * np.mean(rates):.1f}"
                cells.append(f"{kind} {f'({text})' if np.mean(refused[kind]) > 0.5 else text}")
            told = f"{measured.shape[1]} voxels, degree {degree}"
            told += f", {memory.n_independent:.0f} independent samples a run"
            print(f"{name} {len(runs)} x {lengths[0]}, {told}  " + "   ".join(cells), flush=True)


def _take_out(values: np.ndarray, degree: int) -> np.ndarray:
    design = np.polynomial.legendre.legvander(np.linspace(-1, 1, len(values)), degree)
    return values - design @ np.linalg.lstsq(design, values, rcond=None)[0]


@pytest.mark.slow
def test_what_is_offered_holds():
    assert not print_rates()
    assert not print_drifts()


if __name__ == "__main__":
    wanted = sys.argv[1:] or ["rates", "power", "cortex", "error", "stage", "real", "drift"]
    with limit_threads(1):
        for word, run in (
            ("rates", print_rates), ("power", print_power), ("cortex", print_cortex),
            ("error", print_errors), ("stage", print_stage),
            ("real", print_recordings), ("drift", print_drifts),
        ):  # fmt: skip
            if word in wanted:
                run()
