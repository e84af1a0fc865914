"""Leaks as users make them, in whole pipelines of real stages: each is stopped, its twin passes."""

from pathlib import Path
from textwrap import dedent

import pytest

from neurodecode.core.pipeline import build_graph
from neurodecode.core.runner import Summary, run_graph
from neurodecode.core.store import Store

BASE = """
seed: 0
steps:
  digits: {stage: datasets.digits, n_items: 24}
  scan: {stage: datasets.simulated, stimuli: digits, n_vertices: 40, n_repeats: 2, n_runs: 4}
  split: {stage: evaluation.split, responses: scan, by: stimulus, n_folds: 2}
  pixels: {stage: features.pixels, stimuli: digits}
"""
RIDGE = "stage: decoding.ridge, constant_targets: predict, alphas: [10], features: pixels"
SCORE = "stage: evaluation.pixcorr, n_permutations: 0, n_bootstrap: 50"
DECODED = f"""
  decoded: {{{RIDGE}, responses: scan, split: split}}
  linear: {{stage: reconstruction.pixels, features: decoded}}
  scores: {{{SCORE}, reconstructions: linear, stimuli: digits}}
"""
RETRIEVED = f"""
  decoded: {{{RIDGE}, responses: scan, split: split}}
  shown: {{stage: reconstruction.retrieval, predictions: decoded, gallery: pixels,
          stimuli: digits SPLIT}}
  scores: {{{SCORE}, reconstructions: shown, stimuli: digits REASON}}
"""
ZSCORED = f"""
  zscored: {{stage: preprocessing.zscore, responses: scan HOW}}
  decoded: {{{RIDGE}, responses: zscored, split: split}}
  linear: {{stage: reconstruction.pixels, features: decoded}}
  scores: {{{SCORE}, reconstructions: linear, stimuli: digits}}
"""
GENERATED = f"""
  decoded: {{{RIDGE}, responses: scan, split: split}}
  generator: {{stage: reconstruction.train_diffusion, stimuli: digits, features: pixels,
              size_px: 16, patch_px: 2, widths: [8, 8], n_steps: 2, batch_size: 4,
              n_warmup: 1 SPLIT}}
  images: {{stage: reconstruction.diffusion, model: generator, features: decoded, n_steps: 1}}
  scores: {{{SCORE}, reconstructions: images, stimuli: digits}}
"""
TRUTH = f"""
  linear: {{stage: reconstruction.pixels, features: pixels REASON}}
  scores: {{{SCORE}, reconstructions: linear, stimuli: digits}}
"""
SELECTED = f"""
  selected: {{stage: preprocessing.select_voxels, responses: scan, by: reliability,
             n_voxels: 10 SPLIT}}
  decoded: {{{RIDGE}, responses: selected, split: split}}
  linear: {{stage: reconstruction.pixels, features: decoded}}
  scores: {{{SCORE}, reconstructions: linear, stimuli: digits}}
"""
BY_RUN = f"""
  zscored: {{stage: preprocessing.zscore, responses: scan, per: run}}
  runs: {{stage: evaluation.split, responses: scan, by: run, leave_one_out: true}}
  decoded: {{{RIDGE}, responses: zscored, split: runs}}
  scores: {{stage: evaluation.identification, predictions: decoded, features: pixels,
           n_permutations: 0, n_bootstrap: 50}}
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def run(cache: Path, steps: str, base: str = BASE) -> Summary:
    graph = build_graph(base + dedent(steps).replace("\n", "\n  "), cache / "leak.yaml")
    return run_graph(graph, Store(cache))


def find_error(summary: Summary) -> str:
    assert {name for name, _ in summary.failed} <= {"scores"}, summary.failed
    return "".join(outcome.error for outcome in summary.failed.values())


@pytest.mark.parametrize(
    ("leak", "step", "twin"),
    [
        (RETRIEVED.replace("SPLIT", "").replace("REASON", ""), "shown",
         RETRIEVED.replace("SPLIT", ", split: split").replace("REASON", "")),
        (ZSCORED.replace("HOW", ", per: run"), "zscored",
         ZSCORED.replace("HOW", ", per: training, split: split")),
        (GENERATED.replace("SPLIT", ""), "generator", GENERATED.replace("SPLIT", ", split: split")),
        (TRUTH.replace("REASON", ""), "linear", DECODED),
        (SELECTED.replace("SPLIT", ""), "selected", SELECTED.replace("SPLIT", ", split: split")),
    ],
    ids=["gallery", "zscore", "generator", "truth", "selection"],
)  # fmt: skip
def test_a_leak_is_stopped_and_its_twin_passes(
    cache: Path, leak: str, step: str, twin: str
) -> None:
    assert f"step '{step}' has seen" in find_error(run(cache, leak))
    assert find_error(run(cache, twin)) == ""


def test_a_permission_counts_only_while_it_is_given(cache: Path) -> None:
    """The cache never keeps a permission that the file has lost, nor an old reason."""
    plain = RETRIEVED.replace("SPLIT", "").replace("REASON", "")
    for reason in ("to see what happens", "another reason"):
        allowed = plain.replace(
            "stimuli: digits }\n", f'stimuli: digits, allow_leakage: "{reason}"}}\n'
        )
        assert allowed != plain
        done = run(cache, allowed)
        assert find_error(done) == ""
        scores = Store(cache).read(done.cards[("scores", ())])["scores"]
        assert any(reason in notice for notice in scores.notices)  # type: ignore[attr-defined]
        assert "has seen" in find_error(run(cache, plain))


def test_no_audit_makes_good_a_leak_that_was_allowed(cache: Path) -> None:
    audited = "seed: 0\ncontrols: {of: scores, kinds: [mean_embedding]}"
    base = BASE.replace("seed: 0", audited)
    plain = RETRIEVED.replace("SPLIT", "").replace("REASON", ', allow_leakage: "to see"')
    honest = RETRIEVED.replace("SPLIT", ", split: split").replace("REASON", "")
    reasons = []
    for steps in (plain, honest):
        done = run(cache, steps, base)
        assert not done.failed
        audit = Store(cache).read(done.cards[("audit", ())])["scores"]
        reasons.append((audit.verdict, audit.reasons[0]))  # type: ignore[attr-defined]
    assert reasons[0][0] == "cannot be told"
    assert "Leakage was allowed" in reasons[0][1]
    assert "Leakage" not in reasons[1][1]


def test_leave_one_run_out_is_honest_and_says_what_it_does_not_test(cache: Path) -> None:
    done = run(cache, BY_RUN)
    assert find_error(done) == ""
    scores = Store(cache).read(done.cards[("scores", ())])["scores"]
    notices = " ".join(scores.notices)  # type: ignore[attr-defined]
    assert "does not keep stimuli apart" in notices
    assert "LEAKAGE" not in notices


def test_samples_that_do_not_know_their_stimuli_hide_no_leak(cache: Path) -> None:
    """Responses and stimuli read separately are joined by what is scored against."""
    import numpy as np

    from neurodecode.datasets.digits import Digits

    rng = np.random.default_rng(0)
    images = np.asarray(Digits(n_items=24).run().data)
    np.savez(
        cache / "mine.npz", betas=rng.normal(size=(24, 9)).astype(np.float32),
        ids=np.array([f"im{i}" for i in range(24)]), images=images,
    )  # fmt: skip
    path = cache / "mine.npz"
    own = f"""
