import numpy as np
import pytest
from pydantic import ValidationError

from neurodecode.core.artifacts import TEST, TRAIN, UNUSED, VALIDATION
from neurodecode.core.errors import DataError
from neurodecode.evaluation.split import Split
from tests.evaluation.evaluation_data import make_features, make_responses


def make_session(n_stimuli=12, n_repeats=3):
    ids = np.tile([f"s{i:02d}" for i in range(n_stimuli)], n_repeats)
    category = np.array(["a", "b"])[np.arange(len(ids)) % n_stimuli % 2]
    run = np.repeat([f"{r:02d}" for r in range(n_repeats)], n_stimuli)
    return make_responses(
        np.zeros((len(ids), 2)), ids, run=run, category=category, cluster=(np.arange(36) % 12) // 3
    )


def check_whole_units(split, units):
    for fold in split.folds():
        parts = [set(units[rows]) for rows in (fold.train, fold.validation, fold.test)]
        assert not parts[0] & parts[1]
        assert not parts[0] & parts[2]
        assert not parts[1] & parts[2]
        assert parts[0]
        assert parts[2]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("by", "column", "n_folds"),
    [("stimulus", "stimulus_id", 5), ("run", "run", 3), ("category", "category", 2),
     ("column:cluster", "cluster", 4), ("sample", "sample_id", 7)],
)  # fmt: skip
def test_units_are_never_broken(by, column, n_folds, seed):
    responses = make_session()
    validation = 0.25 if n_folds > 3 else 0.0
    split = Split(by=by, n_folds=n_folds, seed=seed, validation_fraction=validation).run(responses)
    check_whole_units(split, responses.samples[column])
    tested = (np.asarray(split.roles) == TEST).sum(axis=0)
    assert (tested == 1).all()
    if validation:
        assert ((np.asarray(split.roles) == VALIDATION).sum(axis=1) > 0).all()


def test_copies_and_crops_stay_together():
    data = np.random.default_rng(0).normal(size=(8, 3))
    data[5] = data[0]  # the same content under another name
    source = np.array(["p0", "p1", "p2", "p3", "p4", "p5", "p1", "p7"])  # 6 is a crop of 1
    stimuli = make_features(data, source=source)
    responses = make_responses(np.zeros((8, 2)), stimuli.items["id"], stimuli=stimuli)
    for seed in range(5):
        split = Split(n_folds=3, seed=seed).run(responses)
        roles = np.asarray(split.roles)
        assert (roles[:, 0] == roles[:, 5]).all()
        assert (roles[:, 1] == roles[:, 6]).all()


def test_runs_of_different_sessions_are_different_runs():
    session = np.repeat(["01", "02"], 6)
    run = np.tile(np.repeat(["01", "02"], 3), 2)
    responses = make_responses(np.zeros((12, 1)), session=session, run=run)
    assert Split(by="run", leave_one_out=True).run(responses).n_folds == 4
    assert Split(by="session", leave_one_out=True).run(responses).n_folds == 2


def test_folds_are_even_and_stratified():
    category = np.array(["6"] * 50 + ["9"] * 50)
    responses = make_responses(np.zeros((100, 1)), category=category)
    split = Split(n_folds=10, stratify="category").run(responses)
    for fold in split.folds():
        assert len(fold.test) == 10
        assert (category[fold.test] == "6").sum() == 5
    held = Split(test_fraction=0.2, stratify="category").run(responses).fold(0)
    assert len(held.test) == 20
    assert (category[held.test] == "6").sum() == 10


def test_published_columns_and_unused_rows():
    part = np.array(["train"] * 5 + ["test"] * 3 + ["none"] * 2)
    responses = make_responses(np.zeros((10, 1)), published_part=part)
    roles = np.asarray(Split(test_where={"published_part": "test"}).run(responses).roles)
    assert roles[0].tolist() == [TRAIN] * 5 + [TEST] * 3 + [TRAIN] * 2
    both = Split(test_where={"published_part": "test"}, train_where={"published_part": "train"})
    assert np.asarray(both.run(responses).roles)[0].tolist()[8:] == [UNUSED] * 2
    repeated = make_responses(np.zeros((10, 1)), np.array(["x"] * 10), published_part=part)
    with pytest.raises(DataError, match="lie in both"):
        Split(test_where={"published_part": "test"}).run(repeated)


