"""The pipelines and small data that come with the package, in a checkout and in a wheel alike."""

from __future__ import annotations

from pathlib import Path

from neurodecode.core.checks import list_names, name_known
from neurodecode.core.errors import UserError
from neurodecode.core.stage import PACKAGE
from neurodecode.core.visible import show


def is_there(path: Path) -> bool:
    """Tell whether a file is there; a name that no disk could hold is of none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def find_resource(name: str) -> Path | None:
    """Return the path of a file under pipelines/ or data/, or None."""
    if ".." in Path(name).parts or Path(name).is_absolute():  # another place, not a resource
        return None
    for root in (PACKAGE / "_resources", PACKAGE.parent):
        if is_there(root / name):
            return root / name
    return None


def list_pipelines() -> dict[str, Path]:
    """Return the pipeline files that come with the package, and those of the working folder."""
    found: dict[str, Path] = {}
    for root in (PACKAGE / "_resources", PACKAGE.parent, Path.cwd()):
        for path in sorted((root / "pipelines").glob("*.yaml")):
            found[path.stem] = path
    return found


def find_pipeline(name: str) -> Path:
    """Return the path of a pipeline, given as a path or by name.

    Raises
    ------
    UserError
        There is none; the message names the nearest.
    """
    path = Path(name)
    if is_there(path):
        return path
    known = list_pipelines()
    if name in known:
        return known[name]
    if name and path.is_dir():
        inside = [file.name for file in sorted(path.glob("*.yaml"))]
        held = f"Name a file in it: {list_names(inside)}." if inside else "Name a pipeline file."
        raise UserError(f"no pipeline '{show(name)}': it is a folder. {held}")
    raise UserError(
        f"no pipeline '{show(name)}': neither a file nor a pipeline that comes with neurodecode."
        f"{name_known(name, known)} Check the path, or name another."
    )
