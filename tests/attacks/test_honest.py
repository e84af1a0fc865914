"""Honest designs in whole pipelines of real stages: none may raise, or be called a leak.

A false alarm is as bad as a miss: it teaches people to switch the check off.
"""

from pathlib import Path

import pytest

from tests.attacks.leaky_pipelines import (
    KNOWN_STIMULI,
    NEIGHBOURS,
    OWN,
    RETRAIN,
    apply,
    decode,
    draw,
    encode,
    generate,
    identify,
    read_notices,
    record,
    run_steps,
    score_encoding,
    select,
    show,
    stack,
    whiten,
    zscore,
)

LINEAR = "linear: {stage: reconstruction.pixels, features: decoded}\n"
NESTED = "[1, 1000]"
SUBJECTS = ("01", "02", "03")

HONEST = {
    "leave one run out": decode(split="runs") + identify(),
    "leave one run out, z-scored within run": (
        zscore("per: run") + decode("zscored", split="runs") + identify()
    ),
    "leave one run out, encoding, z-scored and selected on the training part": (
        zscore("per: training, split: runs")
        + select("by: reliability, split: runs").replace("responses: scan", "responses: zscored")
        + decode("selected", split="runs") + identify()
    ),
    "nested cross-validation of alphas and of voxels": (
        select("by: encoding, features: pixels, alphas: [1, 100], split: split")
        + decode("selected", alphas=NESTED) + identify()
    ),
    "a validation part": (
        "held: {stage: evaluation.split, responses: scan, by: stimulus, n_folds: 3, "
        "validation_fraction: 0.3}\n" + decode(split="held", alphas=NESTED) + identify()
    ),
    "a generator fitted to nested predictions": (
        decode(more=", nested: true") + generate("features: decoded.training, split: split")
        + draw() + show("images")
    ),
    "leave one subject out, z-scored within run": (
        stack(*SUBJECTS, by="subject", how="leave_one_out: true")
        .replace("responses: {'01': scan01, '02': scan02, '03': scan03}",
                 "responses: {'01': z01, '02': z02, '03': z03}")
        .replace("\nall: {", "\n" + "".join(
            f"z{s}: {{stage: preprocessing.zscore, responses: scan{s}}}\n" for s in SUBJECTS)
            + "all: {")
        + decode("all", split="split_all") + identify()
    ),
    "leave one subject out, noise normalised within session": (
        "".join(
            f"scan{s}: {{stage: datasets.simulated, stimuli: digits, n_vertices: 40, n_repeats: 2, "
            f"n_runs: 2, subject: '{s}'}}\n"
            f"white{s}: {{stage: preprocessing.noise_normalization, responses: scan{s}, "
            "per: session}\n" for s in SUBJECTS)
        + "all: {stage: alignment.stack, responses: {a: white01, b: white02, c: white03}}\n"
        "split_all: {stage: evaluation.split, responses: all, by: subject, leave_one_out: true}\n"
        + decode("all", split="split_all") + identify()
    ),
    "shared-subject training, split by stimulus": (
        stack(*SUBJECTS, by="stimulus") + decode("all", split="split_all") + identify()
    ),
    "a model of another subject, who saw other stimuli": (
        "others: {stage: datasets.digits, n_items: 24, first: 100}\n"
        "scan01: {stage: datasets.simulated, stimuli: others, n_vertices: 40, n_repeats: 1, "
        "n_runs: 2}\n"
        "pixels01: {stage: features.pixels, stimuli: others}\n"
        "split01: {stage: evaluation.split, responses: scan01, by: stimulus, n_folds: 2}\n"
        + decode("scan01", "pixels01", "split01", name="fitted") + apply("scan", "split")
        + identify()
    ),
    "a generator of other images": (
        "others: {stage: datasets.digits, n_items: 24, first: 100}\n"
        "other_pixels: {stage: features.pixels, stimuli: others}\n"
        + decode() + generate("features: other_pixels", stimuli="others")
        + draw() + show("images")
    ),
    "a split made from responses that were z-scored": (
        zscore("per: run")
        + "late: {stage: evaluation.split, responses: zscored, by: stimulus, n_folds: 2}\n"
        + decode(split="late") + identify()
    ),
    "encoding by stimulus": encode() + score_encoding(),
    "encoding of ids alone, each its own image": (
        RETRAIN + f"anonymous: {{stage: '{OWN}:Anonymous', responses: once}}\n"
        "apart: {stage: evaluation.split, responses: anonymous, by: stimulus, n_folds: 2}\n"
        + encode("anonymous", "pixels", "apart") + score_encoding("anonymous")
    ),
    "noise normalised on the training part, in two sessions": (
        whiten("per: training, split: one") + decode("white", split="one") + identify()
    ),
    "a time series, split by run": (
        record("by: run, leave_one_out: true") + encode("film", "shown", "late")
        + score_encoding("film")
    ),
    "a time series in blocks, purged, with delays": (
        record("by: block, n_folds: 2, purge: 4",
               "on: {stage: alignment.hrf, model: none, %s}\n"
               "shown: {stage: alignment.delays, features: on}\n")
        + encode("film", "shown", "late").replace("[10]", NESTED) + score_encoding("film")
    ),
    "a time series, resampled, z-scored in its run, split by run": (
        record("by: run, n_folds: 2", "shown: {stage: alignment.resample, %s}\n")
        + "zscored: {stage: preprocessing.zscore, responses: film, per: run}\n"
        + encode("zscored", "shown", "late") + score_encoding("zscored")
    ),
    "categories kept apart": (
        "kinds: {stage: evaluation.split, responses: scan, by: category, n_folds: 3}\n"
        + decode(split="kinds") + identify()
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_design_raises_no_alarm(cache: Path, name: str) -> None:
    done = run_steps(cache, HONEST[name])
    assert not done.failed, {key: outcome.error for key, outcome in done.failed.items()}
    notices = " ".join(read_notices(cache, done))
    assert "LEAKAGE" not in notices
    assert "named by the file" not in notices
    assert "unknown lineage" not in notices


@pytest.mark.parametrize(
    ("name", "known", "neighbours"),
    [
        ("leave one run out", True, False),
        ("leave one subject out, z-scored within run", True, False),
        ("shared-subject training, split by stimulus", False, True),
        ("encoding by stimulus", False, True),
    ],
)
def test_what_a_design_does_not_test_is_said(
    cache: Path, name: str, known: bool, neighbours: bool
) -> None:
    notices = read_notices(cache, run_steps(cache, HONEST[name]))
    assert any(n.startswith(KNOWN_STIMULI) for n in notices) == known
    assert any(n.startswith(NEIGHBOURS) for n in notices) == neighbours
    assert sum(n.startswith((KNOWN_STIMULI, NEIGHBOURS)) for n in notices) <= 1


@pytest.mark.parametrize("generator", [False, True])
def test_controls_raise_no_alarm(cache: Path, generator: bool) -> None:
    """The brain shuffled, removed or replaced: branches of the same steps, honest each."""
    steps = decode(more=", nested: true") + (
        generate("features: decoded.training, split: split") + draw() + show("images")
        if generator
        else LINEAR + show()
    )
    kinds = "shuffled_brain, prior_only, mean_embedding, nearest_training, true_features"
    controls = f"controls: {{of: scores, kinds: [{kinds}], n_shuffles: 2}}\n"
    done = run_steps(cache, steps, more=controls)
    assert not done.failed, {key: outcome.error for key, outcome in done.failed.items()}
    scored = {name for name, _ in done.cards if name.startswith("scores@")}
    assert len(scored) == 5
    for name in ("scores", "scores@shuffled_brain", "scores@nearest_training"):
        assert not any("LEAKAGE" in notice for notice in read_notices(cache, done, name))
    ceiling = read_notices(cache, done, "scores@true_features")
    assert all("the generator's ceiling" in n for n in ceiling if "named" in n or "LEAKAGE" in n)


def test_neighbours_are_not_told_of_where_time_is_not_known(cache: Path) -> None:
    """Trials without onsets, of no known run: their order in the table says nothing."""
    import numpy as np

    rng = np.random.default_rng(0)
    np.savez(
        cache / "mine.npz", betas=rng.normal(size=(24, 9)).astype(np.float32),
        ids=np.array([f"digits/{i:04d}" for i in range(24)]), runs=np.repeat(["01", "02"], 12),
    )  # fmt: skip
    mine = (
        f"mine: {{stage: datasets.arrays, path: {cache / 'mine.npz'}, name: mine, "
        "responses: betas, stimulus_ids: ids, orientation: samples_first RUNS}\n"
        "apart: {stage: evaluation.split, responses: mine, by: stimulus, n_folds: 2}\n"
        + decode("mine", split="apart") + identify()
    )  # fmt: skip
    for runs, told in (("", False), (", runs: runs", True)):
        done = run_steps(cache, mine.replace(" RUNS", runs))
        assert not done.failed
        assert any(n.startswith(NEIGHBOURS) for n in read_notices(cache, done)) == told
