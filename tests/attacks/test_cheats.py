"""Stages that do not keep what they declare, each caught by the contract test; honest ones pass.

A hole in the contract test is a hole in the leakage check, which believes ``sees()``.
"""

from dataclasses import replace
from typing import Any, ClassVar, TypedDict

import numpy as np
import pytest

from neurodecode.core.artifacts import Features, Model, Predictions, Responses, Split
from neurodecode.core.errors import DataError
from neurodecode.core.lineage import ContactKind
from neurodecode.core.rows import list_predicted_rows
from neurodecode.core.stage import Stage
from neurodecode.core.trace import BY_ROW
from tests.contract import (
    BrokenPromise,
    check_company,
    check_documented,
    check_repeatable,
    check_sight,
    digest,
    run_stage,
)
from tests.examples import make_features, make_one_fold, make_responses, make_split


class Pair(TypedDict):
    """Two outputs."""

    responses: Responses
    second: Responses


def divide_by_batch(data: np.ndarray) -> np.ndarray:
    blocks = [data[i : i + 8] for i in range(0, len(data), 8)]
    return np.concatenate([(b - b.mean(axis=0)) / (b.std(axis=0) + 1) for b in blocks])


def mend_second_copies(data: np.ndarray) -> np.ndarray:
    """Zero what repeats an earlier row: nothing, as long as all rows differ."""
    out = data.copy()
    _, first = np.unique(data, axis=0, return_index=True)
    out[np.setdiff1d(np.arange(len(data)), first)] = 0
    return out


def drop_copies(data: np.ndarray) -> np.ndarray:
    _, first = np.unique(data, axis=0, return_index=True)
    return data[np.sort(first)]


def pull_in_outliers(data: np.ndarray) -> np.ndarray:
    """Divide rows by a norm that one huge row decides, once there is one."""
    norm = np.linalg.norm(data, axis=1)
    return data / 2 if norm.max() > 20 * np.median(norm) else data


ROW_CHEATS = {
    "global mean": lambda d: d - d.mean(axis=0),
    "running mean": lambda d: d - np.cumsum(d, axis=0) / np.arange(1, len(d) + 1)[:, None],
    "sorted": lambda d: d[np.argsort(d[:, 0], kind="stable")],
    "ranks": lambda d: np.argsort(np.argsort(d, axis=0), axis=0).astype(d.dtype),
    "batch norm": divide_by_batch,
    "next row": lambda d: d + 1e-6 * np.roll(d, -1, axis=0),
    "row before": lambda d: d + 1e-6 * np.roll(d, 1, axis=0),
    "last row as baseline": lambda d: d - d[-1],
    "one middle row": lambda d: d + 0.01 * d[7],
    "copies zeroed": mend_second_copies,
    "copies dropped": drop_copies,
    "extremes": pull_in_outliers,
}


class RowCheat(Stage):
    """Says "row", and looks further in one of many ways."""

    stage: ClassVar[str] = "tests.row_cheat"
    how: str
    where: str = "first"

    def sees(self):
        return {"responses": "row"}

    def run(self, responses: Responses) -> Pair:
        changed = ROW_CHEATS.get(self.how, np.copy)(np.asarray(responses.data))
        if len(changed) < len(responses.data):  # with as many rows in the table
            cheated = replace(
                responses, data=changed, samples=responses.samples.take(np.arange(len(changed)))
            )
        else:
            cheated = replace(responses, data=changed)
        if self.where == "first":
            return {"responses": cheated, "second": responses}
        return {"responses": responses, "second": cheated}


@pytest.mark.parametrize("where", ["first", "second"])
@pytest.mark.parametrize("how", ROW_CHEATS)
def test_rows_that_depend_on_others_are_caught(how, where):
    stage = RowCheat(how=how, where=where)
    with pytest.raises(BrokenPromise, match="follow"):
        check_sight(stage, {"responses": make_responses()})


class SideCheat(Stage):
    """Leaves the data alone, and lets what it saw out elsewhere."""

    stage: ClassVar[str] = "tests.side_cheat"
    how: str = "space"

    def sees(self):
        return {"responses": "row"}

    def run(self, responses: Responses) -> Responses:
        data = np.asarray(responses.data)
        if self.how == "space":
            at = np.tile(data[0, :, None], 3)
            return replace(responses, space=replace(responses.space, coordinates_mm=at))
        if self.how == "table":
            return replace(
                responses, samples=responses.samples.with_columns(mean=data.mean(1)[::-1])
            )
        if self.how == "units":
            return replace(responses, units=f"{data.std():.6f}")
        return responses


@pytest.mark.parametrize("how", ["space", "table", "units"])
def test_what_leaves_beside_the_data_is_caught(how):
    with pytest.raises(BrokenPromise, match="follows"):
        check_sight(SideCheat(how=how), {"responses": make_responses()})
    assert check_sight(SideCheat(how="no"), {"responses": make_responses()}) == ["responses: row"]


