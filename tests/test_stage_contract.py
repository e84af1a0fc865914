"""A stage is tested by existing: every stage of the package keeps the contract.

What is checked lies in contract.py; how each stage is run, in examples.py.
"""

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from neurodecode.core.artifacts import ARTIFACTS, Features, Model, Predictions, Responses, Split
from neurodecode.core.errors import DataError
from neurodecode.core.rows import list_predicted_rows
from neurodecode.core.stage import (
    STAGE_FOLDERS,
    Stage,
    find_stage,
    list_stages,
    name_class,
    read_inputs,
)
from tests.contract import (
    BrokenPromise,
    check_documented,
    check_moves_rows,
    check_repeatable,
    check_sight,
    digest,
    run_stage,
)
from tests.examples import (
    MAKERS,
    SPECIAL,
    Case,
    list_cases,
    make_features,
    make_responses,
    make_split,
)

STAGES = list_stages()


@pytest.fixture
def cases(address, tmp_path, find_data):
    """Every way to run the stage; skips, with the reason, where raw files are absent."""
    found = list_cases(address, tmp_path)
    for case in found:
        if case.needs:
            find_data(case.needs)
    return found


def make_stage(address, case: Case) -> Stage:
    cls = find_stage(address)
    return cls.model_validate({**cls.example, **case.settings, "execution": {"device": "cpu"}})


def test_there_are_examples_of_every_artifact():
    assert {kind.kind() for kind in MAKERS} == set(ARTIFACTS)


def test_how_to_run_is_said_of_stages_that_exist():
    assert set(SPECIAL) <= set(STAGES)


@pytest.mark.parametrize("address", STAGES)
def test_record(address):
    """Address = file = class; frozen; documented; unknown settings refused."""
    cls = find_stage(address)
    if address.split(".")[0] in STAGE_FOLDERS:  # stages of other packages live where they like
        assert cls.stage == address
        assert cls.__name__ == name_class(address.split(".")[1])
        assert cls.__module__ == f"neurodecode.{address}"
    assert cls.__mro__[1] is Stage, "a stage derives from Stage alone and is not subclassed"
    check_documented(cls)
    stage = cls.model_validate(cls.example)  # settings have defaults, or example gives them
    with pytest.raises(ValueError, match="frozen"):
        stage.execution = None
    with pytest.raises(ValueError, match="Extra inputs"):
        cls.model_validate({**cls.example, "no_such_setting": 1})
    assert cls.model_validate(stage.settings()) == stage, "settings survive JSON"
    assert set(stage.sees()) <= set(read_inputs(cls)), "sees() names inputs of run"
    assert set(stage.sees().values()) <= {"row", "run", "training", "all"}


@pytest.mark.parametrize("address", STAGES)
def test_runs_as_it_says(address, cases):
    """Kinds as annotated, same seed same bytes, inputs left alone, rows seen as declared."""
    for case in cases:
        stage = make_stage(address, case)
        made = check_repeatable(stage, case.inputs)
        if address in MOVES_ROWS:
            check_moves_rows(stage, case.inputs, made)
        elif not address.startswith("datasets."):  # what it simulates is measured, not fitted
            check_sight(stage, case.inputs, made)


# A control that gives each sample another's responses: rows move, but are not mixed.
MOVES_ROWS = ("evaluation.shuffle",)


def test_datasets_declare_what_they_read():
    for address in STAGES:
        if not address.startswith("datasets."):
            assert find_stage(address).sources is Stage.sources or address in MAY_READ, address


# Beside datasets, only stages of weights that the user has as a file read files.
MAY_READ = ("features.open_clip", "reconstruction.pretrained")


# ------------------------------------------------------------------- cheats, caught by the same


