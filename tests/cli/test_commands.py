"""Every command, as a user runs it: what it prints, what it leaves, how it exits."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

PIPELINE = """
title: Small
seed: 0
params: {size: 6}
steps:
  digits: {stage: datasets.digits, n_items: 24}
  scan: {stage: datasets.simulated, stimuli: digits, n_vertices: 40, n_repeats: 1, n_runs: 2}
  split: {stage: evaluation.split, responses: scan, by: stimulus, n_folds: 2}
  pixels: {stage: features.pixels, stimuli: digits, size_px: "${size}"}
  decoded: {stage: decoding.ridge, responses: scan, features: pixels, split: split,
            constant_targets: predict, alphas: [1, 100]}
  linear: {stage: reconstruction.pixels, features: decoded}
  scores: {stage: evaluation.identification, predictions: decoded, features: pixels,
           n_permutations: 50}
  report: {stage: plotting.report, show: [scores]}
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", "from neurodecode.cli import main; main()", *arguments]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("user")
    (folder / "small.yaml").write_text(PIPELINE)
    first = run(folder, "run", "small.yaml")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "8 computed, 0 fresh" in first.stdout
    return folder


def test_run_again_computes_nothing_and_the_report_is_there(folder: Path) -> None:
    again = run(folder, "run", "small.yaml")
    assert "0 computed, 8 fresh" in again.stdout
    assert "Small" in (folder / "results" / "small_report.html").read_text()


def test_plan_and_why_name_the_reason(folder: Path) -> None:
    plan = run(folder, "plan", "small.yaml", "decoded.alphas=[1,10]")
    assert "setting alphas: [1.0, 100.0] → [1.0, 10.0]" in plan.stdout
    assert "fresh" in plan.stdout
    why = run(folder, "why", "small.yaml", "scores", "decoded.alphas=[1,10]")
    assert "scores: waiting" in why.stdout
    assert "decoded is stale: setting alphas" in why.stdout


def test_the_verdict_of_an_audit_is_printed(folder: Path) -> None:
    controls = "controls: {of: scores, kinds: [shuffled_brain, mean_embedding], n_shuffles: 2}"
    (folder / "audited.yaml").write_text(f"{PIPELINE}{controls}\n")
    said = run(folder, "run", "audited.yaml", "scan.noise_ceiling=0.9").stdout
    line = next(line for line in said.splitlines() if line.startswith("audit: "))
    assert line.startswith("audit: cannot be told. The controls could not have shown it: shuffled")
    shown = run(folder, "show", "audited.yaml", "audit", "scan.noise_ceiling=0.9").stdout
    assert "verdict = cannot be told" in shown
    assert "reason: pairwise " in shown


def test_accept_signs_a_change_of_code_and_keeps_the_reason(folder: Path) -> None:
    """A result after a harmless change of code is re-signed; another setting never is."""
    assert run(folder, "new", "stage", "gentle:Gentle").returncode == 0
    text = PIPELINE.replace("features: pixels,", "features: gentle,").replace(
        "  linear:", '  gentle: {stage: "gentle:Gentle", features: pixels}\n  linear:'
    )
    (folder / "gentle.yaml").write_text(text)
    assert run(folder, "run", "gentle.yaml").returncode == 0
    code = (folder / "gentle.py").read_text()
    (folder / "gentle.py").write_text(code.replace("np.sign(data) * ", "1 * np.sign(data) * "))
    assert (
        "gentle is stale: code: gentle.py changed"
        in run(folder, "why", "gentle.yaml", "scores").stdout
    )
    done = run(folder, "accept", "gentle.yaml", "gentle", "--reason", "one times it")
    assert done.returncode == 0, done.stderr
    assert "scores: fresh" in run(folder, "why", "gentle.yaml", "scores").stdout
    assert "one times it" in run(folder, "show", "gentle.yaml", "gentle").stdout
    assert run(folder, "run", "gentle.yaml").returncode == 0
    assert "one times it" in (folder / "results" / "gentle_report.html").read_text()

    refused = run(
        folder, "accept", "gentle.yaml", "decoded", "decoded.alphas=[1]", "--reason", "just a try"
    )
    assert refused.returncode == 2
    assert "setting alphas" in refused.stderr


def test_show_prints_arrays_provenance_and_lineage(folder: Path) -> None:
    shown = run(folder, "show", "small.yaml", "decoded").stdout
    for words in (
        "predictions: Predictions",
        "24 × 36",
        "setting    alphas",
        "numpy",
        "lineage: fold 0",
    ):
        assert words in shown


def test_export_writes_what_other_programs_read(folder: Path) -> None:
    from PIL import Image

    out = folder / "exported"
    assert run(folder, "export", "small.yaml", "linear", str(out)).returncode == 0
    data = np.load(out / "linear_reconstructions_data.npy")
    picture = sorted((out / "linear_reconstructions").glob("*.png"))
    assert len(picture) == 24
    first = np.asarray(Image.open(picture[0]))
    np.testing.assert_array_equal(first, np.round(data[0, 0, ..., 0] * 255))
    assert (out / "linear_reconstructions_items.csv").read_text().startswith("subject,")
    run(folder, "export", "small.yaml", "decoded", str(out), "--as", "safetensors")
    refused = run(folder, "export", "small.yaml", "linear", str(out), "--as", "gifti")
    assert refused.returncode == 2
    assert "It has: reconstructions: npy, csv, png" in refused.stderr
    run(folder, "export", "small.yaml", "scan", str(out), "--as", "csv")
    table = (out / "scan_ceiling_values.csv").read_text().splitlines()
    assert table[0] == "values"
    assert len(table) == 41