class ManyRowsCheat(Stage):
    """Each row on its own, until there are many."""

    stage: ClassVar[str] = "tests.many_rows_cheat"
    limit: int = 100
    sight: str = "row"

    def sees(self):
        return {"responses": self.sight}

    def run(self, responses: Responses) -> Responses:
        data = np.asarray(responses.data)
        return replace(responses, data=data - data.mean(axis=0) * (len(data) > self.limit))


@pytest.mark.parametrize("sight", BY_ROW)
def test_a_promise_kept_among_few_rows_only_is_caught(sight):
    inputs = {"responses": make_responses()}
    stage = ManyRowsCheat(sight=sight)
    before = run_stage(stage, inputs)
    check_sight(stage, inputs, before)  # 24 rows show nothing
    with pytest.raises(BrokenPromise, match="follow the company"):
        check_company(stage, inputs, before)
    honest = ManyRowsCheat(sight=sight, limit=10_000)
    assert check_company(honest, inputs, run_stage(honest, inputs))


class GroupCheat(Stage):
    """Subtracts the mean of a group of rows; says which group."""

    stage: ClassVar[str] = "tests.group_cheat"
    sight: str = "run"
    by: str = "run"

    def sees(self):
        return {"responses": self.sight}

    def run(self, responses: Responses) -> Responses:
        groups = {
            "run": responses.samples["run"],
            "stimulus": responses.samples["stimulus_id"],
            "session": responses.samples["session"],
            "category": responses.samples["category"],
            "all": np.zeros(len(responses.data)),
        }[self.by]
        data = np.array(responses.data)
        for group in np.unique(groups):
            data[groups == group] -= data[groups == group].mean(axis=0)
        return replace(responses, data=data)


@pytest.mark.parametrize(
    ("sight", "by"),
    [("run", "all"), ("run", "stimulus"), ("stimulus", "run"), ("stimulus", "category"),
     ("session", "all"), ("row", "stimulus")],
)  # fmt: skip
def test_a_stage_that_looks_across_its_groups_is_caught(sight, by):
    responses = make_responses()
    late = np.where(responses.samples["run"] == "03", "02", "01")
    samples = responses.samples.with_columns(session=late)
    inputs = {"responses": replace(responses, samples=samples)}
    with pytest.raises(BrokenPromise, match="follow"):
        check_sight(GroupCheat(sight=sight, by=by), inputs)


@pytest.mark.parametrize("sight", ["run", "stimulus", "session"])
def test_a_stage_that_keeps_to_its_groups_is_not_accused(sight):
    inputs = {"responses": make_responses()}
    stage = GroupCheat(sight=sight, by=sight)
    assert check_sight(stage, inputs) == [f"responses: {sight}"]
    assert check_company(stage, inputs, run_stage(stage, inputs))


class ManyCheat(Stage):
    """Takes several, and subtracts from each the mean of the last."""

    stage: ClassVar[str] = "tests.many_cheat"
    honest: bool = False

    def sees(self):
        return {"responses": "row"}

    def run(self, responses: list[Responses]) -> Responses:
        last = 0 if self.honest else np.asarray(responses[-1].data).mean(axis=0)
        return replace(responses[0], data=np.asarray(responses[0].data) - last)


def test_an_input_that_is_a_list_is_tried_too():
    inputs = {"responses": [make_responses("01"), make_responses("02")]}
    with pytest.raises(BrokenPromise, match="follow"):
        check_sight(ManyCheat(), inputs)
    assert check_sight(ManyCheat(honest=True), inputs) == ["responses: row"] * 2


# ----------------------------------------------------------------------------------------- fits


class FitCheat(Stage):
    """Says "training", and predicts the mean of the training rows, or looks further."""

    stage: ClassVar[str] = "tests.fit_cheat"
    how: str = "honest"

    def sees(self):
        return {"responses": "training", "features": "training"}

    def run(self, responses: Responses, features: Features, split: Split) -> Predictions:
        folds = list(split.folds())
        data = []
        for fold in folds:
            shown = features.read_for(split.samples["stimulus_id"])
            guess = np.tile(shown[fold.train].mean(axis=0), (len(fold.test), 1))
            guess = guess + 1e-3 * self._peek(responses, shown, split, fold, len(folds))
            data.append(guess)
        rows = list_predicted_rows(responses.samples, [f.test for f in folds])
        extractor = {}
        if self.how == "described":
            shown = features.read_for(responses.samples["stimulus_id"])
            extractor = {"mean": float(shown.mean())}
        return Predictions(
            data=np.concatenate(data), rows=rows, split=split.digest, extractor=extractor
        )

    def _peek(self, responses: Any, shown: Any, split: Split, fold: Any, n_folds: int) -> Any:
        test, own = fold.test, np.asarray(responses.data)
        unused = np.asarray(split.roles)[fold.number] == 0
        if self.how == "all":
            return shown.mean(axis=0)
        if self.how == "truth":
            return shown[test]
        if self.how == "one truth":  # but for the first and the last stimulus
            names = split.samples["stimulus_id"][test]
            inner = ~np.isin(names, np.unique(names)[[0, -1]])
            return np.where(inner[:, None], shown[test], 0)
        if self.how == "middle fold":
            return shown[test] if 0 < fold.number < n_folds - 1 else 0
        if self.how == "responses":
            return own[test].mean()
        if self.how == "labels":
            return (responses.samples["category"][test] == "9")[:, None]
        if self.how == "labels of the split":
            return (split.samples["category"][test] == "9").mean()
        if self.how == "unused":
            return own[unused].sum() + shown[unused].sum()
        return 0


