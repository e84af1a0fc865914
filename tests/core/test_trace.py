"""Planted leaks are found and named; honest designs never trip the check."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from neurodecode.core.artifacts import (
    TEST,
    TRAIN,
    VALIDATION,
    Events,
    Features,
    Model,
    Predictions,
    Reconstructions,
    Responses,
    Scores,
    Split,
    Stimuli,
    make_items,
    make_samples,
)
from neurodecode.core.errors import LeakageError
from neurodecode.core.leakage import check_scores
from neurodecode.core.lineage import Contact, Lineage, make_row_tokens
from neurodecode.core.rows import list_predicted_rows
from neurodecode.core.stage import Stage
from neurodecode.core.tables import Table
from neurodecode.core.trace import derive_lineage

N_STIMULI, N_RUNS = 6, 3


class Zscore(Stage):
    """Within each run."""

    stage: ClassVar[str] = "tests.zscore"
    contact: ClassVar[str] = "transductive"
    how: str = "run"

    def sees(self):
        return {"responses": self.how}


class Decoder(Stage):
    """Fitted on training rows."""

    stage: ClassVar[str] = "tests.decoder"
    how: str = "training"

    def sees(self):
        return {"responses": self.how, "features": self.how}


class Extractor(Stage):
    """Row by row."""

    stage: ClassVar[str] = "tests.extractor"

    def sees(self):
        return {"stimuli": "row", "features": "row"}


class Generator(Stage):
    """Trained on images."""

    stage: ClassVar[str] = "tests.generator"
    how: str = "all"

    def sees(self):
        return {"stimuli": self.how, "estimates": "training"}


class Draw(Stage):
    """Images, row by row, by a model with a lineage of its own."""

    stage: ClassVar[str] = "tests.draw"

    def sees(self):
        return {"features": "row"}


def make_world(subject="01", contents=None):
    """Six stimuli, each shown once in each of three runs."""
    images = np.arange(N_STIMULI, dtype=np.uint8)[:, None, None, None] * np.ones(
        (1, 2, 2, 1), np.uint8
    )
    if contents is not None:
        images = images[contents]
    items = make_items([f"im{i}" for i in range(N_STIMULI)], images)
    stimuli = Stimuli(data=images, items=items)
    shown = np.tile(np.arange(N_STIMULI), N_RUNS)
    samples = make_samples(
        dataset="world", subject=subject, stimulus_id=items["id"][shown],
        run=np.repeat(["01", "02", "03"], N_STIMULI), stimuli=stimuli,
    )  # fmt: skip
    responses = Responses(data=np.zeros((len(shown), 4)), samples=samples)
    return stimuli, responses


def make_split(responses, unit="stimulus", validation=False):
    column = {"stimulus": "stimulus_id", "sample": "sample_id"}.get(unit, unit)
    groups = np.unique(responses.samples[column], return_inverse=True)[1]
    n_folds = min(3, groups.max() + 1)
    test = groups % n_folds == np.arange(n_folds)[:, None]
    roles = np.where(test, TEST, TRAIN).astype(np.int8)
    if validation:
        after = groups % n_folds == (np.arange(n_folds)[:, None] + 1) % n_folds
        roles[after] = VALIDATION
    return Split(roles=roles, samples=responses.samples, unit=unit)


def run(stage, inputs, step, output=None, **reasons):
    """Return an output with the lineage that the runner would give it."""
    outputs = {"it": output if output is not None else next(iter(inputs.values()))}
    bare = {"it": outputs["it"].with_lineage(Lineage())}
    return derive_lineage(stage, inputs, bare, step=step, **reasons)["it"]


def extract(stimuli):
    features = Features(data=np.zeros((len(stimuli.items), 5)), items=stimuli.items)
    return run(Extractor(), {"stimuli": stimuli}, "clip", features)


def decode(responses, features, split, how="training", role="test", step="decoded", **reasons):
    rows = [
        {"test": f.test, "training": f.train, "validation": f.validation}[role]
        for f in split.folds()
    ]
    table = list_predicted_rows(responses.samples, rows)
    predictions = Predictions(
        data=np.zeros((len(table), 5)), rows=table, split=split.digest, unit=split.unit,
        role="training" if role == "training" else "test",
    )  # fmt: skip
    inputs = {"responses": responses, "features": features, "split": split}
    return run(Decoder(how=how), inputs, step, predictions, **reasons)


def draw(predictions, model):
    images = Reconstructions(
        data=np.zeros((len(predictions.data), 1, 2, 2, 1), np.float32), items=predictions.items,
        split=predictions.split, unit=predictions.unit,
    )  # fmt: skip
    return run(Draw(), {"features": predictions, "model": model}, "images", images)


def train(stimuli, split=None, how="all", step="generator", estimates=None):
    inputs = {"stimuli": stimuli} | ({"split": split} if split is not None else {})
    if estimates is not None:
        inputs["estimates"] = estimates
    n_folds = split.n_folds if split is not None else 0
    return run(Generator(how=how), inputs, step, Model(stage="tests.generator", n_folds=n_folds))


def score(artifact, **reasons):
    notices = check_scores({"predictions": artifact}, step="scores", **reasons)
    mild = ("The split does not keep stimuli apart", "Neighbours in one run")
    return [n for n in notices if not n.startswith(mild)]


# ------------------------------------------------------------------------------- honest designs


@pytest.mark.parametrize("unit", ["stimulus", "run", "sample"])
@pytest.mark.parametrize("validation", [False, True])
def test_cross_validation_is_honest(unit, validation):
    stimuli, responses = make_world()
    split = make_split(responses, unit, validation)
    assert score(decode(responses, extract(stimuli), split)) == []


def test_leave_one_run_out_with_zscore_within_run_is_honest():
    stimuli, responses = make_world()
    split = make_split(responses, "run")
    zscored = run(Zscore(), {"responses": responses}, "zscored")
    assert score(decode(zscored, extract(stimuli), split)) == []


def test_zscore_by_training_rows_is_honest():
    stimuli, responses = make_world()
    split = make_split(responses)
    zscored = run(Zscore(how="training"), {"responses": responses, "split": split}, "zscored")
    assert score(decode(zscored, extract(stimuli), split)) == []


def test_leave_one_subject_out_is_honest():
    subjects = [make_world(s) for s in ("01", "02", "03")]
    stimuli = subjects[0][0]
    tables = [r.samples for _, r in subjects]
    samples = Table({c: np.concatenate([t[c] for t in tables]) for c in tables[0]})
    stacked = Responses(data=np.zeros((len(samples), 4)), samples=samples)
    parts = {
        s: run(Zscore(), {"responses": r}, "zscored")
        for s, (_, r) in zip("123", subjects, strict=True)
    }
    stacked = run(Extractor(), {"stimuli": parts}, "stacked", stacked)
    split = make_split(stacked, "subject")
    assert split.n_folds == 3
    assert score(decode(stacked, extract(stimuli), split)) == []


def test_nested_folds_are_honest():
    """A second fit on predictions of training rows, made within the training part of each fold."""
    stimuli, responses = make_world()
    split = make_split(responses)
    features = extract(stimuli)
    nested = decode(responses, features, split, role="training")
    generator = train(stimuli, split, how="training", estimates=nested)
    images = draw(decode(responses, features, split), generator)
    assert score(images) == []


def test_a_generator_of_other_images_is_honest():
    stimuli, responses = make_world()
    other = np.full((3, 2, 2, 1), 99, np.uint8)
    other[:, 0, 0, 0] = [1, 2, 3]
    photographs = Stimuli(data=other, items=make_items(["x0", "x1", "x2"], other))
    predictions = decode(responses, extract(stimuli), make_split(responses))
    assert score(draw(predictions, train(photographs))) == []


class Check(Stage):
    """Events beside responses."""

    stage: ClassVar[str] = "tests.check"
    how: str = "row"

    def sees(self):
        return {"responses": self.how}


@pytest.mark.parametrize(("how", "seen"), [("row", 0), ("run", 2), ("all", 2)])
def test_events_are_not_what_responses_beside_them_were_made_of(how, seen):
    _, responses = make_world()
    zscored = run(Zscore(), {"responses": responses}, "zscored")
    events = Events(table=Table({"onset": [0.0]}))
    made = run(Check(how=how), {"responses": zscored}, "checked", events)
    assert len(made.lineage.contacts()) == seen


# --------------------------------------------------------------------------------- planted leaks


def test_zscore_within_run_then_split_by_stimulus_must_be_named():
    stimuli, responses = make_world()
    split = make_split(responses)
    zscored = run(Zscore(), {"responses": responses}, "zscored")
    with pytest.raises(LeakageError, match=r"'zscored'.*transductive.*allow_transductive"):
        score(decode(zscored, extract(stimuli), split))
    named = run(
        Zscore(), {"responses": responses}, "zscored", allow_transductive="habit of the field"
    )
    notices = score(decode(named, extract(stimuli), split))
    assert len(notices) == 1, "one for all folds"
    assert "18 of the 18 test samples of 3 folds" in notices[0]
    assert all("Transductive contact, named by the file" in n and "'zscored'" in n for n in notices)
    assert all("habit of the field" in n for n in notices)


def test_naming_a_transductive_contact_allows_no_label_contact():
    stimuli, responses = make_world()
    split = make_split(responses)
    predictions = decode(responses, extract(stimuli), split, how="all", allow_transductive="no")
    with pytest.raises(LeakageError, match="'decoded'"):
        score(predictions)


def test_zscore_over_everything_must_be_named_too():
    stimuli, responses = make_world()
    zscored = run(Zscore(how="all"), {"responses": responses}, "zscored")
    with pytest.raises(LeakageError, match="'zscored'"):
        score(decode(zscored, extract(stimuli), make_split(responses, "run")))


def test_a_fit_on_all_rows_is_named():
    stimuli, responses = make_world()
    predictions = decode(
        responses, extract(stimuli), make_split(responses), how="all", step="fitted"
    )
    with pytest.raises(
        LeakageError, match=r"scores: step 'fitted' has seen .*6 of the 6 test samples"
    ):
        score(predictions)


def test_allowed_leakage_is_printed_in_capitals():
    stimuli, responses = make_world()
    predictions = decode(responses, extract(stimuli), make_split(responses), how="all")
    notices = score(predictions, allow_leakage="to show what it does")
    assert all(n.startswith("LEAKAGE, allowed by the file") for n in notices)
    assert len(notices) == 1


@pytest.mark.parametrize("by", ["content", "source"])
def test_one_stimulus_under_two_names_is_one(by):
    """im3 is im0 again: its bytes, or a crop of its photograph; one is trained on, one tested."""
    stimuli, responses = make_world(contents=[0, 1, 2, 0, 4, 5] if by == "content" else None)
    if by == "source":
        source = np.where(stimuli.items["id"] == "im3", "im0", stimuli.items["source"])
        stimuli = replace(stimuli, items=stimuli.items.with_columns(source=source))
        shown = np.tile(source, N_RUNS)
        responses = replace(responses, samples=responses.samples.with_columns(source=shown))
    groups = np.unique(responses.samples["stimulus_id"], return_inverse=True)[1]
    roles = np.where(groups < 3, TEST, TRAIN)[None].astype(np.int8)
    split = Split(roles=roles, samples=responses.samples, unit="stimulus")
    with pytest.raises(LeakageError, match=r"has seen the stimulus of 3 of the 9"):
        score(decode(responses, extract(stimuli), split))


def test_a_generator_trained_on_test_images_is_named():
    stimuli, responses = make_world()
    predictions = decode(responses, extract(stimuli), make_split(responses))
    with pytest.raises(LeakageError, match="'generator' has seen the stimulus"):
        score(draw(predictions, train(stimuli)))


def test_a_generator_of_stimuli_is_checked_whatever_the_unit():
    """Split by run, the brain data may share stimuli; what a generator has seen still counts."""
    stimuli, responses = make_world()
    predictions = decode(responses, extract(stimuli), make_split(responses, "run"))
    assert score(predictions) == []
    with pytest.raises(LeakageError, match="has seen the stimulus"):
        score(draw(predictions, train(stimuli)))


def test_predictions_of_training_rows_are_not_scored():
    stimuli, responses = make_world()
    nested = decode(responses, extract(stimuli), make_split(responses), role="training")
    with pytest.raises(LeakageError, match="predictions of training rows"):
        score(nested)


def test_validation_rows_used_as_test_are_found():
    stimuli, responses = make_world()
    split = make_split(responses, validation=True)
    with pytest.raises(LeakageError, match="'decoded'"):
        score(decode(responses, extract(stimuli), split, role="validation"))


def test_a_coarser_unit_is_kept():
    """Folds that share stimuli are no leak by sample, and one by stimulus."""
    stimuli, responses = make_world()
    by_run = make_split(responses, "run")
    claimed = Split(roles=by_run.roles, samples=by_run.samples, unit="stimulus")
    with pytest.raises(LeakageError, match="has seen the stimulus"):
        score(decode(responses, extract(stimuli), claimed))


def test_another_split_s_model_has_seen_all_its_folds():
    stimuli, responses = make_world()
    features = extract(stimuli)
    by_run, by_stimulus = make_split(responses, "run"), make_split(responses)
    first = decode(responses, features, by_run)
    model = run(Generator(), {"stimuli": first}, "second", Model(stage="x"))
    with pytest.raises(LeakageError):
        score(draw(decode(responses, features, by_stimulus), model))


def test_folds_of_another_split_are_not_taken_for_ours():
    """Each fold of the generator left out what ours tests, but nothing says which is used."""
    stimuli, responses = make_world()
    ours = make_split(responses)
    roles = np.array(ours.roles)
    roles[0, np.flatnonzero(roles[0] == TRAIN)[-1]] = 0
    theirs = replace(ours, roles=roles)
    predictions = decode(responses, extract(stimuli), ours)
    assert score(draw(predictions, train(stimuli, ours, how="training"))) == []
    with pytest.raises(LeakageError, match="'generator'"):
        score(draw(predictions, train(stimuli, theirs, how="training")))


def test_a_second_fit_on_out_of_fold_predictions_has_seen_their_rows():
    stimuli, responses = make_world()
    split = make_split(responses)
    features = extract(stimuli)
    out_of_fold = decode(responses, features, split)
    model = train(stimuli, split, how="training", estimates=out_of_fold, step="stacked")
    with pytest.raises(LeakageError, match="'stacked'"):
        score(draw(out_of_fold, model))


def test_a_model_of_unknown_training_data_is_printed():
    stimuli, responses = make_world()
    unknown = Lineage(seen={-1: (Contact("weights", "unknown", "downloaded", {}),)})
    model = Model(stage="x").with_lineage(unknown)
    notices = score(draw(decode(responses, extract(stimuli), make_split(responses)), model))
    assert len(notices) == 1
    assert "unknown" in notices[0]
    assert "downloaded" in notices[0]


def test_imported_weights_that_declare_their_images_are_checked():
    stimuli, responses = make_world()
    tokens = {"stimulus": np.unique(make_row_tokens(stimuli.items)["stimulus"])}
    model = Model(stage="x").with_lineage(
        Lineage(seen={-1: (Contact("shipped", "label", None, tokens),)})
    )
    with pytest.raises(LeakageError, match="'shipped'"):
        score(draw(decode(responses, extract(stimuli), make_split(responses)), model))


# ----------------------------------------------------------------------------- rows and peers


def test_peers_follow_their_rows():
    """Predictions come in the order of folds; what each row's run-mates saw goes with the row."""
    stimuli, responses = make_world()
    zscored = run(Zscore(), {"responses": responses}, "zscored")
    predictions = decode(zscored, extract(stimuli), make_split(responses))
    (peers,) = predictions.lineage.peers
    for row, run_name in enumerate(predictions.rows["run"]):
        seen = peers.to_contact(peers.groups[[row]]).tokens["sample"]
        mates = responses.samples.take(responses.samples["run"] == run_name)
        np.testing.assert_array_equal(seen, np.unique(make_row_tokens(mates)["sample"]))
    some = predictions.take([4, 2])
    np.testing.assert_array_equal(some.lineage.peers[0].groups, peers.groups[[4, 2]])


