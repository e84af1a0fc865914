"""A trained generator that comes with the package, or lies in a result file of one's own.

The file is an ordinary result of this package: its lineage says which stimuli it was trained on,
and the leakage check believes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from pydantic import NonNegativeInt

from neurodecode.core.artifacts import Model
from neurodecode.core.errors import DataError
from neurodecode.core.lineage import EVERY_FOLD, TRAINED_BEFORE, Lineage, merge_contacts
from neurodecode.core.resources import find_resource
from neurodecode.core.stage import Stage


class Pretrained(Stage):
    """Read a trained model, with its lineage, from a result file.

    Parameters
    ----------
    name : str
        A model under ``data/`` of the package, such as "digits_generator", or the path of a
        result file (.h5) that holds one.
    fold : int or None
        Which fold's model to take where the file has one per fold; its lineage is that fold's.
    """

    stage: ClassVar[str] = "reconstruction.pretrained"
    example: ClassVar[Mapping[str, Any]] = {"name": "digits_generator"}
    name: str
    fold: NonNegativeInt | None = None

    def sources(self) -> Sequence[Path]:
        """Return the file."""
        return (find_model_file(self.name),)

    def run(self) -> Model:
        """Return the model; its arrays are copied, so that the result stands on its own."""
        from neurodecode.core.store import read_outputs_of

        path = find_model_file(self.name)
        models = [a for a in read_outputs_of(path, alone=True).values() if isinstance(a, Model)]
        if len(models) != 1:
            raise DataError(
                f"{self.stage}: {path} holds {len(models)} models. Give a result file with one "
                "(of reconstruction.train_diffusion, say)."
            )
        model = models[0] if self.fold is None else take_fold(models[0], self.fold)
        return model.with_lineage(_name_contacts(model.lineage, self.name))


def take_fold(model: Model, fold: int) -> Model:
    """Return one fold's model as a model without folds.

    What that fold has seen becomes what the model has seen, whatever it is used for.
    """
    arrays = model.for_fold(fold)
    prefix = f"fold{fold}/"
    curve = {n.removeprefix(prefix): a for n, a in model.curve.items() if n.startswith(prefix)}
    lineage = Lineage(seen={EVERY_FOLD: model.lineage.contacts(fold)})
    return replace(model, arrays=arrays, curve=curve, n_folds=0, split="", lineage=lineage)


def _name_contacts(lineage: Lineage, name: str) -> Lineage:
    """Say of each contact that it was made when the model was trained, not in this pipeline."""
    trained = f"{TRAINED_BEFORE}{Path(name).stem}"
    seen = {
        fold: merge_contacts(replace(c, step=trained) for c in contacts)
        for fold, contacts in lineage.seen.items()
    }
    return replace(lineage, seen=seen)


def find_model_file(name: str) -> Path:
    """Return the path of a model by name or path.

    Raises
    ------
    DataError
        There is no such file.
    """
    shipped = find_resource(f"data/{name}.h5")
    path = shipped if shipped is not None else Path(name)
    if not path.is_file():
        raise DataError(
            f"reconstruction.pretrained: no model '{name}': neither data/{name}.h5 of the package "
            "nor a file of that path. Train one (reconstruction.train_diffusion) and name its "
            "result file; neurodecode show tells where it lies."
        )
    return path