class Cheat(Stage):
    """Says "row", but subtracts the mean over all rows."""

    stage: ClassVar[str] = "tests.cheat"
    sight: str = "row"
    how: str = "mean"

    def sees(self):
        return {"responses": self.sight}

    def run(self, responses: Responses) -> Responses:
        data = np.array(responses.data)
        if self.how == "mean":
            data = data - data.mean(axis=0)
        if self.how == "neighbour":
            data[1:] += 1e-6 * data[:-1]
        if self.how == "space":  # data alone, but lets the numbers out elsewhere
            space = replace(responses.space, coordinates_mm=np.tile(data[0, :, None], 3))
            return replace(responses, space=space)
        if self.how == "in_place":
            responses.data[0] += 1
        if self.how == "clock":
            data = data + np.random.default_rng().normal(size=data.shape)
        return replace(responses, data=data)


class FitCheat(Stage):
    """Says "training", but looks at the test rows of its fold."""

    stage: ClassVar[str] = "tests.fit_cheat"
    how: str = "honest"

    def sees(self):
        return {"responses": "training", "features": "training"}

    def run(self, responses: Responses, features: Features, split: Split) -> Predictions:
        folds = list(split.folds())
        data = []
        for fold in folds:
            shown = features.read_for(split.samples["stimulus_id"])
            rows = np.arange(len(shown)) if self.how == "all" else fold.train
            guess = np.tile(shown[rows].mean(axis=0), (len(fold.test), 1))
            if self.how == "truth":
                guess = guess + 1e-3 * shown[fold.test]
            if self.how == "responses":
                guess = guess + np.asarray(responses.data[fold.test]).mean()
            data.append(guess)
        rows = list_predicted_rows(responses.samples, [f.test for f in folds])
        return Predictions(data=np.concatenate(data), rows=rows, split=split.digest)


class ModelCheat(Stage):
    """Says "training", but puts the mean of all rows into the model of each fold."""

    stage: ClassVar[str] = "tests.model_cheat"

    def sees(self):
        return {"responses": "training"}

    def run(self, responses: Responses, split: Split) -> Model:
        arrays = {f"fold{k}/mean": np.asarray(responses.data).mean(axis=0) for k in range(3)}
        return Model(stage=self.stage, arrays=arrays, n_folds=3)


def fit_inputs():
    return {"responses": make_responses(), "features": make_features(), "split": make_split()}


@pytest.mark.parametrize("how", ["mean", "neighbour", "space"])
def test_a_stage_that_looks_at_other_rows_is_caught(how):
    with pytest.raises(BrokenPromise, match="follow"):
        check_sight(Cheat(how=how), {"responses": make_responses()})


def test_a_stage_that_looks_at_other_runs_is_caught():
    with pytest.raises(BrokenPromise, match="follow"):
        check_sight(Cheat(sight="run"), {"responses": make_responses()})


@pytest.mark.parametrize("how", ["all", "truth", "responses"])
def test_a_fit_that_looks_at_test_rows_is_caught(how):
    with pytest.raises(BrokenPromise, match="follow"):
        check_sight(FitCheat(how=how), fit_inputs())


def test_a_model_that_looks_at_test_rows_is_caught():
    inputs = {"responses": make_responses(), "split": make_split()}
    with pytest.raises(BrokenPromise, match="fold0/mean follows"):
        check_sight(ModelCheat(), inputs)


def test_honest_stages_are_not_accused():
    assert check_sight(FitCheat(), fit_inputs()) == ["responses: training", "features: training"]
    assert check_sight(Cheat(how="nothing"), {"responses": make_responses()}) == ["responses: row"]


def test_other_broken_promises_are_caught():
    inputs = {"responses": make_responses().take(np.arange(24))}
    with pytest.raises(BrokenPromise, match="from run to run"):
        check_repeatable(Cheat(how="clock"), inputs)
    with pytest.raises(BrokenPromise, match=r"in place|run to run"):
        check_repeatable(Cheat(how="in_place"), inputs)
    with pytest.raises(BrokenPromise, match="'sight' is not in the docstring"):
        check_documented(Cheat)
    assert digest(run_stage(Cheat(how="x"), inputs)["responses"]) == digest(inputs["responses"])
    with pytest.raises(DataError):
        replace(make_responses(), data=np.zeros((3, 2)))