def test_stacked_parts_keep_their_peers():
    _, first = make_world("01")
    _, second = make_world("02")
    parts = {
        "a": run(Zscore(), {"responses": first}, "z"),
        "b": run(Zscore(), {"responses": second}, "z"),
    }
    samples = Table(
        {c: np.concatenate([first.samples[c], second.samples[c]]) for c in first.samples}
    )
    stacked = Responses(data=np.zeros((len(samples), 4)), samples=samples)
    lineage = run(Extractor(), {"stimuli": parts}, "stacked", stacked).lineage
    own = make_row_tokens(samples)["sample"][:, 0]
    for row in (0, 20, 35):
        seen = [p.to_contact(p.groups[[row]]).tokens["sample"] for p in lineage.peers]
        mates = own[
            (samples["run"] == samples["run"][row])
            & (samples["subject"] == samples["subject"][row])
        ]
        np.testing.assert_array_equal(np.unique(np.concatenate(seen)), np.unique(mates))
    assert not any(len(t) for c in lineage.seen.values() for k in c for t in k.tokens.values())


def test_rows_that_lose_their_identity_take_all_peers_along():
    stimuli, responses = make_world()
    zscored = run(Zscore(), {"responses": responses}, "zscored")
    averaged = Responses(
        data=np.zeros((N_STIMULI, 4)),
        samples=make_samples(dataset="mean", stimulus_id=stimuli.items["id"]),
    )
    lineage = run(Zscore(how="row"), {"responses": zscored}, "averaged", averaged).lineage
    assert [c.step for c in lineage.contacts()] == ["zscored"]