seed: 0
steps:
  scan: {{stage: datasets.arrays, path: {path}, name: mine, responses: betas, stimulus_ids: ids,
         orientation: samples_first}}
  pictures: {{stage: datasets.arrays, path: {path}, name: mine, responses: betas, stimulus_ids: ids,
             stimuli: images, orientation: samples_first}}
  split: {{stage: evaluation.split, responses: scan, by: stimulus, n_folds: 2}}
  pixels: {{stage: features.pixels, stimuli: pictures.stimuli}}
"""
    steps = RETRIEVED.replace("stimuli: digits", "stimuli: pictures.stimuli").replace("REASON", "")
    assert "step 'shown' has seen" in find_error(run(cache, steps.replace("SPLIT", ""), own))
    assert find_error(run(cache, steps.replace("SPLIT", ", split: split"), own)) == ""


def test_the_report_counts_every_look_at_a_test_set(cache: Path) -> None:
    report = "\n  report: {stage: plotting.report, show: [scores]}\n"
    for alpha in ("11", "12", "11"):
        done = run(cache, DECODED.replace("[10]", f"[{alpha}]") + report)
    html = Store(cache).read(done.cards[("report", ())])["document"].html  # type: ignore[attr-defined]
    card = done.cards[("scores", ())]
    looks = Store(cache).count_looks(card["outputs"]["scores"]["test_set"])
    assert looks >= 2
    assert f">{looks}<" in html.replace(" ", "").replace("\n", "")
