"""The file of a stage of one's own, found and looked at without running any of it.

A pipeline file may name any module, and importing one runs it. So nothing is imported unless its
file says that it defines the class, and never a module of Python's own: some of those act when
they are imported, and a file beside the pipeline that goes by such a name would be passed over.
"""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from pathlib import Path

from neurodecode.core.checks import name_known
from neurodecode.core.errors import UserError

OWN_OF_PYTHON = {*sys.stdlib_module_names, "__main__", "__mp_main__", "test"}


@contextmanager
def looking_in(folders: Sequence[Path]) -> Iterator[None]:
    """Let modules be found in some folders first."""
    before = list(sys.path)
    sys.path[:0] = [str(folder) for folder in folders]
    try:
        yield
    finally:
        sys.path[:] = before


def locate_class(address: str, folders: Sequence[Path]) -> Path:
    """Return the file that defines the class of "package.module:Class".

    Raises
    ------
    UserError
        There is no such file, it is Python's own, it is no Python, or it has no such class.
    """
    module_name, _, class_name = address.partition(":")
    top = module_name.split(".")[0]
    if top in OWN_OF_PYTHON:
        raise UserError(
            f"stage '{address}': '{top}' is a module of Python's own and holds no stages. Rename "
            "the file if it is yours, and name it anew."
        )
    with looking_in(folders):
        spec = _find_spec(module_name)
        if spec is None:  # a file written a moment ago may not be known yet
            importlib.invalidate_caches()
            spec = _find_spec(module_name)
    if spec is None:
        places = ", ".join(dict.fromkeys(str(f) for f in folders)) or "the Python path"
        raise UserError(
            f"stage '{address}': no module '{module_name}' in {places}. Put the file there, or "
            "install its package."
        )
    if spec.origin is None or not spec.origin.endswith(".py"):
        raise UserError(
            f"stage '{address}': '{module_name}' is no Python file. Name the module that defines "
            f"the class: {module_name}.module:{class_name}."
        )
    path = Path(spec.origin)
    names, imported = _list_classes(address, path)
    if class_name not in (*names, *imported):
        raise UserError(
            f"stage '{address}': {module_name} has no stage class '{class_name}'."
            f"{name_known(class_name, names, 'It has')}"
        )
    return path


def _find_spec(module_name: str) -> ModuleSpec | None:
    """Return where a module lies; its packages are looked into, not imported."""
    spec: ModuleSpec | None = None
    places: Sequence[str] | None = None
    name = ""
    for part in module_name.split("."):
        name = f"{name}.{part}".lstrip(".")
        found = (finder.find_spec(name, places) for finder in sys.meta_path)
        spec = next((s for s in found if s is not None), None)
        if spec is None:
            return None
        places = list(spec.submodule_search_locations or [])
    return spec


def _list_classes(address: str, path: Path) -> tuple[list[str], list[str]]:
    """Return the names of a file's classes, and those that it imports from elsewhere."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None) or 1
        raise UserError(
            f"stage '{address}': {path.name}:{line} is no Python: "
            f"{getattr(error, 'msg', None) or error}. Mend the file."
        ) from error
    except OSError as error:
        raise UserError(
            f"stage '{address}': {path} cannot be read: {error.strerror}. Check that you may."
        ) from error
    names: list[str] = []
    imported: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.ImportFrom):
            imported += [alias.asname or alias.name for alias in node.names]
    return names, imported