# ------------------------------------------------------------------------- attacks on the lineage


class Mixer(Stage):
    """Sees what it is told to see, of any input."""

    stage: ClassVar[str] = "tests.mixer"
    sights: dict[str, str] = {}

    def sees(self):
        return self.sights


def derive(inputs, output, step="mixed", **sights):
    return run(Mixer(sights=sights), inputs, step, output)


def test_what_other_folds_models_had_seen_comes_along_with_their_rows():
    """Fold 0 is fitted on what fold 1's model made of items that fold 0 trains on."""
    stimuli, responses = make_world()
    split = make_split(responses)
    first = draw(decode(responses, extract(stimuli), split), Model(stage="x"))
    again = Features(data=np.zeros((len(first.data), 5)), items=first.items)
    again = derive({"stimuli": first}, again, "again", stimuli="row")
    unfolded = Table({c: again.items[c] for c in again.items if c != "fold"})
    without_folds = replace(again, items=unfolded)
    for features in (again, without_folds):
        with pytest.raises(LeakageError, match="'second'"):
            score(decode(responses, features, split, step="second"))


def test_a_model_without_folds_has_seen_the_training_rows_of_all():
    stimuli, responses = make_world()
    split = make_split(responses)
    predictions = decode(responses, extract(stimuli), split)
    for n_folds in (3, 0):
        model = run(
            Generator(how="training"), {"stimuli": stimuli, "split": split}, "generator",
            Model(stage="x", n_folds=n_folds),
        )  # fmt: skip
        if n_folds:
            assert score(draw(predictions, model)) == []
        else:
            with pytest.raises(LeakageError, match="'generator'"):
                score(draw(predictions, model))


