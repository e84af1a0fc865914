"""The code that this process has loaded, held against its files.

A key names the code in the files; what runs is the code that was loaded. In a notebook, or in a run
of hours, a file may be edited in between, and a result of the old code would lie under the key of
the new. So each loaded module keeps the digest that its file had when it was first looked at.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

from neurodecode.core.errors import UserError

HELD = "__neurodecode_digest__"  # (spec, digest); loading a module again gives it another spec


def hold_code(path: Path, root: Path, digest: str) -> None:
    """Note the digest of a loaded module's file; raise UserError if it was another before.

    Parameters
    ----------
    path : Path
        Of the file.
    root : Path
        The folder that its top-level package lies in.
    digest : str
        Of the code in the file now.
    """
    module = _find_module(path, root)
    if module is None:
        return
    if not is_held(module):
        setattr(module, HELD, (module.__spec__, digest))
    elif getattr(module, HELD)[1] != digest:
        raise UserError(
            f"{path} changed after this Python session had loaded it, so that the old code would "
            "run under the name of the new. Start Python anew (in a notebook, restart the kernel)."
        )


def is_held(module: ModuleType) -> bool:
    """Tell whether a module, as it was last loaded, was looked at."""
    held = getattr(module, HELD, None)
    return held is not None and held[0] is module.__spec__


def _find_module(path: Path, root: Path) -> ModuleType | None:
    if not path.is_relative_to(root):
        return None
    parts = path.relative_to(root).with_suffix("").parts
    module = sys.modules.get(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    origin = getattr(module, "__file__", None)
    return module if origin and Path(origin).resolve() == path else None
