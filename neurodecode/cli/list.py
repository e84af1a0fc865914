"""neurodecode list: stages, pipelines and datasets, a line each."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Annotated

import typer

from neurodecode.core.visible import shorten

MAX_READ = 100_000


def command(
    what: Annotated[
        str, typer.Argument(help="stages, pipelines, datasets, or a folder of stages.")
    ] = "stages",
) -> None:
    """Print what there is, with a sentence on each; nothing of it is imported."""
    from neurodecode.cli.console import print_table
    from neurodecode.core.checks import name_known
    from neurodecode.core.errors import UserError
    from neurodecode.core.resources import list_pipelines
    from neurodecode.core.stage import STAGE_FOLDERS, list_stages
    from neurodecode.core.visible import show

    if what == "pipelines":
        rows = [(name, _read_title(path)) for name, path in sorted(list_pipelines().items())]
        print_table(("pipeline", "what it does"), rows)
        return
    kinds: tuple[str, ...] = ("stages", "pipelines", *STAGE_FOLDERS)
    if what not in kinds:
        raise UserError(f"list: Unknown kind '{show(what)}'.{name_known(what, kinds, most=20)}")
    chosen = [s for s in list_stages() if what == "stages" or s.startswith(f"{what}.")]
    print_table(("stage", "what it does"), [(s, _read_sentence(s)) for s in chosen])


def _read_sentence(address: str) -> str:
    from neurodecode.core.stage import PACKAGE

    path = PACKAGE.joinpath(*address.split(".")).with_suffix(".py")
    if not path.is_file():
        return "(from another package)"
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and f"'{address}'" in ast.unparse(node):
            return (ast.get_docstring(node) or "").split("\n")[0]
    return ""


def _read_title(path: Path) -> str:
    """Return the title of a pipeline file, which may be of anyone's making."""
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            found = re.search(r"^title:[ \t]*(\S.*)$", stream.read(MAX_READ), re.MULTILINE)
    except OSError as error:
        return f"(cannot be read: {error.strerror})"
    return shorten(found[1].strip("\"'"), 200) if found else ""