def test_of_two_splits_none_says_whose_training_rows_were_seen():
    stimuli, responses = make_world()
    _, other = make_world("02")
    splits = {"01": make_split(responses), "02": make_split(other)}
    given = {"responses": {"01": responses, "02": other}, "split": splits}
    model = derive(given, Model(stage="x", n_folds=3), responses="training")
    predictions = decode(responses, extract(stimuli), splits["01"])
    with pytest.raises(LeakageError, match="'mixed'"):
        score(draw(predictions, model))
    both = {"ours": splits["01"], "by_run": make_split(responses, "run")}  # trains on all stimuli
    model = derive({"stimuli": stimuli, "split": both}, Model(stage="x", n_folds=3),
                   stimuli="training")  # fmt: skip
    with pytest.raises(LeakageError, match="'mixed'"):
        score(draw(predictions, model))


def test_a_split_of_another_table_counts_no_rows():
    """Row numbers of one recording say nothing about another's."""
    _, responses = make_world()
    split = make_split(responses)
    fewer = responses.take(np.arange(len(responses.samples))[::-1])
    model = derive({"responses": fewer, "split": split}, Model(stage="x", n_folds=3),
                   responses="training")  # fmt: skip
    (contact,) = [c for c in model.lineage.contacts(0) if c.kind == "label"]
    assert len(contact.tokens["sample"]) == len(responses.samples)


