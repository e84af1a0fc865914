"""neurodecode new: a template of a stage or a pipeline that runs and passes the tests as it is."""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from neurodecode.core.visible import show

app = typer.Typer(
    help="Write a template: new stage, new pipeline.", no_args_is_help=True, rich_markup_mode=None
)

STAGE = '''"""One sentence: what this method does. Source: authors, year, equation."""

from dataclasses import replace
from typing import ClassVar

import numpy as np

from neurodecode.core.artifacts import Features
from neurodecode.core.stage import Sight, Stage


class {name}(Stage):
    """Raise features to a power, keeping their sign.

    Parameters
    ----------
    exponent : float
        1 changes nothing.
    """

    stage: ClassVar[str] = "{address}"
    exponent: float = 0.5

    def sees(self) -> dict[str, Sight]:
        """Each row on its own."""
        return {{"features": "row"}}

    def run(self, features: Features) -> Features:
        """Return the features, transformed."""
        data = np.asarray(features.data)
        return replace(features, data=np.sign(data) * np.abs(data) ** self.exponent)
'''

TEST = '''"""{name}: planted values come back."""

import numpy as np

from neurodecode.core.artifacts import Features, make_items
from {module} import {name}


def test_{file}_of_known_values() -> None:
    data = np.array([[4.0, -9.0]])
    features = Features(data=data, items=make_items(["a"], data))
    np.testing.assert_allclose({name}(exponent=0.5).run(features).data, [[2.0, -3.0]])
'''

PIPELINE = """# One result: what is asked, of which data.
title: {name}
source: authors, year
seed: 0
steps:
  digits: {{stage: datasets.digits, n_items: 60}}
  scan:   {{stage: datasets.simulated, stimuli: digits, n_vertices: 200, noise_ceiling: 0.5}}
  split:  {{stage: evaluation.split, responses: scan, by: stimulus, n_folds: 3}}
  pixels: {{stage: features.pixels, stimuli: digits, size_px: 8}}
  decoded: {{stage: decoding.ridge, responses: scan, features: pixels, split: split}}
  scores: {{stage: evaluation.identification, predictions: decoded, features: pixels}}
  report: {{stage: plotting.report, show: [scores]}}
"""


@app.command("stage")
def new_stage(
    address: Annotated[
        str,
        typer.Argument(
            help="folder.name inside a checkout, or module:Class for a file of your own."
        ),
    ],
) -> None:
    """Write a stage in one file; it is found by its address, nothing else needs to change."""
    from neurodecode.cli.console import say
    from neurodecode.core.errors import UserError
    from neurodecode.core.stage import PACKAGE, STAGE_FOLDERS, name_class

    if ":" in address:
        module, _, name = address.partition(":")
        if not _is_name(module) or not _is_name(name):
            raise UserError(
                f"new stage: '{show(address)}' is not of the form module:Class. Write "
                "smooth:Smooth, say."
            )
        _check_free(module)
        path, test = Path(f"{module}.py"), Path(f"test_{module}.py")
    else:
        folder, _, file = address.partition(".")
        if folder not in STAGE_FOLDERS or not _is_name(file):
            raise UserError(
                f"new stage: '{show(address)}' is neither folder.name nor module:Class. Allowed "
                f"folders: {', '.join(STAGE_FOLDERS)}. Write {STAGE_FOLDERS[0]}.mymethod, or "
                "mymethod:MyMethod for a file of your own."
            )
        if not (PACKAGE.parent / "pyproject.toml").is_file():
            raise UserError(
                "new stage: this neurodecode is installed, so a new stage cannot become part of "
                "it. Write module:Class (smooth:Smooth) for a file of your own in this folder."
            )
        name, module = name_class(file), f"neurodecode.{address}"
        path = PACKAGE / folder / f"{file}.py"
        test = PACKAGE.parent / "tests" / folder / f"test_{file}.py"
    file = path.stem
    _write(
        {
            path: STAGE.format(name=name, address=address),
            test: TEST.format(name=name, module=module, file=file),
        }
    )
    say(f"{path}\n{test}\nName it in a pipeline:  {{stage: {address!r}, features: ...}}")


@app.command("pipeline")
def new_pipeline(
    name: Annotated[str, typer.Argument(help="verb_dataset_method, such as decode_digits_ridge.")],
) -> None:
    """Write a pipeline file that runs as it is."""
    from neurodecode.cli.console import say
    from neurodecode.core.errors import UserError

    if not (name.isascii() and name.replace("-", "_").isidentifier() and len(name) <= 60):
        raise UserError(
            f"new pipeline: '{show(name)}' is no name for a file. Use letters, digits and _, a "
            "letter first, 60 in all."
        )
    folder = Path("pipelines") if Path("pipelines").is_dir() else Path()
    path = folder / f"{name}.yaml"
    _write({path: PIPELINE.format(name=name)})
    say(f"{path}\nRun it:  neurodecode run {path}")


def _is_name(word: str) -> bool:
    return word.isascii() and word.isidentifier() and not keyword.iskeyword(word)


def _check_free(module: str) -> None:
    """Refuse a file that would stand in the way of a module that is there."""
    from importlib.util import find_spec

    from neurodecode.core.errors import UserError
    from neurodecode.core.locate import OWN_OF_PYTHON

    if module in OWN_OF_PYTHON:
        raise UserError(f"new stage: '{module}' is a module of Python's own. Choose another name.")
    spec = find_spec(module)
    if spec is not None and spec.origin != str(Path(f"{module}.py").resolve()):
        raise UserError(
            f"new stage: '{module}' is installed already ({spec.origin}). Choose another name."
        )


def _write(texts: Mapping[Path, str]) -> None:
    """Write all of some files, or none."""
    from neurodecode.core.errors import UserError

    try:
        for path in texts:
            if path.exists():
                raise UserError(
                    f"{path} is there already; nothing was written. Choose another name."
                )
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"{show(path)} cannot be written: {error.strerror}. Check its folder, or choose "
            "another name."
        ) from error
