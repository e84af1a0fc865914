"""Leaks as users make them, in whole pipelines of real stages: each is stopped, its twin passes.

The pipelines lie in leaky_pipelines.py, which prints a table of them.
"""

import re
from pathlib import Path

import pytest

from neurodecode.core.artifacts import Scores
from neurodecode.core.store import Store
from tests.attacks.leaky_pipelines import (
    DECODED,
    LEAKS,
    TRANSDUCTIVE,
    Leak,
    decode,
    find_error,
    identify,
    read_notices,
    reduce,
    retrieve,
    run_steps,
    score_encoding,
    select,
    show,
    zscore,
)


def list_leaks(*, transductive: bool = False) -> list[object]:
    chosen = [leak for leak in LEAKS if leak.is_transductive or not transductive]
    return [
        pytest.param(leak, id=leak.name, marks=[pytest.mark.slow] * leak.slow) for leak in chosen
    ]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize("leak", list_leaks())
def test_a_leak_is_stopped_or_flagged_and_its_twin_passes(cache: Path, leak: Leak) -> None:
    done = run_steps(cache, leak.steps.replace(" NAMED", ""), each=leak.each)
    error = find_error(done)
    if leak.notice:
        assert error == ""
        (flag,) = [n for n in read_notices(cache, done) if n.startswith(leak.notice)]
        assert f"'{leak.step}'" in flag
    else:
        assert error.startswith(f"scores: step '{leak.step}' has seen ")
        kind = "allow_transductive" if leak.is_transductive else "allow_leakage"
        assert re.search(rf"{kind}: \"[^\"]+\" in step '{leak.step}'", error), "what to do is said"
    done = run_steps(cache, leak.twin, each=leak.each)
    assert find_error(done) == ""
    notices = read_notices(cache, done)
    assert not any("LEAKAGE" in n or "contact, named" in n for n in notices)
    assert not leak.notice or not any(n.startswith(leak.notice) for n in notices)


@pytest.mark.parametrize("leak", list_leaks(transductive=True))
def test_what_looks_at_one_side_alone_may_be_named_and_is_printed(cache: Path, leak: Leak) -> None:
    done = run_steps(cache, leak.steps.replace(" NAMED", TRANSDUCTIVE), each=leak.each)
    assert find_error(done) == ""
    found = [n for n in read_notices(cache, done) if n.startswith("Transductive contact, named")]
    assert found
    assert all(f"'{leak.step}'" in n and n.endswith("as published") for n in found)


LABELLED = [leak for leak in LEAKS if not leak.is_transductive and not leak.notice]


@pytest.mark.parametrize("leak", LABELLED[:3], ids=lambda leak: leak.name)
def test_contact_with_labels_cannot_be_named_away(cache: Path, leak: Leak) -> None:
    """Naming it transductive changes nothing where features or scores were looked at."""
    named = leak.steps.replace("}\n", f"{TRANSDUCTIVE}}}\n")
    assert "has seen" in find_error(run_steps(cache, named, each=leak.each))


def test_a_permission_counts_only_while_it_is_given(cache: Path) -> None:
    """The cache never keeps a permission that the file has lost, nor an old reason."""
    plain = decode() + retrieve() + show("shown")
    for reason in ("to see what happens", "another reason"):
        allowed = plain.replace(
            "stimuli: digits}\nscores", f'stimuli: digits, allow_leakage: "{reason}"}}\nscores'
        )
        assert allowed != plain
        done = run_steps(cache, allowed)
        assert find_error(done) == ""
        assert any(reason in notice for notice in read_notices(cache, done))
        assert "has seen" in find_error(run_steps(cache, plain))


def test_no_audit_makes_good_a_leak_that_was_allowed(cache: Path) -> None:
    found = []
    for how in (', allow_leakage: "to see"', ", split: split"):
        steps = decode() + retrieve(how) + show("shown")
        done = run_steps(cache, steps, more="controls: {of: scores, kinds: [mean_embedding]}\n")
        assert find_error(done) == ""
        audit = Store(cache).read(done.cards[("audit", ())])["scores"]
        assert isinstance(audit, Scores)
        found.append((audit.verdict, audit.reasons[0]))
    (leaky, honest) = found
    assert leaky[0] == "cannot be told"
    assert "Leakage was allowed" in leaky[1]
    assert "Leakage" not in honest[1]