def test_a_split_takes_nothing_over_from_responses_it_was_made_of():
    stimuli, responses = make_world()
    mixed = run(Zscore(how="all"), {"responses": responses}, "zscored")
    assert mixed.lineage.contacts()
    split = derive({"responses": mixed}, make_split(responses), "split", responses="row")
    assert not split.lineage.contacts()
    assert score(decode(responses, extract(stimuli), split)) == []
    looked = derive({"responses": mixed}, make_split(responses), "split")
    with pytest.raises(LeakageError, match="has seen"):
        score(decode(responses, extract(stimuli), looked))


@pytest.mark.parametrize("form", ["one", "list", "dict"])
def test_the_form_of_an_input_hides_nothing(form):
    stimuli, responses = make_world()
    split = make_split(responses)
    given = {"one": stimuli, "list": [stimuli, stimuli], "dict": {"a": stimuli}}[form]
    model = derive({"stimuli": given}, Model(stage="x", n_folds=0))
    with pytest.raises(LeakageError, match="'mixed'"):
        score(draw(decode(responses, extract(stimuli), split), model))


@pytest.mark.parametrize("unit", ["stimulus", "run", "sample", "session", "subject"])
def test_truth_handed_in_row_by_row_is_found_under_any_unit(unit):
    stimuli, responses = make_world()
    features = extract(stimuli)
    split = make_split(responses, unit)
    if unit in ("session", "subject"):  # one of each: test all, train nothing
        split = Split(roles=np.full((1, 18), TEST, np.int8), samples=responses.samples, unit=unit)
    predictions = decode(responses, features, split)
    peeked = derive({"predictions": predictions, "features": features}, predictions,
                    predictions="row", features="row")  # fmt: skip
    with pytest.raises(LeakageError, match="'mixed' has seen"):
        score(peeked)
    measured = replace(predictions, of="responses")
    handed = derive({"responses": responses}, measured, responses="row")
    with pytest.raises(LeakageError, match="'mixed' has seen"):
        score(handed)
    _, others = make_world("02")
    beside = derive({"responses": others, "split": split}, measured, responses="row")
    assert score(beside) == [], "another subject's responses are no truth of ours"


