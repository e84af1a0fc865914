"""Where raw data lie: ``data/raw`` of the working folder, then the folders of NEURODECODE_DATA."""

from __future__ import annotations

import os
from pathlib import Path

from neurodecode.core.errors import DataError


def list_data_roots() -> list[Path]:
    """Return the folders searched for raw data, in order."""
    named = os.environ.get("NEURODECODE_DATA", "")
    roots = [Path("data/raw"), *(Path(p) for p in named.split(os.pathsep) if p)]
    return [root.resolve() for root in roots]


def find_raw(name: str, *, dataset: str, get: str) -> Path:
    """Return the path of a raw file or folder.

    Parameters
    ----------
    name : str
        Relative to a data root, such as "digit69/digit69_28x28.mat".
    dataset : str
        Who asks, for the message.
    get : str
        What to do when it is absent.

    Raises
    ------
    DataError
        It is in none of the roots.
    """
    roots = list_data_roots()
    for root in roots:
        if (root / name).exists():
            return root / name
    places = ", ".join(str(root) for root in roots)
    raise DataError(
        f"{dataset}: '{name}' is in none of the data folders ({places}). {get} Put it into "
        "data/raw, or name its parent folder in NEURODECODE_DATA."
    )
