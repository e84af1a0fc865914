"""Thousands of damaged and hostile files: a message within seconds, and nothing else.

By default 20 foreign files are read through a pipeline and as many damaged results are used;
``pytest -m slow`` takes 2,000 of each. The examples are drawn alike in every run.
"""

import random
from pathlib import Path

import pytest
from hypothesis import strategies as st

from neurodecode.core.errors import StoreError
from neurodecode.core.store import Store, read_outputs_of, verify_file
from tests.attacks.fuzzing import (
    CHANGES,
    MAKERS,
    damage,
    draw,
    draw_files,
    judge_all,
    run_command,
    run_pipeline_on,
)
from tests.examples import make_all

N_FILES = [pytest.param(20, id="20"), pytest.param(2000, id="2000", marks=pytest.mark.slow)]


@pytest.mark.parametrize("n_files", N_FILES)
def test_foreign_files_give_a_message(n_files, tmp_path):
    verdicts = judge_all(run_pipeline_on, draw_files(n_files), tmp_path)
    report(verdicts)
    wrong = [f"{v.folder}: {v.found}" for v in verdicts if v.found]
    assert not wrong, "\n".join(wrong)
    kinds = {v.example.maker for v in verdicts}
    assert len(kinds) == len(MAKERS) + 1, "every maker had its turn"
    assert len(verdicts) == n_files


CARD = {
    "key": "k", "label": "it", "stage": "toys.example", "version": 1, "settings": {}, "inputs": {},
    "code": {},
}  # fmt: skip
RESULTS = st.tuples(
    st.sampled_from(sorted(make_all())),
    st.lists(CHANGES, min_size=1, max_size=4).map(tuple),
    st.integers(0, 2**32 - 1),
    st.booleans(),
)


def read_damaged_result(example, folder: Path) -> str:
    """Damage a result, leave its card or take it away, then read it, verify it and show it."""
    kind, changes, _, alone = example
    store = Store(folder / "cache")
    card = store.write("toys.example", "k", {"it": make_all()[kind]}, CARD)
    path = Path(card["path"])
    whole = path.read_bytes()
    path.write_bytes(damage(whole, changes, whole, random.Random(repr(example))))
    if path.read_bytes() == whole:
        return ""
    if alone:  # nothing vouches for it: it may show data as long as they are the right ones
        path.with_suffix(".json").unlink()
    elif not verify_file(path):
        return "verify found nothing"
    said, wrong = run_command(["show", str(path)], folder)
    if wrong or str(path) not in said:
        return wrong or f"the file is not named: {said}"
    try:
        found = read_outputs_of(path, alone=True)["it"] if f"file       {path}" in said else None
    except StoreError:
        return "shown, but not read"
    if found is not None and not alone:
        return "damage was read as data"
    same = found is None or digest_all(found) == digest_all(make_all()[kind])
    return "" if same else "other data were read"


def digest_all(artifact) -> str:
    from tests.contract import digest

    return digest(artifact)


@pytest.mark.parametrize("n_files", N_FILES)
def test_damaged_results_are_never_read_as_data(n_files, tmp_path):
    verdicts = judge_all(read_damaged_result, draw(RESULTS, n_files), tmp_path)
    report(verdicts)
    wrong = [f"{v.folder}: {v.found}" for v in verdicts if v.found]
    assert not wrong, "\n".join(wrong)


def report(verdicts) -> None:
    slowest = max(v.seconds for v in verdicts)
    bad = sum(bool(v.found) for v in verdicts)
    print(
        f"\n{len(verdicts)} files, {bad} with a finding; the slowest {slowest:.1f} s of computing"
    )