def test_scores_carry_the_rows_they_scored():
    """What is chosen by scores has seen the test rows, and says who looked."""
    stimuli, responses = make_world()
    split = make_split(responses)
    predictions = decode(responses, extract(stimuli), split)
    columns = {n: [0.0] for n in ("value", "low", "high", "chance", "n")}
    scores = Scores(
        values=np.zeros(4), over="voxels", items=Table({"voxel": np.arange(4)}), metric="r",
        scale="r", summary=Table({"name": ["r"], **columns}),
    )  # fmt: skip
    scores = derive({"predictions": predictions, "responses": responses}, scores, "map")
    assert {c.step for c in scores.lineage.contacts(0)} >= {"map"}
    chosen = derive({"responses": responses, "scores": scores}, responses, "chosen",
                    responses="row", scores="all")  # fmt: skip
    with pytest.raises(LeakageError, match=r"step '(chosen|map)' has seen"):
        score(decode(chosen, extract(stimuli), split))


def test_averages_carry_their_trials_whatever_they_are_called():
    stimuli, responses = make_world()
    features = extract(stimuli)
    first = responses.take(np.arange(N_STIMULI))
    renamed = replace(
        first, samples=first.samples.with_columns(sample_id=np.arange(N_STIMULI, dtype=np.uint64))
    )
    for averaged in (first, renamed):
        mean = derive({"responses": responses}, averaged, "mean", responses="stimulus")
        (peers,) = mean.lineage.peers
        for row, stimulus in enumerate(mean.samples["stimulus_id"]):
            trials = responses.samples.take(responses.samples["stimulus_id"] == stimulus)
            seen = peers.to_contact(peers.groups[[row]]).tokens["sample"]
            np.testing.assert_array_equal(seen, np.unique(make_row_tokens(trials)["sample"]))
        assert score(decode(mean, features, make_split(mean))) == []


def test_items_that_name_no_run_are_not_taken_to_be_apart():
    stimuli, _ = make_world()
    mixed = derive({"stimuli": stimuli}, stimuli, stimuli="run")
    assert len(np.unique(mixed.lineage.peers[0].groups)) == 1


def test_neighbours_are_known_by_run_and_onset():
    stimuli, responses = make_world()
    backwards = responses.samples.with_columns(
        onset_s=np.tile(np.arange(N_STIMULI)[::-1] * 2.0, N_RUNS)
    )
    timed = replace(responses, samples=backwards)
    roles = np.full((1, 18), 0, np.int8)
    roles[0, [2, 8]], roles[0, [3, 4, 5, 6, 7]] = TRAIN, TEST
    split = Split(roles=roles, samples=backwards, unit="stimulus")
    predictions = decode(timed, extract(stimuli), split)
    (near,) = [c for c in predictions.lineage.contacts(0) if c.kind == "neighbour"]
    own = make_row_tokens(backwards)["sample"][:, 0]
    np.testing.assert_array_equal(near.tokens["sample"], np.sort(own[[1, 3, 7, 9]]))
    notices = check_scores({"predictions": predictions}, step="scores")
    assert any("just before or after 2 of the 5 test rows" in n for n in notices)
    by_run = replace(split, unit="run")
    found = decode(timed, extract(stimuli), by_run).lineage.contacts(0)
    assert not [c for c in found if c.kind == "neighbour"]
