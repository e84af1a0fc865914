"""A stage of one's own is found without running anything that does not define it."""

import sys

import pytest

from neurodecode.core.errors import UserError
from neurodecode.core.locate import locate_class
from neurodecode.core.stage import find_stage
from tests.core.toy_package import HEAD

BODY = '''
class Mine(Stage):
    """Mine."""

    stage: ClassVar[str] = "mine_located:Mine"

    def run(self) -> Features: ...
'''
ACTS = "from pathlib import Path\nPath(__file__).with_name('RAN').touch()\n"


@pytest.fixture
def folder(tmp_path):
    yield tmp_path
    for name in [n for n in sys.modules if n.split(".")[0] == "mine_located"]:
        del sys.modules[name]


def test_a_module_without_the_class_is_not_run(folder):
    (folder / "mine_located.py").write_text(ACTS + "def Mine(): ...\n")
    with pytest.raises(UserError, match="has no stage class 'Mine'"):
        find_stage("mine_located:Mine", [folder])
    assert not (folder / "RAN").exists()
    (folder / "mine_located.py").write_text(HEAD + ACTS + BODY)
    assert find_stage("mine_located:Mine", [folder]).__name__ == "Mine"
    assert (folder / "RAN").exists(), "the module that defines the class is run, of course"


def test_packages_above_the_module_are_not_run_to_find_it(folder):
    package = folder / "mine_located" / "inner"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").write_text(ACTS)
    (package / "__init__.py").write_text("")
    (package / "stages.py").write_text("class Other: ...\n")
    with pytest.raises(UserError, match="has no stage class 'Mine'"):
        find_stage("mine_located.inner.stages:Mine", [folder])
    assert not (package.parent / "RAN").exists()
    found = locate_class("mine_located.inner.stages:Other", [folder])
    assert found == package / "stages.py"


def test_a_class_that_a_package_hands_on_is_found(folder):
    (folder / "mine_located").mkdir()
    (folder / "mine_located" / "__init__.py").write_text("from mine_located.inside import Mine\n")
    (folder / "mine_located" / "inside.py").write_text(HEAD + BODY)
    assert find_stage("mine_located:Mine", [folder]).__module__ == "mine_located.inside"


@pytest.mark.parametrize("name", ["os", "antigravity", "this", "__main__", "idlelib.idle", "test"])
def test_modules_of_python_are_never_imported(folder, name):
    (folder / "antigravity.py").write_text(ACTS + HEAD + BODY)
    before = set(sys.modules)
    with pytest.raises(UserError, match="is a module of Python's own"):
        find_stage(f"{name}:Mine", [folder])
    assert set(sys.modules) == before
    assert not (folder / "RAN").exists()


def test_a_module_of_the_same_name_elsewhere_is_not_taken_for_it(folder):
    """Two pipelines of one session, each with a file of that name beside it."""
    for name in ("one", "other"):
        (folder / name).mkdir()
        (folder / name / "mine_located.py").write_text(HEAD + BODY)
    find_stage("mine_located:Mine", [folder / "one"])
    with pytest.raises(UserError, match=r"was imported already, from .*one"):
        find_stage("mine_located:Mine", [folder / "other"])


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("mine_located.py", "class Mine(:\n", "mine_located.py:1 is no Python"),
        ("mine_located.py", "x = '\0'\n", "is no Python"),
        ("mine_located.txt", "", "no module 'mine_located'"),
    ],
)
def test_what_is_no_module_is_named(folder, name, text, words):
    (folder / name).write_text(text)
    with pytest.raises(UserError) as caught:
        find_stage("mine_located:Mine", [folder])
    assert words in str(caught.value)


def test_a_folder_without_code_names_the_way_out(folder):
    (folder / "mine_located").mkdir()
    with pytest.raises(UserError, match=r"Name the module .*: mine_located\.module:Mine"):
        find_stage("mine_located:Mine", [folder])
