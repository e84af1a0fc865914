"""Each hand-written bad input is refused with what is wrong, where, and what to do next."""

import re

import pytest

from tests.attacks import bad_pipelines
from tests.attacks.bad_inputs import list_cases, try_case

CASES = list_cases()
WHERE = re.compile(
    r"^(pipe\.yaml(:\d+)?: |override '|--\w+|no pipeline|no step|the cache |a\\x1b|FAILED +\w+: )"
)
NEXT = re.compile(
    r"\b(Allowed|Did you mean|Known|Give|Write|write|Name|Remove|Rename|Use|Close|Check|Put|Keep|"
    r"Save|Leave|Mend|Correct|Train|Type|Indent|Align|Annotate|Import|It gives|Quote|pip install|"
    r"Gather|Let|Make|Was a|give a|Values)\b"
)
SENTENCE = re.compile(r"[.?!](?=\s+[A-Z'\"-]|$)")


@pytest.fixture(autouse=True)
def _no_data(monkeypatch):
    monkeypatch.delenv("NEURODECODE_DATA", raising=False)
    monkeypatch.delenv("NEURODECODE_CACHE", raising=False)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_mistake_is_told_with_its_place_and_the_way_out(case, tmp_path):
    answer = try_case(case, tmp_path)
    assert answer.code in (1, 2), answer
    assert "Traceback" not in answer.err + answer.out
    for words in case.words:
        assert words in answer.message
    if case not in bad_pipelines.CASES:
        return
    assert "\x1b" not in answer.err + answer.out
    for line in answer.message.splitlines():
        assert WHERE.search(line), f"says not where: {line}"
        assert NEXT.search(line), f"says not what to do: {line}"
        assert 1 <= len(SENTENCE.findall(line)) <= 3, f"{len(SENTENCE.findall(line))}: {line}"
        assert len(line) < 700
    if answer.code == 2:
        assert not (tmp_path / "results").exists()
        left = [p for p in (tmp_path / "data").rglob("*") if p.is_file()]
        assert [p.name for p in left] in ([], ["memory.json"]), left


def test_the_table_is_long_enough_and_no_case_stands_twice():
    names = [case.name for case in bad_pipelines.CASES]
    assert len(set(names)) == len(names) >= 35
    assert all(len(case.words) >= 1 for case in CASES)
