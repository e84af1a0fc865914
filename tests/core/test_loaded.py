"""A key names the code that ran, also where files are edited while Python goes on."""

import importlib
import sys

import numpy as np
import pytest

from neurodecode.core.errors import UserError
from neurodecode.core.fingerprint import Memory, check_code, digest_code
from neurodecode.core.runner import run_graph
from neurodecode.core.stage import find_stage
from tests.core.toy_package import Workshop, fresh_modules


@pytest.fixture
def shop(tmp_path):
    """A workshop whose package stays loaded, as in a notebook."""
    with fresh_modules():
        yield Workshop(tmp_path)


def forget_modules():
    """Leave the package to be imported anew, as by another process."""
    with fresh_modules():
        pass


def run(shop):
    return run_graph(shop.load(), shop.store)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [("shift.py", "+ self.by", "+ 2 * self.by"), ("numerics.py", "* factor", "* factor * 3")],
    ids=["stage", "what it imports"],
)
def test_code_edited_after_it_was_loaded_is_refused(shop, file, old, new):
    first = run(shop)
    assert not first.failed
    shop.change(file, old, new)
    with pytest.raises(UserError, match=rf"{file} changed after .* restart the kernel"):
        run(shop)
    plans = {label: plan for label, plan in _plan(shop).items() if plan.state == "blocked"}
    assert plans, "and plan says so"
    forget_modules()
    second = run(shop)
    assert not second.failed
    assert not np.array_equal(shop.read(first, "shifted"), shop.read(second, "shifted"))


def _plan(shop):
    from neurodecode.core.planner import Planner

    graph = shop.load()
    return {p.instance.label: p for p in Planner(graph, shop.store, Memory(None)).plan()}


def test_comments_may_be_edited(shop):
    run(shop)
    shop.change("shift.py", "return replace", "# why not\n        return replace")
    assert not run(shop).computed


def test_a_module_that_was_loaded_again_runs_its_new_code(shop):
    first = run(shop)
    shop.change("shift.py", "+ self.by", "+ 2 * self.by")
    importlib.reload(sys.modules["ours.shift"])
    second = run(shop)
    assert {name for name, _ in second.computed} == {"shifted", "aside"}
    np.testing.assert_array_equal(
        shop.read(second, "shifted") - 1, shop.read(first, "shifted"), "by is 1"
    )


def test_code_edited_between_plan_and_worker_is_refused(shop):
    """A worker loads the file later than the planner looked at it."""
    stage = find_stage("ours.shift:Shift", [shop.folder])
    files, _ = digest_code(stage, Memory(None))
    forget_modules()
    shop.change("shift.py", "+ self.by", "+ 2 * self.by")
    stage = find_stage("ours.shift:Shift", [shop.folder])
    with pytest.raises(UserError, match=r"ours/shift.py changed since the run began"):
        check_code(stage, files)
