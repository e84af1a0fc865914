"""The lint: each condition planted in a real table with the real split, and its twin kept silent.

Rules of the graph are tried on whole pipeline files, the printed line on the command itself
(tests/cli/test_plan.py).
"""

from dataclasses import replace

import numpy as np
import pytest

from neurodecode.core.artifacts import (
    Features,
    Predictions,
    Responses,
    Stimuli,
    make_items,
    make_samples,
)
from neurodecode.core.errors import PipelineError
from neurodecode.core.lint import CODES, Looks, find_in_graph, find_in_result, is_looked_at
from neurodecode.core.lint.findings import Finding, group_findings
from neurodecode.core.lint.order import block_design, measure_stretches
from neurodecode.core.lint.sides import Sides
from neurodecode.core.pipeline import build_graph
from neurodecode.core.rows import list_predicted_rows
from neurodecode.core.tables import Table
from neurodecode.evaluation.identification import Identification
from neurodecode.evaluation.split import Split
from neurodecode.features.pixels import Pixels
from tests.examples import make_all

N = 240
SPACING_S = 4.0


def make_responses(n=N, n_runs=4, *, onset=True, category=None, ids=None, data=None, **more):
    """Return trials in runs of equal length, the order in time being that of the rows."""
    run = np.repeat([f"{r + 1:02d}" for r in range(n_runs)], n // n_runs)
    at = np.tile(np.arange(n // n_runs) * SPACING_S, n_runs) if onset else None
    fields = {k: more.pop(k) for k in ("t_r", "sfreq", "tmin") if k in more}
    columns = {**more, **({} if category is None else {"category": category})}
    ids = [f"s{i:03d}" for i in range(n)] if ids is None else ids
    samples = make_samples(dataset="planted", stimulus_id=ids, run=run, onset_s=at, **columns)
    return Responses(data=np.zeros((n, 2)) if data is None else data, samples=samples, **fields)


def lint(responses, **settings):
    """Return what is found when responses are split: {code: (severity, text)}."""
    stage = Split(**settings)
    found = find_in_result(stage, {"responses": responses}, {"split": stage.run(responses)})
    assert is_looked_at({"lint": found})
    told = {one["code"]: (one["severity"], one["text"]) for one in found["found"]}
    assert not [text for _, text in told.values() if "the rule failed" in text]
    assert set(told) <= set(CODES)
    return told


def draw(values, n=N, seed=0):
    """Return labels, equally often, in random order."""
    return np.random.default_rng(seed).permutation(np.resize(values, n))


def block(values, length, n=N):
    return np.resize(np.repeat(values, length), n)


# ------------------------------------------------------------------------- stimuli, both sides


def test_a_sound_design_is_silent():
    """Trials in random order, split by stimulus: nothing is said, whatever the folds."""
    ids = draw([f"s{i:03d}" for i in range(80)])
    category = np.array(["a", "b", "c", "d"])[[int(i[1:]) % 4 for i in ids]]
    for settings in ({"n_folds": 5}, {"test_fraction": 0.2}, {"n_folds": 4, "seed": 3}):
        assert lint(make_responses(ids=ids, category=category), **settings) == {}


def test_repeats_across_folds():
    ids = draw([f"s{i:03d}" for i in range(120)])  # each twice
    category = draw(["a", "b"])
    responses = make_responses(ids=ids, category=category)
    severity, text = lint(responses, by="sample", n_folds=2)["repeated_stimuli"]
    roles = np.asarray(Split(by="sample", n_folds=2).run(responses).roles)
    n = sum((roles[0][ids == i] != roles[0][ids == i][0]).any() for i in np.unique(ids)) * 2
    assert severity == "warning"
    assert text.startswith(f"{n:,} of 240 test rows show a stimulus that training rows show, too")
    assert "repeated_stimuli" not in lint(responses, by="stimulus", n_folds=2)
    severity, text = lint(responses, by="run", leave_one_out=True)["repeated_stimuli"]
    assert severity == "note", "a run kept whole is a design, not an oversight"
    assert "tests no new stimuli" in text


def test_copies_under_other_names_are_repeats():
    ids = [f"s{i:03d}" for i in range(N)]
    source = [f"photo{i // 2:03d}" for i in range(N)]  # two crops of each
    for column in ("source", "digest"):
        responses = make_responses(ids=ids, **{column: source})
        assert lint(responses, by="sample", n_folds=3)["repeated_stimuli"][0] == "warning"
        assert "repeated_stimuli" not in lint(responses, by="stimulus", n_folds=3)


def test_categories_that_are_never_trained():
    category = draw(["a", "b", "c"])
    part = np.where(category == "c", "test", "train")
    part[:9] = "test"
    responses = make_responses(category=category, part=part)
    severity, text = lint(responses, by="sample", test_where={"part": "test"})["unseen_categories"]
    n = int((category[:9] != "c").sum())
    assert severity == "note"
    assert text.startswith(f"80 of {80 + n} test rows are of a category that their fold does not")
    only = make_responses(category=category, part=np.where(category == "c", "test", "train"))
    found = lint(only, by="sample", test_where={"part": "test"})
    assert "zero-shot" in found["unseen_categories"][1]
    by_category = set(lint(only, by="category", n_folds=3))
    assert by_category == {"few_units"}, "that categories are new is what by: category is for"


def test_eighty_repeats_against_four():
    ids = np.r_[np.repeat([f"train{i}" for i in range(40)], 4), np.repeat(["t0", "t1"], 40)]
    ids = np.random.default_rng(0).permutation(ids)
    part = np.where(np.char.startswith(ids, "t0") | np.char.startswith(ids, "t1"), "test", "train")
    responses = make_responses(ids=ids, part=part)
    severity, text = lint(responses, test_where={"part": "test"})["uneven_repeats"]
    assert severity == "note"
    assert text.startswith("a stimulus has 4 rows in training and 40 in the test.")
    assert "uneven_repeats" not in lint(make_responses(ids=draw(list("abcdef"))), n_folds=3)


def test_a_small_fold_is_no_uneven_design():
    """Everything shown in every run: the run held out shows it once, the nine others nine times."""
    ids = np.concatenate([draw([f"s{i}" for i in range(24)], 24, seed=r) for r in range(10)])
    responses = make_responses(n_runs=10, ids=ids, category=draw(list("ab")))
    assert set(lint(responses, by="run", leave_one_out=True)) == {"repeated_stimuli"}


def test_repeats_are_counted_per_subject():
    """One subject left out of nine that saw the same things is no uneven design."""
    ids = np.tile([f"s{i}" for i in range(24)], 10)
    subject = np.repeat([f"{s:02d}" for s in range(10)], 24)
    samples = make_samples(dataset="many", stimulus_id=ids, subject=subject)
    responses = Responses(data=np.zeros((240, 2)), samples=samples)
    found = lint(responses, by="subject", test_where={"subject": "03"})
    assert set(found) == {"repeated_stimuli", "few_units"}

    # test images shown to all subjects, training images to one each, three times either way
    ids, subject = [], []
    for s in range(8):
        mine = [*(f"shared{i}" for i in range(5)), *(f"own{s}/{i}" for i in range(5))]
        ids, subject = [*ids, *(3 * mine)], [*subject, *(30 * [f"{s:02d}"])]
    part = np.where(np.char.startswith(ids, "shared"), "test", "train")
    samples = make_samples(dataset="many", stimulus_id=ids, subject=subject, part=part)
    responses = Responses(data=np.zeros((240, 2)), samples=samples)
    assert "uneven_repeats" not in lint(responses, test_where={"part": "test"})
    assert found["few_units"][1].startswith("1 unit (subject) is tested by this split")


def test_guessing_the_largest_category():
    category = draw(["a", "a", "a", "b"])
    text = lint(make_responses(category=category), n_folds=4)["uneven_categories"][1]
    assert text.startswith("'a' makes up 75% of the test rows of 2 categories")
    assert "uneven_categories" not in lint(make_responses(category=draw(list("ab"))), n_folds=4)
    drawn = np.random.default_rng(0).choice(list("abcdefghij"), 40)
    assert np.unique(drawn, return_counts=True)[1].max() >= 6
    few = make_responses(n=40, category=drawn)
    assert "uneven_categories" not in lint(few, by="sample", n_folds=2), "no more than luck"


@pytest.mark.parametrize(("by", "severity"), [("stimulus", "warning"), ("run", "note")])
def test_four_units_are_few_and_five_are_not(by, severity):
    def make(n):
        return make_responses(n_runs=n, ids=np.tile([f"s{i}" for i in range(n)], N // n))

    found = lint(make(4), by=by, leave_one_out=True)["few_units"]
    assert found[0] == severity
    assert found[1].startswith(f"4 units ({by}) are tested by this split")
    assert "few_units" not in lint(make(5), by=by, leave_one_out=True)


# ---------------------------------------------------------------------------------------- time


def test_stretches_of_a_random_order():
    """Expectation and variance against ten thousand orders drawn."""
    rng = np.random.default_rng(0)
    place = np.repeat([0, 1], [30, 20])
    labels = np.array(list("a" * 20 + "b" * 6 + "c" * 4 + "a" * 5 + "b" * 15))
    counts = []
    for _ in range(10_000):
        order = np.r_[rng.permutation(30), 30 + rng.permutation(20)]
        found = measure_stretches(labels[order], place)
        counts.append(found.n_stretches)
    assert found.n_expected == pytest.approx(np.mean(counts), abs=4 * np.std(counts) / 100)
    assert found.variance == pytest.approx(np.var(counts), rel=0.06)


def test_random_orders_raise_no_alarm():
    """Of 500 random designs of all sizes, none is taken for a block design."""
    rng = np.random.default_rng(1)
    for _ in range(500):
        n = int(rng.integers(6, 100))
        category = rng.choice(list("abcdefgh")[: rng.integers(2, 9)], n)
        run = np.sort(rng.integers(0, 2, n))
        samples = make_samples(
            dataset="drawn", stimulus_id=[f"s{i}" for i in range(n)], run=run, category=category
        )
        responses = Responses(data=np.zeros((n, 1)), samples=samples)
        split = Split(by="sample", n_folds=2).run(responses)
        assert block_design(Sides(split, responses)) is None


def test_a_block_cut_by_the_split_and_its_twin():
    category = block(["a", "b", "c"], 20)
    responses = make_responses(category=category)
    severity, text = lint(responses, n_folds=4)["block_design"]
    assert severity == "warning"
    assert "category stays the same over 20.0 rows on average (1.5 expected" in text
    assert "240 of 240 test rows lie in a block of which other rows train" in text
    whole = make_responses(category=category, block=np.arange(N) // 20)
    severity, text = lint(whole, by="column:block", n_folds=4)["block_design"]
    assert (severity, "No such block lies on both sides" in text) == ("note", True)
    assert "block_design" not in lint(make_responses(category=draw(list("abc"))), n_folds=4)


def test_the_order_of_a_file_is_not_taken_for_the_order_in_time():
    sorted_rows = make_responses(n_runs=1, onset=False, category=np.sort(draw(list("ab"))))
    severity, text = lint(sorted_rows, n_folds=4)["block_design"]
    assert severity == "warning"
    assert "no onset_s, so that it is not known whether they come in the order of time" in text


def test_onsets_rather_than_rows_are_the_order():
    """A file sorted by class whose onsets were drawn at random is no block design."""
    category = np.sort(draw(list("ab")))
    responses = make_responses(n_runs=1, category=category)
    onset = np.random.default_rng(0).permutation(N) * SPACING_S
    shuffled = replace(responses, samples=responses.samples.with_columns(onset_s=onset))
    assert lint(responses, n_folds=4)["block_design"][0] == "warning"
    assert lint(shuffled, n_folds=4) == {}


def test_one_stimulus_shown_again_and_again():
    ids = block([f"s{i:02d}" for i in range(24)], 10)
    found = lint(make_responses(ids=ids), by="sample", n_folds=4)
    assert "stimulus stays the same over 10.0 rows" in found["block_design"][1]
    assert found["block_design"][0] == found["repeated_stimuli"][0] == "warning"
    assert lint(make_responses(ids=ids), n_folds=4)["block_design"][0] == "note"


@pytest.mark.parametrize("timed", [True, False])
def test_scans_beside_training_scans(timed):
    series = make_responses(n_runs=4, onset=timed, t_r=SPACING_S)
    severity, text = lint(series, by="sample", n_folds=4)["temporal_neighbours"]
    assert severity == "warning"
    assert "scans that close measure the same response" in text
    assert "temporal_neighbours" not in lint(series, by="run", n_folds=4)
    halves = make_responses(n_runs=1, onset=timed, t_r=SPACING_S, half=np.arange(N) // 120)
    severity, text = lint(halves, by="column:half", n_folds=2)["temporal_neighbours"]
    assert severity == "note", "rows at an edge are told, not warned of"
    # below 10 s: two scans of 4 s on either side; by rows: three, since 10 s is 2.5 scans
    assert text.startswith(f"{4 if timed else 6} of 240 test rows")


def test_trials_beside_trials_where_the_order_cannot_be_judged():
    found = lint(make_responses(), n_folds=4)
    assert found["temporal_neighbours"][0] == "note"
    assert set(found) == {"temporal_neighbours"}
    assert lint(make_responses(category=draw(list("abcd"))), n_folds=4) == {}


def test_epochs_that_hold_the_same_samples():
    epochs = np.zeros((N, 2, 100))
    overlapping = make_responses(data=epochs, sfreq=20.0, tmin=0.0)  # 5 s long, every 4 s
    severity, text = lint(overlapping, by="sample", n_folds=4)["temporal_neighbours"]
    assert severity == "warning"
    assert "both hold the same recorded samples" in text
    apart = make_responses(data=epochs[:, :, :80], sfreq=20.0, tmin=0.0)  # 4 s long
    assert "temporal_neighbours" not in lint(apart, by="sample", n_folds=4)


def test_a_category_per_run():
    category = np.repeat(["a", "b", "c", "d"], N // 4)
    severity, text = lint(make_responses(category=category), n_folds=4)["confined_categories"]
    assert severity == "warning"
    assert text.startswith("100% of the rows are of a category that occurs in one run only")
    assert "confined_categories" not in lint(
        make_responses(category=category), by="run", leave_one_out=True
    )
    assert "confined_categories" not in lint(make_responses(category=draw(list("abcd"))), n_folds=4)
    mostly = np.where(np.arange(N) < 40, "first run only", draw(list("abcd")))
    assert "confined_categories" not in lint(make_responses(category=mostly), n_folds=4)


# ---------------------------------------------------------------------------------- candidates


def test_copies_in_a_list_of_images():
    images = np.random.default_rng(0).integers(0, 255, (10, 4, 4, 1)).astype(np.uint8)
    images[7] = images[2]
    made = Stimuli(data=images, items=make_items([f"im{i}" for i in range(10)], images))
    (found,) = find_in_result(Pixels(), {}, {"stimuli": made})["found"]
    assert (found["code"], found["severity"]) == ("duplicate_items", "note")
    assert found["text"].startswith("2 items of 10 have the very content of another one")
    assert "'im2' and 'im7'" in found["text"]
    named = make_items([f"im{i}" for i in range(10)], images, source=["p"] * 10)
    for twin in (replace(made, items=named), made.take(np.arange(7))):
        assert find_in_result(Pixels(), {}, {"stimuli": twin})["found"] == []


def make_decoded(values, n_folds=2, folds=None):
    ids = [f"s{i:03d}" for i in range(len(values))]
    features = Features(data=values, items=make_items(ids, np.arange(len(ids))))
    samples = make_samples(dataset="planted", stimulus_id=ids)
    rows = folds or np.array_split(np.arange(len(ids)), n_folds)
    table = list_predicted_rows(samples, rows)
    decoded = Predictions(data=values, rows=table, of="features", split="s", unit="stimulus")
    return {"predictions": decoded, "features": features}


def lint_scores(inputs, **settings):
    stage = Identification(**settings)
    return {f["code"]: f for f in find_in_result(stage, inputs, {})["found"]}


def test_candidates_with_the_same_features_tie():
    values = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
    assert lint_scores(make_decoded(values)) == {}
    values[[4, 9]] = values[1]
    found = lint_scores(make_decoded(values))["tied_candidates"]
    assert found["severity"] == "warning"
    assert found["text"].startswith("3 of 12 candidates have the very features of another")
    inputs = make_decoded(values)
    digests = inputs["features"].items["digest"].copy()
    digests[[1, 4, 9]] = "same"  # copies, which identification does not take for distractors
    items = inputs["features"].items.with_columns(digest=digests)
    assert lint_scores({**inputs, "features": replace(inputs["features"], items=items)}) == {}


def test_folds_of_differing_size():
    values = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
    uneven = make_decoded(values, folds=[np.arange(3), np.arange(3, 12)])
    assert lint_scores(uneven)["uneven_candidates"]["text"].startswith("3 to 9 candidates")
    assert lint_scores(uneven, candidates="pooled") == {}


# --------------------------------------------------------------------------------- wiring, file

STEPS = """
steps:
  digits: {stage: datasets.digits, n_items: 24}
  scan: {stage: datasets.simulated, stimuli: digits, n_vertices: 40, n_repeats: 2, n_runs: 4}
  split: {stage: evaluation.split, responses: scan, by: run, leave_one_out: true}
  zscored: {stage: preprocessing.zscore, responses: scan HOW}
  pixels: {stage: features.pixels, stimuli: digits}
  decoded: {stage: decoding.ridge, responses: zscored, features: pixels, split: split}
  linear: {stage: reconstruction.pixels, features: decoded}
  scores: {stage: evaluation.identification, reconstructions: linear, stimuli: digits MORE}
"""
TRAINING = ", per: training, split: split"
CONTROLS = "controls: {of: scores, kinds: [shuffled_brain], n_shuffles: 2}\n"


def lint_file(tmp_path, text):
    graph = build_graph(text, tmp_path / "file.yaml")
    return {one.code: one for one in find_in_graph(graph, {}, Looks(()))}


def make_file(how=TRAINING, more="", controls=CONTROLS):
    return STEPS.replace("HOW", how).replace("MORE", more) + controls


def test_a_sound_file_is_silent(tmp_path):
    assert lint_file(tmp_path, make_file()) == {}


def test_a_test_run_standardised_by_itself(tmp_path):
    """No leak, and lineage is silent; but no single trial could be decoded so."""
    found = lint_file(tmp_path, make_file(", per: run"))["statistics_of_test_set"]
    assert (found.steps, found.severity, found.branches) == (("zscored",), "note", 1)
    assert "looks at each run as a whole" in found.text
    reason = ', per: run, allow_transductive: "as is usual"'
    assert '"as is usual"' in lint_file(tmp_path, make_file(reason))["statistics_of_test_set"].text


def test_reconstructions_without_controls(tmp_path):
    found = lint_file(tmp_path, make_file(controls=""))["no_controls"]
    assert (found.steps, found.severity) == (("scores",), "warning")
    scored = make_file(controls="").replace(
        "reconstructions: linear, stimuli: digits", "predictions: decoded, features: pixels"
    )
    assert lint_file(tmp_path, scored) == {}, "decoded features need none"


def test_scores_without_a_null(tmp_path):
    assert lint_file(tmp_path, make_file(more=", n_permutations: 0")) == {}, "controls refit it"
    text = make_file(more=", n_permutations: 0", controls="")
    assert lint_file(tmp_path, text)["no_null"].severity == "note"


def test_many_variants_of_one_file(tmp_path):
    def make(values):
        text = make_file(controls="").replace(
            "features: pixels, split: split}", "features: pixels, split: split, alphas: [${alpha}]}"
        )
        return f"each: {{alpha: {values}}}\n{text}"

    assert "many_variants" not in lint_file(tmp_path, make([str(i) for i in range(1, 11)]))
    found = lint_file(tmp_path, make([str(i) for i in range(1, 12)]))["many_variants"]
    assert "11 variants on one test set" in found.text


def test_what_the_file_knows_is_a_note_with_its_reason(tmp_path):
    named = make_file(controls="", more=', known: {no_controls: "only a look at it"}')
    found = lint_file(tmp_path, named)["no_controls"]
    assert (found.severity, found.known) == ("note", "only a look at it")
    assert str(found).endswith('Known: "only a look at it".')


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ("{block_desing: a good reason}", "Did you mean 'block_design'?"),
        ("{block_design: yes}", "block_design needs the reason, in words"),
        ("block_design", 'Write known: {block_design: "the reason"}'),
    ],
)
def test_what_is_known_needs_a_code_and_a_reason(tmp_path, known, words):
    with pytest.raises(PipelineError, match="known") as raised:
        build_graph(make_file(more=f", known: {known}"), tmp_path / "file.yaml")
    assert words in str(raised.value)


def test_branches_are_counted_and_steps_of_one_text_put_together():
    same = [Finding("a", "note", "text", (step,)) for step in ("x", "x", "y", "y")]
    differing = [Finding("b", "warning", f"{i} of 9", ("x",)) for i in (3, 4)]
    first, second = group_findings([*same, *differing])
    assert str(first) == "warning  x ×2: b: 3 of 9 (Figures of the first of 2 branches.)"
    assert str(second) == "note     x, y ×2: a: text"


@pytest.mark.parametrize("name", sorted(make_all()))
def test_no_rule_fails_on_any_artifact(name):
    """Tables as stages make them, with few columns or many, given in and given out."""
    artifact = make_all()[name]
    bare = dict(make_all())
    for stage in (Split(), Identification()):
        for inputs in ({}, bare, {"show": list(bare.values())}):
            found = find_in_result(stage, inputs, {name: artifact})["found"]
            assert not [f for f in found if "the rule failed" in f["text"]]


@pytest.mark.parametrize("column", ["subject", "session", "run", "onset_s", "category", "source"])
def test_no_rule_needs_a_column(column):
    responses = make_responses(category=draw(list("ab")), source=[f"p{i}" for i in range(N)])
    split = Split(n_folds=4).run(responses)
    samples = Table({c: split.samples[c] for c in split.samples if c != column})
    blind = replace(split, samples=samples)
    found = find_in_result(Split(), {"responses": responses}, {"split": blind})["found"]
    assert not [f for f in found if "the rule failed" in f["text"]]


def test_a_rule_that_fails_costs_no_result(monkeypatch):
    def broken(sides):
        raise ZeroDivisionError("planted")

    monkeypatch.setattr("neurodecode.core.lint.SPLIT_RULES", (broken,))
    responses = make_responses(category=draw(list("ab")))
    stage = Split(n_folds=4)
    (found,) = find_in_result(stage, {"responses": responses}, {"split": stage.run(responses)})[
        "found"
    ]
    assert (found["code"], found["severity"]) == ("broken", "note")
    assert "the rule failed (ZeroDivisionError: planted)" in found["text"]
