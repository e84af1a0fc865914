"""What is computed again, what is not, and why."""

import os
import time

import numpy as np
import pytest

from neurodecode.core import fingerprint
from tests.core.toy_package import HEAD, Workshop

ALL = ["data", "scaled", "aside", "shifted"]


@pytest.fixture
def shop(tmp_path):
    """A package whose results have all been computed once."""
    shop = Workshop(tmp_path)
    assert {state for state, _ in shop.plan().values()} == {"missing", "waiting"}
    assert sorted(shop.compute()) == sorted(ALL)
    return shop


def test_a_second_run_computes_nothing(shop):
    assert {state for state, _ in shop.plan().values()} == {"fresh"}
    assert shop.compute() == []


def test_planning_opens_no_result_and_writes_nothing(shop):
    for path in shop.store.folder.rglob("*.h5"):
        path.write_bytes(bytes(path.stat().st_size))
    before = {p: p.stat().st_mtime_ns for p in shop.store.folder.rglob("*")}
    assert {state for state, _ in shop.plan().values()} == {"fresh"}
    assert {p: p.stat().st_mtime_ns for p in shop.store.folder.rglob("*")} == before


def test_a_setting_reruns_its_descendants_only(shop):
    plan = shop.plan("scaled.factor=3")
    assert plan["scaled"] == ("stale", "setting factor: 2.0 → 3.0")
    assert plan["shifted"][0] == "waiting"
    assert "scaled" in plan["shifted"][1]
    assert plan["data"][0] == plan["aside"][0] == "fresh"
    assert shop.compute("scaled.factor=3") == ["scaled", "shifted"]
    assert shop.compute("scaled.factor=3") == []
    assert shop.compute() == [], "the earlier results are still there"


def test_the_same_setting_otherwise_written_is_the_same(shop):
    assert shop.compute("scaled.factor=2.0") == shop.compute("scaled.factor=2e0") == []


def test_execution_is_no_part_of_the_key(shop):
    assert shop.compute("scaled.execution={threads: 2, device: cpu}") == []


@pytest.mark.parametrize("settled", [False, True])
def test_a_raw_file_changed_at_equal_size_and_date_is_noticed(shop, settled, monkeypatch):
    if settled:  # let digests be remembered at once, so that it is the memory which is tried
        monkeypatch.setattr(fingerprint, "SETTLED_S", -1.0)
        assert shop.compute() == []
    before = shop.raw.stat()
    time.sleep(0.02)  # a file system's clock ticks that often
    with shop.raw.open("r+b") as stream:
        stream.seek(-8, os.SEEK_END)
        stream.write(np.float64(99).tobytes())
    os.utime(shop.raw, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = shop.raw.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    state, reason = shop.plan()["data"]
    assert (state, reason) == ("stale", f"raw file {shop.raw}: content changed")
    assert sorted(shop.compute()) == sorted(ALL)


def test_a_raw_file_moved_is_the_same_file(shop):
    moved = shop.raw.with_name("moved.npy")
    shop.raw.rename(moved)
    computed = shop.compute(f"data.path={moved}")
    assert computed == ["data"], "the path is a setting; what follows goes by content"


def test_an_absent_raw_file_blocks_and_is_named(shop):
    shop.raw.unlink()
    state, reason = shop.plan()["data"]
    assert state == "blocked"
    assert str(shop.raw) in reason


def test_a_dataset_refactored_to_the_same_bytes_costs_nothing_downstream(shop):
    shop.change(
        "data.py",
        "values = np.load(self.path)",
        "loaded = np.load(self.path)\n        values = loaded",
    )
    state, reason = shop.plan()["data"]
    assert (state, reason) == ("stale", "code: ours/data.py changed")
    assert shop.compute() == ["data"]
    assert shop.compute() == []


def test_a_line_of_the_stage_counts(shop):
    shop.change("scale.py", "multiply(np.asarray(features.data), self.factor)",
                "multiply(np.asarray(features.data), self.factor + 1)")  # fmt: skip
    assert shop.plan()["scaled"] == ("stale", "code: ours/scale.py changed")
    assert shop.compute() == ["scaled", "shifted"]


def test_a_function_in_another_file_counts(shop):
    shop.change("numerics.py", "values * factor", "values * factor + 1")
    plan = shop.plan()
    assert plan["scaled"] == ("stale", "code: ours/numerics.py changed")
    assert plan["data"][0] == plan["aside"][0] == "fresh", "they do not import it"
    assert shop.compute() == ["scaled", "shifted"]


def test_a_constant_two_imports_away_counts(shop):
    shop.write("constants.py", '"""Numbers."""\n\nOFFSET = 0\n')
    shop.write("numerics.py", "def multiply(values, factor):\n    from .constants import OFFSET\n"
                              "    return values * factor + OFFSET\n")  # fmt: skip
    assert shop.compute() == ["scaled"], "same bytes as before"
    shop.change("constants.py", "= 0", "= 3")
    assert shop.plan()["scaled"] == ("stale", "code: ours/constants.py changed")
    assert shop.compute() == ["scaled", "shifted"]


def test_comments_docstrings_and_layout_do_not_count(shop):
    shop.change("scale.py", '"""Multiply."""', '"""Multiply, said\n    at more length."""  # why')
    shop.change("scale.py", "multiply(np.asarray(features.data), self.factor)",
                "multiply(\n    np.asarray(features.data),  # all\n self.factor\n  )")  # fmt: skip
    shop.change("numerics.py", "    return", "    # twice\n\n    return")
    shop.change("data.py", HEAD[:28], '"""Another head."""')
    assert {state for state, _ in shop.plan().values()} == {"fresh"}
    assert shop.compute() == []


def test_a_version_raised_counts(shop):
    shop.change("shift.py", "by: float = 1.0", "by: float = 1.0\n    version: ClassVar[int] = 2")
    state, reason = shop.plan()["aside"]
    assert state == "stale"
    assert "stage version: 1 → 2" in reason


def test_a_changed_input_is_named(shop):
    pipeline = (shop.folder / "pipe.yaml").read_text()
    shop.write_pipeline(pipeline.replace("features: scaled, by: 1", "features: data, by: 1"))
    assert shop.plan()["shifted"] == ("stale", "input features: content changed")


def test_equal_recipes_share_a_result(shop):
    pipeline = (shop.folder / "pipe.yaml").read_text()
    shop.write_pipeline(pipeline.replace("  aside:", "  again:"))
    assert shop.compute() == []


def test_a_cache_behind_is_read(shop, tmp_path):
    from neurodecode.core.runner import run_graph
    from neurodecode.core.store import Store
    from tests.core.toy_package import fresh_modules

    front = Store(tmp_path / "front", [shop.store.folder])
    with fresh_modules():
        summary = run_graph(shop.load("shifted.by=7"), front)
    assert [name for name, _ in summary.computed] == ["shifted"]
    assert [p.parent.name for p in front.folder.rglob("*.h5")] == ["ours.shift.Shift"]
