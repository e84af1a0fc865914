"""The layout of the code: who may import whom, and what a name says about its place."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from neurodecode.core.stage import PACKAGE, STAGE_FOLDERS, find_stage, list_stages, name_class

ROOT = PACKAGE.parent
STAGES = [a for a in list_stages() if a.split(".")[0] in STAGE_FOLDERS]  # not other packages'
FILES = sorted(p for p in PACKAGE.rglob("*.py") if "_resources" not in p.parts)
HEAVY = (
    "torch", "sklearn", "scipy", "nilearn", "mne", "diffusers", "pandas", "matplotlib", "h5py",
    "PIL", "nibabel", "transformers", "open_clip", "timm",
)  # fmt: skip
TOP_LEVEL = {
    "pyproject.toml", "README.md", "LICENSE", "neurodecode", "pipelines", "data", "tests",
    "notebooks", ".github", ".ci", ".gitignore",
}  # fmt: skip
MAX_LINES = 400


def name_file(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def list_modules(path: Path) -> list[str]:
    """Return the full names of all modules that a file imports, wherever in it."""
    found = []
    inside = [*path.relative_to(ROOT).with_suffix("").parts]
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = inside[: -node.level] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found += [module, *(f"{module}.{alias.name}" for alias in node.names)]
    return found


def find_folder(module: str) -> str:
    """Return the folder of ours that a module lies in, or ""."""
    parts = module.split(".")
    return parts[1] if parts[0] == PACKAGE.name and len(parts) > 1 else ""


@pytest.mark.parametrize("folder", STAGE_FOLDERS)
def test_stage_folders_never_import_each_other(folder):
    for path in sorted((PACKAGE / folder).rglob("*.py")):
        folders = {find_folder(m) for m in list_modules(path)} & {*STAGE_FOLDERS, "cli"}
        assert folders <= {folder}, f"{name_file(path)} imports {folders - {folder}}"


@pytest.mark.parametrize("folder", ["core", "numerics"])
def test_what_all_stand_on_imports_no_stage(folder):
    allowed = {"core"} if folder == "core" else {"core", "numerics"}
    for path in sorted((PACKAGE / folder).rglob("*.py")):
        folders = {find_folder(m) for m in list_modules(path)} & {*STAGE_FOLDERS, "cli", "numerics"}
        assert folders <= allowed, f"{name_file(path)} imports {folders - allowed}"


def test_only_the_store_and_datasets_import_h5py():
    for path in FILES:
        if any(m.split(".")[0] == "h5py" for m in list_modules(path)):
            place = path.relative_to(PACKAGE).as_posix()
            the_store = ("core/hdf5.py", "core/store.py")
            assert place in the_store or place.startswith("datasets/"), name_file(path)


def test_nothing_is_pickled():
    for path in FILES:
        tops = {m.split(".")[0] for m in list_modules(path)}
        pickling = tops & {"pickle", "joblib", "dill", "cloudpickle", "shelve", "marshal"}
        assert not pickling, f"{name_file(path)} imports {pickling}"
        for node in ast.walk(parse(path)):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            given = {k.arg: getattr(k.value, "value", None) for k in node.keywords}
            assert given.get("allow_pickle", False) is False, name_file(path)
            owner = getattr(node.func.value, "id", "")
            if (owner, node.func.attr) == ("torch", "load"):
                assert given.get("weights_only") is True, f"{name_file(path)}:{node.lineno}"


@pytest.mark.parametrize("address", STAGES)
def test_a_name_is_its_address(address):
    folder, name = address.split(".")
    cls = find_stage(address)
    assert (cls.stage, cls.__name__) == (address, name_class(name))
    path = PACKAGE / folder / f"{name}.py"
    assert ast.get_docstring(parse(path)), f"{name_file(path)} starts without a docstring"
    assert cls.__doc__ != cls.__mro__[1].__doc__
    assert cls.__doc__, f"{address}: class without a docstring"
    mirror = ROOT / "tests" / folder / f"test_{name}.py"
    assert mirror.is_file(), f"{address} has no test of its own: {name_file(mirror)} is absent"


def test_every_stage_is_found():
    """A stage class whose address line is misspelled would silently be none."""
    for path in FILES:
        for node in parse(path).body:
            if isinstance(node, ast.ClassDef) and "Stage" in [
                getattr(b, "id", "") for b in node.bases
            ]:
                address = f"{path.parent.name}.{path.stem}"
                assert address in STAGES, f"{name_file(path)}: class {node.name} is not registered"


def test_every_file_says_what_it_is():
    for path in FILES:
        if path.read_text(encoding="utf-8").strip():
            assert ast.get_docstring(parse(path)), f"{name_file(path)} starts without a docstring"


def test_planning_brings_no_heavy_library_along():
    code = (
        "import sys, neurodecode\n"
        "from neurodecode.core.stage import find_stage, list_stages, read_inputs, read_outputs\n"
        "import neurodecode.core.runner, neurodecode.core.controls\n"
        "for address in list_stages():\n"
        "    stage = find_stage(address)\n"
        "    read_inputs(stage), read_outputs(stage)\n"
        f"    came = [m for m in {HEAVY!r} if m in sys.modules]\n"
        "    assert not came, (address, came)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_files_fit_in_the_head():
    long = {name_file(p): n for p in FILES if (n := len(p.read_bytes().splitlines())) > MAX_LINES}
    assert not long, f"split these before {MAX_LINES} lines: {long}"


def test_no_drawers():
    drawers = {"utils", "util", "misc", "helpers", "helper", "common"}
    assert not [name_file(p) for p in FILES if p.stem in drawers]


def test_each_folder_has_a_table_of_contents():
    for folder in STAGE_FOLDERS:
        stages = [a.split(".")[1] for a in STAGES if a.startswith(f"{folder}.")]
        if not stages:
            continue
        contents = ast.get_docstring(parse(PACKAGE / folder / "__init__.py")) or ""
        assert contents, f"neurodecode/{folder}/__init__.py says nothing"
        named = re.findall(r"^([a-z]\w*)\.py ", contents, re.MULTILINE)
        gone = [name for name in named if not (PACKAGE / folder / f"{name}.py").is_file()]
        assert not gone, f"neurodecode/{folder}/__init__.py lists {gone}, which are gone"


def test_the_top_level_holds_what_the_design_names():
    """Of the repository, that is: what else lies in a checkout is its owner's business."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode or not listed.stdout:
        pytest.skip("the package is installed, not checked out: there is no top level to look at")
    there = {line.split("/")[0] for line in listed.stdout.splitlines()}
    assert there <= TOP_LEVEL, there - TOP_LEVEL