def test_seed_decides_and_order_without_shuffling():
    responses = make_responses(np.zeros((20, 1)))
    first, again, other = (Split(seed=s).run(responses).roles for s in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()
    ordered = Split(test_fraction=0.25, shuffle=False).run(responses).fold(0).test
    assert ordered.tolist() == [0, 1, 2, 3, 4]


def test_refusals():
    responses = make_responses(np.zeros((4, 1)))
    with pytest.raises(DataError, match="5 folds need as many units"):
        Split(n_folds=5).run(responses)
    with pytest.raises(DataError, match="no such column"):
        Split(by="category", n_folds=2).run(responses)
    with pytest.raises(DataError, match="matches none"):
        Split(test_where={"run": "77"}).run(responses)
    with pytest.raises(DataError, match="show no stimulus"):
        Split(n_folds=2).run(make_responses(np.zeros((4, 1)), np.array(["a", "", "b", ""])))
    with pytest.raises(ValidationError, match="exclude each other"):
        Split(n_folds=5, leave_one_out=True)
    with pytest.raises(ValidationError):
        Split(by="stimuli")


def make_series(n_scans=50, n_runs=2):
    runs = np.repeat([f"{r:02d}" for r in range(n_runs)], n_scans)
    onset_s = np.tile(np.arange(n_scans) * 2.0, n_runs)
    n = len(runs)
    return make_responses(np.zeros((n, 2)), np.full(n, ""), run=runs, onset_s=onset_s)


def test_blocks_are_stretches_of_every_run():
    split = Split(by="block", n_folds=5).run(make_series())
    roles = np.asarray(split.roles)
    assert split.unit == "time_block"
    assert ((roles == TEST).sum(axis=0) == 1).all()
    for k, fold in enumerate(split.folds()):
        assert fold.test.tolist() == [*range(10 * k, 10 * k + 10), *range(50 + 10 * k, 60 + 10 * k)]
    assert len(np.unique(split.samples["time_block"])) == 10


def test_blocks_follow_time_not_the_order_of_rows():
    responses = make_series(n_runs=1)
    order = np.random.default_rng(0).permutation(50)
    shuffled = Split(by="block", n_folds=5).run(responses.take(order))
    straight = Split(by="block", n_folds=5).run(responses)
    np.testing.assert_array_equal(np.asarray(shuffled.roles), np.asarray(straight.roles)[:, order])


@pytest.mark.parametrize("by", ["block", "run"])
def test_purged_rows_lie_beside_tested_ones_in_their_run(by):
    n_folds = 5 if by == "block" else 2
    split = Split(by=by, n_folds=n_folds, purge=3, shuffle=False).run(make_series())
    for fold, roles in zip(split.folds(), np.asarray(split.roles), strict=True):
        unused = np.flatnonzero(roles == UNUSED)
        run, place = np.divmod(np.arange(100), 50)
        near = [
            row for row in range(100) if row not in fold.test
            and any(run[row] == run[t] and abs(place[row] - place[t]) <= 3 for t in fold.test)
        ]  # fmt: skip
        assert unused.tolist() == near
        assert bool(near) == (by == "block")


def test_blocks_that_cannot_be_are_refused():
    with pytest.raises(DataError, match="a run holds 8 samples, which are too few"):
        Split(by="block", n_folds=5).run(make_series(n_scans=8))
    with pytest.raises(DataError, match="purge 40 leaves fold 0 without training rows"):
        Split(by="block", n_folds=2, purge=40).run(make_series())
    with pytest.raises(ValidationError, match="by: block takes n_folds only"):
        Split(by="block", leave_one_out=True)