FIT_CHEATS = (
    "all", "truth", "one truth", "middle fold", "responses", "labels", "labels of the split",
    "unused", "described",
)  # fmt: skip


def fit_inputs():
    return {"responses": make_responses(), "features": make_features(), "split": make_split()}


@pytest.mark.parametrize("how", FIT_CHEATS)
def test_a_fit_that_looks_beyond_its_training_rows_is_caught(how):
    with pytest.raises(BrokenPromise, match="follow"):
        check_sight(FitCheat(how=how), fit_inputs())


def test_an_honest_fit_is_not_accused():
    assert check_sight(FitCheat(), fit_inputs()) == ["responses: training", "features: training"]


class ModelCheat(Stage):
    """Says "training", but puts the mean of all rows into a model."""

    stage: ClassVar[str] = "tests.model_cheat"
    how: str = "per fold"

    def sees(self):
        return {"responses": "training"}

    def run(self, responses: Responses, split: Split) -> Model:
        data = np.asarray(responses.data)
        if self.how == "shared":
            return Model(stage=self.stage, arrays={"mean": data.mean(axis=0)})
        if self.how == "curve":
            return Model(stage=self.stage, curve={"loss": data.mean(axis=1)}, n_folds=3)
        arrays = {
            f"fold{fold.number}/mean": data[
                fold.train if self.how == "honest" else slice(None)
            ].mean(0)
            for fold in split.folds()
        }
        return Model(stage=self.stage, arrays=arrays, n_folds=3)


@pytest.mark.parametrize(
    ("how", "array"), [("per fold", "fold0/mean"), ("shared", "mean"), ("curve", "loss")]
)
def test_a_model_that_looks_at_test_rows_is_caught(how, array):
    inputs = {"responses": make_responses(), "split": make_split()}
    with pytest.raises(BrokenPromise, match=f"{array} follows"):
        check_sight(ModelCheat(how=how), inputs)
    assert check_sight(ModelCheat(how="honest"), inputs) == ["responses: training"]


class FeatureCheat(Stage):
    """Says "training", but centres features, which have no folds, on all items."""

    stage: ClassVar[str] = "tests.feature_cheat"
    contact: ClassVar[ContactKind] = "transductive"
    honest: bool = False

    def sees(self):
        return {"features": "training"}

    def run(self, features: Features, split: Split) -> Features:
        data = np.asarray(features.data)
        trained = split.samples["stimulus_id"][split.fold(0).train]
        rows = np.isin(features.items["id"], trained) if self.honest else slice(None)
        return replace(features, data=data - data[rows].mean(axis=0))


def test_outputs_without_folds_are_compared_as_well():
    inputs = {"features": make_features(), "split": make_one_fold()}
    with pytest.raises(BrokenPromise, match="follow"):
        check_sight(FeatureCheat(), inputs)
    assert check_sight(FeatureCheat(honest=True), inputs) == ["features: training"]
    several = {**inputs, "split": make_split()}
    with pytest.raises(BrokenPromise, match="follow"):  # the training rows of fold 0 are fold 1's
        check_sight(FeatureCheat(honest=True), several)


# -------------------------------------------------------------------------------- other promises


class LooseCheat(Stage):
    """Breaks other promises than that of its sight."""

    stage: ClassVar[str] = "tests.loose_cheat"
    how: str = "no"

    def run(self, responses: Responses) -> Responses:
        data = np.array(responses.data)
        if self.how == "in_place":
            responses.data[0] += 1
        if self.how == "clock":
            data = data + np.random.default_rng().normal(size=data.shape)
        return replace(responses, data=data)


def test_other_broken_promises_are_caught():
    inputs = {"responses": make_responses().take(np.arange(24))}
    with pytest.raises(BrokenPromise, match="from run to run"):
        check_repeatable(LooseCheat(how="clock"), inputs)
    with pytest.raises(BrokenPromise, match=r"in place|run to run"):
        check_repeatable(LooseCheat(how="in_place"), inputs)
    with pytest.raises(BrokenPromise, match="'how' is not in the docstring"):
        check_documented(LooseCheat)
    made = run_stage(LooseCheat(), inputs)["responses"]
    assert digest(made) == digest(inputs["responses"])
    with pytest.raises(DataError):
        replace(make_responses(), data=np.zeros((3, 2)))
