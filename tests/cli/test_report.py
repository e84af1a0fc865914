"""What reports print of the lint, and when they are made again for it."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from neurodecode.cli.commands import app

STEPS = """
title: Blocks
steps:
  digits: {stage: datasets.digits, n_items: 40}
  scan: {stage: datasets.simulated, stimuli: digits, n_vertices: 40, n_repeats: 2, n_runs: 4}
  split: {stage: evaluation.split, responses: scan, by: sample, n_folds: 2,
          stratify: category MORE}
  pixels: {stage: features.pixels, stimuli: digits, size_px: 4}
  decoded: {stage: decoding.ridge, responses: scan, features: pixels, split: split,
            constant_targets: predict, alphas: [10]}
  scores: {stage: evaluation.identification, predictions: decoded, features: pixels,
           n_permutations: 20, n_bootstrap: 50}
  report: {stage: plotting.report, show: [scores]}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("user")


def run(folder: Path, more: str, *command: str, by: str = "sample") -> Result:
    text = STEPS.replace("MORE", more).replace("by: sample", f"by: {by}")
    (folder / "file.yaml").write_text(text)
    where = ["--cache", str(folder / "cache"), "--out", str(folder / "results")]
    done = CliRunner().invoke(app, [*(command or ("run",)), str(folder / "file.yaml"), *where])
    assert done.exit_code == 0, done.output
    return done


def read(folder: Path) -> str:
    html = (folder / "results" / "file_report.html").read_text()
    return html.partition("What no leakage check sees")[2].partition("</section>")[0]


def test_the_report_prints_what_was_found_and_what_the_file_knows(folder: Path) -> None:
    assert "lint warns of split: repeated_stimuli" in run(folder, "").output
    section = read(folder)
    assert 'warning <span class="step">split · repeated_stimuli</span>' in section
    assert "test rows show a stimulus that training rows show, too" in section

    known = ', known: {repeated_stimuli: "<b>shown</b> on purpose"}'
    assert "1 computed, 6 fresh" in run(folder, known).output, "the report alone"
    section = read(folder)
    assert 'note <span class="step">split · repeated_stimuli</span>' in section
    assert "Known to the author: &lt;b&gt;shown&lt;/b&gt; on purpose" in section
    assert "0 computed, 7 fresh" in run(folder, known).output

    (folder / "results" / "file_report.html").unlink()
    run(folder, known, "report")
    assert read(folder) == section


def test_a_sound_file_gets_no_such_section(folder: Path) -> None:
    run(folder, "", by="stimulus")
    assert read(folder) == ""
