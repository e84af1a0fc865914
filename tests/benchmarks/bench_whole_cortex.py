"""Voxelwise ridge of a whole cortex, streamed from the cache: peak memory, and time per voxel.

Not collected by default; run it by hand:

    python tests/benchmarks/bench_whole_cortex.py                     9,000 x 768 x 200,000
    python tests/benchmarks/bench_whole_cortex.py --voxels 20000
    python tests/benchmarks/bench_whole_cortex.py --table             how time and memory grow

A synthetic recording (768 features, a linear code, noise) is streamed to a cache, then fitted by
``neurodecode run`` in a process of its own, of which wall time and peak memory are taken: reading,
checking every byte, fitting, writing weights and predictions, checking again. One outer split (80 %
training, 20 % test rows), five inner folds, ten alphas, two threads. In memory: the same solver on
8,000 voxels as plain arrays (median of several). Where other work shares the machine, processor
time says more than wall time. The cache is deleted afterwards; it takes
about 13 GB at full size.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ALPHAS = [float(f"{a:.4g}") for a in np.logspace(1, 5.5, 10)]
N_INNER, TEST_SHARE = 5, 0.2
MOST_GB, MOST_RATIO = 3.0, 1.3
STAGE = '''
"""A recording that is made up while it is read."""

from dataclasses import dataclass
from typing import Any, ClassVar, TypedDict

import numpy as np

from neurodecode.core.artifacts import TEST, TRAIN, Features, Responses, Split
from neurodecode.core.stage import Stage
from neurodecode.core.tables import Table

TILE_ROWS = 128


@dataclass(frozen=True, eq=False)
class Noisy:
    """Responses to features: rows are made from their number whenever they are asked for."""

    X: np.ndarray
    weights: np.ndarray
    seed: int

    @property
    def shape(self):
        return (len(self.X), self.weights.shape[1])

    dtype = np.dtype(np.float32)

    def __len__(self):
        return len(self.X)

    def __getitem__(self, rows):
        start, stop, _ = rows.indices(len(self.X))
        out = np.empty((stop - start, self.shape[1]), np.float32)
        for first in range(start, stop, TILE_ROWS):
            last = min(first + TILE_ROWS, stop)
            rng = np.random.default_rng([self.seed, first])
            block = out[first - start : last - start]
            rng.standard_normal(out=block, dtype=np.float32)
            block *= 4
            block += self.X[first:last, : len(self.weights)] @ self.weights
        return out

    def __array__(self, *args: Any, **kwargs: Any):
        return self[:]


class Outputs(TypedDict):
    responses: Responses
    features: Features
    split: Split


class Recording(Stage):
    """Make up a recording."""

    stage: ClassVar[str] = "recording:Recording"
    n_samples: int
    n_features: int
    n_voxels: int
    seed: int = 0

    def run(self) -> Outputs:
        rng = np.random.default_rng(self.seed)
        X = rng.standard_normal((self.n_samples, self.n_features), np.float32)
        weights = rng.standard_normal((min(64, self.n_features), self.n_voxels), np.float32)
        n, ids = self.n_samples, np.array([f"s{i:06d}" for i in range(self.n_samples)])
        same = {"source": ids, "digest": ids}
        samples = Table({
            "sample_id": ids, "subject": np.full(n, "01"), "session": np.full(n, "01"),
            "run": np.full(n, "01"), "onset_s": np.full(n, np.nan), "stimulus_id": ids,
            "repeat": np.zeros(n, int), **same,
        })
        n_test = int(TEST_SHARE * n)
        roles = np.full((1, n), TRAIN, np.int8)
        roles[0, n - n_test :] = TEST
        return {
            "responses": Responses(data=Noisy(X, weights, self.seed), samples=samples),
            "features": Features(data=X, items=Table({"id": ids, **same})),
            "split": Split(roles=roles, samples=samples, unit="sample"),
        }
'''.replace("TEST_SHARE", str(TEST_SHARE))
PIPELINE = """\
steps:
  recording: {{stage: "recording:Recording", n_samples: {n_samples}, n_features: {n_features},
              n_voxels: {n_voxels}}}
  encoded:   {{stage: encoding.ridge, features: recording.features, responses: recording.responses,
              split: recording.split, alphas: {alphas}, n_inner_folds: 5, extend_alphas: 0,
              limit_gb: {limit_gb}, execution: {{threads: {threads}}}}}
