"""What the audit says of the quickstart when its brain is noise, and when it is not.

Runs the quickstart up to its audit at several noise ceilings and seeds (about a minute each, on one
core) and prints one verdict for each. Not collected by default; run it by hand:

    python tests/benchmarks/audit_quickstart.py FOLDER
    python tests/benchmarks/audit_quickstart.py FOLDER --ceilings 0 --seeds 40
    NEURODECODE_AUDIT_SEEDS=40 pytest -m slow -s tests/benchmarks/audit_quickstart.py

Stopped, it goes on where it was: finished runs stand in FOLDER/verdicts.csv, one a line, the one
under way in a cache of its own, which is deleted when the run is finished, unless --keep is given.
"""

from __future__ import annotations

import argparse
import csv
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from neurodecode.core.artifacts import Scores
from neurodecode.core.pipeline import load_pipeline
from neurodecode.core.resources import find_pipeline
from neurodecode.core.runner import run_graph
from neurodecode.core.store import Store

N_SEEDS = int(os.environ.get("NEURODECODE_AUDIT_SEEDS", "40"))
CEILINGS = (0.0, 0.1, 0.3, 0.6)
NOT_ABOVE = ("not above its controls", "cannot be told")
COLUMNS = ("ceiling", "seed", "verdict", "pairwise", "p", "within", "p_within", "seconds", "reason")


def audit_quickstart(ceiling: float, seed: int, cache: Path) -> Scores:
    """Return the audit of the quickstart at one noise ceiling, for one seed."""
    overrides = [f"seed={seed}", f"scan.noise_ceiling={ceiling:g}"]
    graph = load_pipeline(find_pipeline("quickstart"), overrides)
    graph = graph.keep(graph.find_upstream([("audit", ())]))
    store = Store(cache)
    summary = run_graph(graph, store)
    assert not summary.failed, [o.error for o in summary.failed.values()]
    audit = store.read(summary.cards["audit", ()])["scores"]
    assert isinstance(audit, Scores)
    return audit


def run_campaign(
    folder: Path, ceilings: Sequence[float], n_seeds: int, *, keep: bool = False
) -> Iterator[dict[str, str]]:
    """Yield one record for each ceiling and seed, those of earlier runs included."""
    file = folder / "verdicts.csv"
    folder.mkdir(parents=True, exist_ok=True)
    done = {}
    if file.exists():
        with file.open(newline="") as lines:
            done = {(r["ceiling"], r["seed"]): r for r in csv.DictReader(lines)}
    for ceiling in ceilings:
        for seed in range(n_seeds):
            key = (f"{ceiling:g}", str(seed))
            if key not in done:
                cache = folder / "cache" / key[0] / key[1]
                done[key] = _record(ceiling, seed, cache)
                _append(file, done[key])
                if not keep:
                    shutil.rmtree(cache)
            yield done[key]


def _record(ceiling: float, seed: int, cache: Path) -> dict[str, str]:
    start = time.monotonic()
    audit = audit_quickstart(ceiling, seed, cache)
    table = {c: audit.summary[c].tolist() for c in ("name", "value", "p", "p_permutation")}
    first, within = 0, table["name"].index("pairwise within category")
    return {
        "ceiling": f"{ceiling:g}",
        "seed": str(seed),
        "verdict": audit.verdict,
        "pairwise": f"{table['value'][first]:.4f}",
        "p": f"{table['p'][first]:.4f}",
        "within": f"{table['value'][within]:.4f}",
        "p_within": f"{table['p_permutation'][within]:.4f}",
        "seconds": f"{time.monotonic() - start:.0f}",
        "reason": audit.reasons[0],
    }


def _append(file: Path, record: dict[str, str]) -> None:
    is_new = not file.exists()
    with file.open("a", newline="") as lines:
        writer = csv.DictWriter(lines, COLUMNS)
        if is_new:
            writer.writeheader()
        writer.writerow(record)


@pytest.mark.slow
def test_noise_is_not_above_its_controls(tmp_path: Path) -> None:
    records = list(run_campaign(tmp_path, [0.0], N_SEEDS))
    above = [r for r in records if r["verdict"] not in NOT_ABOVE]
    assert len(above) <= 0.05 * N_SEEDS, above
    assert not [r for r in records if r["verdict"] == "cannot be told"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--ceilings", type=float, nargs="+", default=CEILINGS)
    parser.add_argument("--seeds", type=int, default=N_SEEDS)
    parser.add_argument("--keep", action="store_true", help="keep the caches")
    given = parser.parse_args()
    counts: dict[str, dict[str, int]] = {}
    for r in run_campaign(given.folder, given.ceilings, given.seeds, keep=given.keep):
        shown = (f"{r[c]:>8}" for c in ("ceiling", "seed", "pairwise", "p", "within", "p_within"))
        print(*shown, f" {r['verdict']}  ({r['seconds']} s)", flush=True)
        of = counts.setdefault(r["ceiling"], {})
        of[r["verdict"]] = of.get(r["verdict"], 0) + 1
    for ceiling, of in counts.items():
        n = sum(of.values())
        words = ", ".join(f"{verdict} {count} of {n}" for verdict, count in sorted(of.items()))
        print(f"ceiling {ceiling}: {words}")


if __name__ == "__main__":
    main()
