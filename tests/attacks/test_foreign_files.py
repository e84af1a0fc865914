"""Hand-written bad files, each answered by a message that says what to do; ``-s`` prints all."""

import re

import pytest

from tests.attacks.bad_files import CASES
from tests.attacks.fuzzing import run_command


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_bad_file_is_answered_by_a_message(case, tmp_path):
    pipeline = case.make(tmp_path)
    said, wrong = run_command(["run", pipeline.name, "--cache", "cache"], tmp_path)
    assert not wrong
    found = re.search(r"^(?:FAILED \S+\n  |neurodecode: )(.*)", said, re.MULTILINE)
    message = (found.group(1) if found else said).replace(str(tmp_path), "…")
    print(f"\n| {case.name} | {message} |")
    assert found, "it was refused"
    for words in case.words:
        assert words in message
    assert len(message) < 900


def test_there_are_enough():
    assert len(CASES) >= 25
    assert len({case.name for case in CASES}) == len(CASES)