"""


def measure_streamed(folder: Path, **shape) -> dict[str, float]:
    """Make a recording and fit it, each in a process of its own; return what the fit took."""
    (folder / "recording.py").write_text(STAGE)
    (folder / "cortex.yaml").write_text(PIPELINE.format(**shape))
    run_process(folder, "--until", "recording")
    seconds, cpu, peak_gb, printed = run_process(folder)
    for line in printed.splitlines():
        if "voxels in" in line:
            print(f"  {line.strip()}", flush=True)
    (card,) = (
        json.loads(p.read_text())["card"] for p in (folder / "cache/encoding.ridge").glob("*.json")
    )
    return {"seconds": seconds, "cpu": cpu, "peak_gb": peak_gb, "computing": card["seconds"]}


def run_process(folder: Path, *arguments: str) -> tuple[float, float, float, str]:
    """Return wall and processor time and peak memory (GB) of ``neurodecode run``, and its words."""
    command = [
        sys.executable, "-m", "neurodecode", "run", str(folder / "cortex.yaml"), *arguments,
        "--cache", str(folder / "cache"), "--out", str(folder / "results"),
    ]  # fmt: skip
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder) as process:
        printed = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"neurodecode run ended with {process.returncode}: {printed}")
    cpu = usage.ru_utime + usage.ru_stime
    return time.perf_counter() - start, cpu, usage.ru_maxrss / 2**20, printed


def measure_in_memory(
    n_samples, n_features, n_voxels, threads, repeats, **rest
) -> list[tuple[float, float]]:
    """Return wall and processor time of fits of plain arrays by the same solver."""
    from neurodecode.core.device import limit_threads
    from neurodecode.numerics.inner_folds import assign_folds
    from neurodecode.numerics.ridge import RidgeOptions, fit_ridge_cv, predict_ridge

    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_samples, n_features), np.float32)
    Y = 4 * rng.standard_normal((n_samples, n_voxels), np.float32)
    Y += X[:, :64] @ rng.standard_normal((min(64, n_features), n_voxels), np.float32)
    n_train = n_samples - int(TEST_SHARE * n_samples)
    folds = np.full(n_samples, -1)
    folds[:n_train] = assign_folds(np.arange(n_train), N_INNER, seed=0)
    options = RidgeOptions(weights="float32")
    found = []
    with limit_threads(threads):
        for _ in range(repeats):
            start, cpu = time.perf_counter(), time.process_time()
            fit = fit_ridge_cv(X, Y, folds, ALPHAS, options)
            predict_ridge(X[n_train:], fit.weights, fit.intercept)
            found.append((time.perf_counter() - start, time.process_time() - cpu))
    return found


def compare(n_samples, n_features, n_voxels, threads, limit_gb, repeats, folder) -> bool:
    """Print a streamed fit beside one in memory; return whether both bars are met."""
    shape = {
        "n_samples": n_samples, "n_features": n_features, "n_voxels": n_voxels,
        "threads": threads, "alphas": ALPHAS, "limit_gb": limit_gb,
    }  # fmt: skip
    few = min(8000, n_voxels)
    memory = measure_in_memory(**{**shape, "n_voxels": few}, repeats=repeats)
    with tempfile.TemporaryDirectory(dir=folder) as made:
        streamed = measure_streamed(Path(made), **shape)
    print(f"{n_samples:,} samples x {n_features} features x {n_voxels:,} voxels, {threads} threads")
    print(f"  peak {streamed['peak_gb']:.2f} GB (bar {MOST_GB})")
    ratios = []
    for at, word, key in ((0, "wall time", "seconds"), (1, "processor time", "cpu")):
        inside = [1e3 * taken[at] / few for taken in memory]
        outside = 1e3 * streamed[key] / n_voxels
        ratios.append(outside / statistics.median(inside))
        print(
            f"  {word:14} streamed {streamed[key]:.1f} s, {outside:.3f} ms per voxel; in memory "
            f"{statistics.median(inside):.3f} (median of {len(memory)} fits of {few:,}: "
            f"{min(inside):.3f} to {max(inside):.3f}); ratio {ratios[-1]:.2f} (bar {MOST_RATIO})"
        )
    print(f"  of it, before the result is written: {streamed['computing']:.1f} s")
    return ratios[0] <= MOST_RATIO and streamed["peak_gb"] <= MOST_GB


def print_table(threads: int, limit_gb: float, folder: Path | None) -> None:
    """Print how time and memory of a streamed fit grow with each size, from one in the middle."""
    middle = {"n_voxels": 8000, "n_features": 256, "n_samples": 3000, "n_alphas": 10}
    print(
        f"{'voxels':>8} {'features':>8} {'samples':>8} {'alphas':>7} {'seconds':>8} {'peak GB':>8}"
    )
    changed = [
        {}, {"n_voxels": 16000}, {"n_voxels": 32000}, {"n_features": 512}, {"n_features": 1024},
        {"n_samples": 6000}, {"n_samples": 12000}, {"n_alphas": 20}, {"n_alphas": 40},
    ]  # fmt: skip
    for change in changed:
        shape = {**middle, **change}
        alphas = np.logspace(1, 5.5, shape["n_alphas"]).round(3).tolist()
        with tempfile.TemporaryDirectory(dir=folder) as made:
            streamed = measure_streamed(
                Path(made), **shape, threads=threads, limit_gb=limit_gb, alphas=alphas
            )
        print(f"{shape['n_voxels']:>8} {shape['n_features']:>8} {shape['n_samples']:>8} "
              f"{shape['n_alphas']:>7} {streamed['seconds']:>8.1f} {streamed['peak_gb']:>8.2f}",
              flush=True)  # fmt: skip


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--voxels", type=int, default=200_000)
    parser.add_argument("--samples", type=int, default=9000)
    parser.add_argument("--features", type=int, default=768)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--limit-gb", type=float, default=2.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=None, help="for the cache; default /tmp")
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    if given.table:
        print_table(given.threads, given.limit_gb, given.folder)
        return
    met = compare(
        given.samples, given.features, given.voxels, given.threads, given.limit_gb,
        given.repeats, given.folder,
    )  # fmt: skip
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
