"""A stage is tested by existing: every stage of the package keeps the contract.

What is checked lies in contract.py; how each stage is run, in examples.py. That the checks catch
stages which do not keep it is tried in attacks/test_cheats.py.
"""

from typing import get_args

import pytest

from neurodecode.core.artifacts import ARTIFACTS
from neurodecode.core.stage import (
    STAGE_FOLDERS,
    Sight,
    Stage,
    find_stage,
    list_stages,
    name_class,
    read_inputs,
)
from tests.contract import (
    check_company,
    check_documented,
    check_moves_rows,
    check_repeatable,
    check_sight,
)
from tests.examples import (
    MAKERS,
    SPECIAL,
    Case,
    list_cases,
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
    assert set(stage.sees().values()) <= set(get_args(Sight))


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
            check_company(stage, case.inputs, made, case.n_company)


# A control that gives each sample another's responses: rows move, but are not mixed.
MOVES_ROWS = ("evaluation.shuffle",)


def test_datasets_declare_what_they_read():
    for address in STAGES:
        if not address.startswith("datasets."):
            assert find_stage(address).sources is Stage.sources or address in MAY_READ, address


# Beside datasets, only stages of weights or surfaces that the user has as files read files.
MAY_READ = (
    "features.open_clip", "plotting.brain_map", "plotting.interactive_map", "plotting.volume_map",
    "preprocessing.volume_to_surface", "reconstruction.pretrained",
)  # fmt: skip
