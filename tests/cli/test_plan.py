"""What ``neurodecode plan`` prints of the lint, on the command itself."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from neurodecode.cli.commands import app

STEPS = """
title: Blocks
steps:
  scan: {stage: datasets.arrays, path: PATH, name: mine, responses: betas, categories: category,
         onsets: onset, runs: run, orientation: samples_first}
  split: {stage: evaluation.split, responses: scan, by: HOW}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Forty volumes of eight blocks in two runs, and a pipeline that splits them by sample."""
    rng = np.random.default_rng(0)
    np.savez(
        tmp_path / "mine.npz", betas=rng.normal(size=(40, 3)), run=np.repeat([1, 2], 20),
        category=np.tile(np.repeat(["a", "b", "a", "b"], 5), 2), onset=np.tile(np.arange(20.0), 2),
    )  # fmt: skip
    write(tmp_path, "sample, n_folds: 5")
    return tmp_path


def write(folder: Path, how: str) -> None:
    text = STEPS.replace("PATH", str(folder / "mine.npz")).replace("HOW", how)
    (folder / "blocks.yaml").write_text(text)


def call(folder: Path, command: str, *more: str) -> Result:
    where = ["--cache", str(folder / "cache")]
    return CliRunner().invoke(app, [command, str(folder / "blocks.yaml"), *more, *where])


def read_lint(folder: Path, *more: str) -> list[str]:
    done = call(folder, "plan", *more)
    return done.output.partition("\nlint: ")[2].strip().splitlines()


def test_plan_says_what_it_has_not_looked_at(folder: Path) -> None:
    assert read_lint(folder) == ["nothing found (2 results not made yet, or by an earlier version)"]
    assert call(folder, "plan", "--strict").exit_code == 0


def test_plan_prints_what_was_found_when_it_was_made(folder: Path) -> None:
    done = call(folder, "run")
    assert done.exit_code == 0
    assert "lint warns of split: block_design. Read it: neurodecode plan" in done.output
    head, line = read_lint(folder)
    assert head == "1 warning, 0 notes"
    assert line.startswith("  warning  split: block_design: category stays the same over 5.0 rows")
    assert "40 of 40 test rows lie in a block of which other rows train" in line
    assert call(folder, "plan").exit_code == 0
    assert call(folder, "plan", "--strict").exit_code == 1


def test_a_reason_in_the_file_takes_the_warning_back_and_computes_nothing(folder: Path) -> None:
    call(folder, "run")
    write(folder, "sample, n_folds: 5, known: {block_design: to show what happens}")
    head, line = read_lint(folder, "--strict")
    assert head == "0 warnings, 1 note"
    assert line.startswith("  note     split: block_design: ")
    assert line.endswith('Known: "to show what happens".')
    assert call(folder, "plan", "--strict").exit_code == 0
    again = call(folder, "run").output
    assert "0 computed, 2 fresh" in again
    assert "lint" not in again


def test_the_twin_split_by_run_is_a_note(folder: Path) -> None:
    write(folder, "run, leave_one_out: true")
    call(folder, "run")
    head, *lines = read_lint(folder, "--strict")
    assert head == "0 warnings, 2 notes"
    assert [line.split(": ")[1] for line in lines] == ["block_design", "few_units"]


def test_planning_opens_no_result(folder: Path) -> None:
    call(folder, "run")
    before = read_lint(folder)
    for path in (folder / "cache").rglob("*.h5"):
        path.write_bytes(bytes(path.stat().st_size))
    assert read_lint(folder) == before