def test_a_step_is_named_as_this_file_names_it(cache: Path) -> None:
    """A result that another file computed, under another name, is used, and named as here."""
    for name in ("chosen", "kept"):
        steps = select("by: variance", name) + decode(name) + identify()
        assert find_error(run_steps(cache, steps)).startswith(f"scores: step '{name}' has seen")


def test_all_steps_that_have_seen_a_row_are_named(cache: Path) -> None:
    steps = (
        zscore("per: run")
        + select("by: variance").replace("responses: scan", "responses: zscored")
        + decode("selected")
        + identify()
    )
    assert "So have 'zscored'." in find_error(run_steps(cache, steps))


def test_a_split_of_other_samples_is_refused(cache: Path) -> None:
    """Same roles, other samples: the rows would be counted in the wrong table."""
    other = (
        "other: {stage: datasets.simulated, stimuli: digits, n_vertices: 40, n_repeats: 2, "
        "n_runs: 4, session: '02'}\n"
        "foreign: {stage: evaluation.split, responses: other, by: stimulus, n_folds: 2}\n"
    )
    done = run_steps(cache, other + decode(split="foreign") + identify())
    (error,) = (outcome.error for outcome in done.failed.values())
    assert "the split was made for" in error


def test_a_selection_by_another_split_is_refused(cache: Path) -> None:
    other = (
        "second: {stage: evaluation.split, responses: scan, by: stimulus, n_folds: 2, seed: 5}\n"
    )
    chosen = select("by: variance, split: second")
    done = run_steps(cache, other + chosen + decode("selected") + identify())
    (error,) = (outcome.error for outcome in done.failed.values())
    assert "another split" in error


def test_features_by_another_split_have_seen_its_training_rows(cache: Path) -> None:
    other = (
        "second: {stage: evaluation.split, responses: scan, by: stimulus, test_fraction: 0.5, "
        "seed: 5}\n"
    )
    fitted = reduce("fit_on: training, split: second")
    steps = other + fitted + decode(features="pca", split="one") + identify(features="pca")
    assert "step 'pca' has seen the stimulus" in find_error(run_steps(cache, steps))


def test_published_rows_that_share_stimuli_are_refused_by_the_split(cache: Path) -> None:
    """Test rows of one subject, and another who saw the same: no unit 'stimulus' can hold."""
    from tests.attacks.leaky_pipelines import stack

    done = run_steps(cache, stack("01", "02", by="stimulus", how="test_where: {subject: '02'}"))
    (error,) = (outcome.error for outcome in done.failed.values())
    assert "lie in both the test and the training rows" in error


def test_repeats_averaged_under_new_names_carry_their_trials(cache: Path) -> None:
    """The averaged row is another sample; what it was averaged from is found all the same."""
    steps = (
        "mean: {stage: 'tests.attacks.leaky_stages:Average', responses: scan, renamed: true}\n"
        "mean_split: {stage: evaluation.split, responses: mean, by: stimulus, n_folds: 2}\n"
        "mean_runs: {stage: evaluation.split, responses: mean, by: run, n_folds: 2}\n"
        "encoded: {stage: encoding.ridge, alphas: [10], responses: mean, features: pixels, "
        "split: SPLIT}\n" + score_encoding("mean")
    )
    assert find_error(run_steps(cache, steps.replace("SPLIT", "mean_split"))) == ""
    error = find_error(run_steps(cache, steps.replace("SPLIT", "mean_runs")))
    assert "'mean'" in error
    assert "has seen the run" in error


def test_the_report_counts_every_look_at_a_test_set(cache: Path) -> None:
    report = "report: {stage: plotting.report, show: [scores]}\n"
    for alpha in ("11", "12", "11"):
        done = run_steps(cache, DECODED.replace("[10]", f"[{alpha}]") + report)
    html = Store(cache).read(done.cards[("report", ())])["document"].html  # type: ignore[attr-defined]
    card = done.cards[("scores", ())]
    looks = Store(cache).count_looks(card["outputs"]["scores"]["test_set"])
    assert looks >= 2
    assert f">{looks}<" in html.replace(" ", "").replace("\n", "")