def test_export_of_a_surface_map_is_gifti(folder: Path) -> None:
    import nibabel

    from neurodecode.cli.export_formats import write_artifact
    from tests.examples import make_voxel_scores

    scores = make_voxel_scores()
    left, right = write_artifact(scores, folder / "maps" / "map", "gifti")
    whole = np.concatenate([nibabel.load(p).darrays[0].data for p in (left, right)])
    np.testing.assert_allclose(whole[np.asarray(scores.space.vertices)], scores.values, rtol=1e-6)
    assert np.isfinite(whole).sum() == len(scores.values)


def test_verify_finds_a_flipped_byte(folder: Path) -> None:
    assert run(folder, "verify", "--raw").returncode == 0
    path = next((folder / "data/cache/features.pixels").glob("*.h5"))
    whole = path.read_bytes()
    path.write_bytes(whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:])
    found = run(folder, "verify")
    path.write_bytes(whole)
    assert found.returncode == 1
    assert path.name in found.stdout


def test_gc_keeps_what_a_pipeline_reaches(folder: Path) -> None:
    assert run(folder, "run", "small.yaml", "size=5").returncode == 0
    said = run(folder, "gc", "small.yaml")
    assert "would remove  pixels" in said.stdout
    run(folder, "gc", "small.yaml", "--yes")
    # the report alone is made again: its test set was scored once more meanwhile
    assert "1 computed, 7 fresh" in run(folder, "run", "small.yaml").stdout
    assert "7 computed" not in run(folder, "plan", "small.yaml", "size=5").stdout


def test_mistakes_exit_with_two_and_name_the_nearest(folder: Path) -> None:
    for arguments, words in (
        (("run", "smal.yaml"), "no pipeline 'smal.yaml'"),
        (("run", "small.yaml", "decoded.alpas=[1]"), "Did you mean 'alphas'"),
        (("run", "small.yaml", "--until", "scorse"), "Did you mean 'scores'"),
        (("run", "small.yaml", "--branch", "subject=02"), "no variable 'subject'"),
        (("list", "stage"), "Did you mean 'stages'"),
        (("show", "small.yaml"), "Name a step"),
    ):
        done = run(folder, *arguments)
        assert done.returncode == 2, arguments
        assert words in done.stderr
        assert "Traceback" not in done.stderr


def test_a_failed_step_exits_with_one_and_keeps_its_traceback(folder: Path) -> None:
    done = run(folder, "run", "small.yaml", "decoded.constant_targets=refuse", "size=16")
    assert done.returncode == 1
    assert "FAILED decoded" in done.stdout
    assert "traceback:" not in done.stdout, "the user's own mistake: the message says all"
    (log,) = folder.rglob("logs/*-small-decoded.log")
    assert "Traceback" in log.read_text()
    assert "neurodecode run small.yaml decoded.constant_targets=refuse" in done.stdout


def test_only_needs_fresh_inputs(folder: Path) -> None:
    assert run(folder, "run", "small.yaml", "--only", "scores").returncode == 0
    refused = run(folder, "run", "small.yaml", "size=4", "--only", "scores")
    assert refused.returncode == 2
    assert "Use --until" in refused.stderr


def test_list_doctor_and_schema(folder: Path) -> None:
    stages = run(folder, "list", "stages").stdout
    assert "decoding.ridge" in stages
    assert all(len(line.split(maxsplit=1)) == 2 for line in stages.splitlines())
    assert "quickstart" in run(folder, "list", "pipelines").stdout
    assert "numpy" in run(folder, "doctor").stdout
    schema = json.loads(run(folder, "schema").stdout)
    assert schema["properties"]["controls"]["required"] == ["of"]


def test_new_pipeline_runs_as_it_is(folder: Path) -> None:
    assert run(folder, "new", "pipeline", "decode_mine").returncode == 0
    assert run(folder, "new", "pipeline", "decode_mine").returncode == 2, "nothing is overwritten"
    done = run(folder, "run", "decode_mine.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_new_stage_beside_a_pipeline_runs_as_it_is(folder: Path) -> None:
    assert run(folder, "new", "stage", "power:Power").returncode == 0
    lines = (folder / "power.py").read_text().splitlines()
    assert len([line for line in lines if line.strip()]) < 30
    text = PIPELINE.replace("features: pixels,", "features: powered,").replace(
        "  linear:", '  powered: {stage: "power:Power", features: pixels}\n  linear:'
    )
    (folder / "powered.yaml").write_text(text)
    done = run(folder, "run", "powered.yaml", "--until", "scores")
    assert done.returncode == 0, done.stdout + done.stderr
    passed = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_power.py"],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": str(folder)},
    )  # fmt: skip
    assert passed.returncode == 0, passed.stdout
