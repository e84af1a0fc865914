"""The contract that every stage keeps, and the registry that finds a stage by its address.

A stage is a frozen record of settings with one verb, ``run(inputs...)``. The annotations of
``run`` are its contract: which artifacts go in, which come out. Its address is its place:
``encoding.ridge`` is ``neurodecode/encoding/ridge.py``, class ``Ridge``. Stages elsewhere are
named ``package.module:Class`` or through the entry-point group ``neurodecode.stages``.
"""

from __future__ import annotations

import importlib
import inspect
import re
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, PositiveFloat, PositiveInt, field_validator

from neurodecode.core.artifacts import Array, Artifact, is_accepted
from neurodecode.core.checks import list_names, name_known, name_nearest
from neurodecode.core.errors import UserError
from neurodecode.core.lineage import ContactKind
from neurodecode.core.locate import locate_class, looking_in
from neurodecode.core.visible import show

STAGE_FOLDERS = (
    "datasets", "preprocessing", "features", "alignment", "encoding", "decoding",
    "reconstruction", "interpretation", "evaluation", "plotting",
)  # fmt: skip
PACKAGE = Path(__file__).resolve().parent.parent

_ADDRESS = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(:[A-Za-z_]\w*)?", re.ASCII)

Prepared = Mapping[str, np.ndarray] | Iterable[tuple[str, np.ndarray]]
Sight = Literal["row", "time", "run", "session", "stimulus", "training", "all"]


class Execution(BaseModel):
    """How a step is executed: recorded with the result, but no part of its key.

    Parameters
    ----------
    device : str
        "cpu", "cuda", "cuda:1", "mps", or "auto" for the best there is.
    threads : int
        Threads of BLAS and torch. Part of the plan, so that any number of workers gives the same
        bytes.
    batch_size : int or None
        None lets the stage choose.
    memory_gb, hours : float or None
        What a cluster is asked for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    device: str = "auto"
    threads: PositiveInt | None = None
    batch_size: PositiveInt | None = None
    memory_gb: PositiveFloat | None = None
    hours: PositiveFloat | None = None


class Stage(BaseModel):
    """Base of all stages.

    A subclass sets ``stage`` (its address), declares its settings as typed fields, and defines
    ``run``. What it declares about the rows it looks at is what the leakage check believes, and
    the contract test tries it out:

    sees()      for each input, whose rows one output row depends on: "row" (its own), "time"
                (what was shown around it in its run, moved there by fixed weights: delays, an
                HRF), "run" or "session" (those of its run or session), "stimulus" (the repeats of
                its stimulus), "training" (training rows of the fold; the stage takes a
                ``split``), "all". An input that is not named counts as "all".
    contact     "label", or "transductive" where only one side of the data is looked at, without
                supervision. Where the settings decide, override ``contact_of()``.
    scores      True for stages that compare predictions with the truth. Stages that return Scores
                are checked for leakage in any case.
    decodes     True for stages that predict features from responses; controls repeat them.

    A stage whose work comes in pieces that are worth keeping overrides ``blocks``, ``run_block``
    and ``assemble``; each finished block is stored, and a killed run resumes at its block. What
    all blocks need is made once by ``prepare``, kept like a block, and handed to ``run_block`` and
    ``assemble`` as ``prepared``. The grid of blocks follows from settings and inputs alone, never
    from the number of workers; where ``blocks`` names none, ``run`` does it all in one go. Arrays
    that ``assemble`` puts together (core.joined) stay unread until they are written.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", protected_namespaces=(), allow_inf_nan=False
    )

    stage: ClassVar[str] = ""
    version: ClassVar[int] = 1
    threads: ClassVar[int] = 1  # unless the step's execution block says otherwise
    contact: ClassVar[ContactKind] = "label"
    scores: ClassVar[bool] = False
    decodes: ClassVar[bool] = False
    example: ClassVar[Mapping[str, Any]] = {}  # settings without a default, for the contract test

    execution: Execution = Execution()

    @field_validator("seed", mode="after", check_fields=False)
    @classmethod
    def _check_seed(cls, seed: Any) -> Any:
        if isinstance(seed, int) and not 0 <= seed < 1 << 63:
            raise ValueError(
                "it is out of range. Allowed: a whole number of 0 or more, of 18 digits or fewer."
            )
        return seed

    def sees(self) -> Mapping[str, Sight]:
        """Return, for each input, whose rows one output row depends on."""
        return {}

    def contact_of(self) -> ContactKind:
        """Return the kind of contact that these settings make with the rows looked at."""
        return self.contact

    def sources(self) -> Sequence[Path]:
        """Return the raw files that the stage reads; their content is part of the key."""
        return ()

    def weights(self) -> Mapping[str, str]:
        """Return revisions or digests of pretrained weights; part of the key."""
        return {}

    def blocks(self, **inputs: Any) -> Sequence[str]:
        """Return the names of the pieces the work is done in; none for a stage done in one go."""
        return ()

    def prepare(self, **inputs: Any) -> Prepared:
        """Return arrays that all pieces need; given to them as ``prepared``, where overridden.

        They may come one by one, as pairs of name and array, if together they would take too much
        memory.
        """
        return {}

    def run_block(self, block: str, **inputs: Any) -> Mapping[str, np.ndarray]:
        """Return the arrays of one piece."""
        raise TypeError(
            f"{self.stage}: blocks() names pieces, but run_block is not defined. Define it."
        )

    def assemble(self, parts: Mapping[str, Mapping[str, Array]], **inputs: Any) -> Any:
        """Return the artifact made of all pieces."""
        raise TypeError(
            f"{self.stage}: blocks() names pieces, but assemble is not defined. Define it."
        )

    def run_in_blocks(self, **inputs: Any) -> Any:
        """Do all the pieces here and now; what ``run`` of a block-wise stage returns."""
        given = {name: value for name, value in inputs.items() if value is not None}
        more = {"prepared": dict(self.prepare(**given))} if prepares(type(self)) else {}
        blocks = self.blocks(**given)
        parts = {block: self.run_block(block, **given, **more) for block in blocks}
        return self.assemble(parts, **given, **more)

    def settings(self) -> dict[str, Any]:
        """Return the settings that are part of the key, as JSON values."""
        return self.model_dump(mode="json", exclude={"execution"})


def prepares(stage: type[Stage]) -> bool:
    """Tell whether a stage makes something first that all its blocks need."""
    return stage.prepare is not Stage.prepare


@dataclass(frozen=True)
class InputSpec:
    """One input of a stage: the artifact it takes, whether it may be left out, and how many.

    ``many`` is "one", "list" (any number of steps) or "dict" (branches of a gathered step);
    ``others`` are further artifacts that will do, where the annotation is a union.
    """

    artifact: type[Artifact]
    optional: bool
    many: Literal["one", "list", "dict"]
    others: tuple[type[Artifact], ...] = ()

    def accepts(self, given: type[Artifact]) -> bool:
        """Tell whether an artifact of this class may be handed in."""
        return any(is_accepted(wanted, given) for wanted in (self.artifact, *self.others))

    @property
    def words(self) -> str:
        """Return what it takes, for messages."""
        return " or ".join(a.__name__ for a in (self.artifact, *self.others))


@dataclass(frozen=True)
class OutputSpec:
    """One output of a stage: its artifact, and whether it may be absent."""

    artifact: type[Artifact]
    optional: bool = False


@cache
def read_inputs(stage: type[Stage]) -> dict[str, InputSpec]:
    """Return the inputs that ``run`` declares."""
    hints = typing.get_type_hints(stage.run)  # type: ignore[attr-defined]
    parameters = list(inspect.signature(stage.run).parameters.values())[1:]  # type: ignore[attr-defined]
    return {
        p.name: _read_input(stage, p.name, hints.get(p.name), p.default is not p.empty)
        for p in parameters
    }


def _read_input(stage: type[Stage], name: str, hint: Any, optional: bool) -> InputSpec:
    others: tuple[type[Artifact], ...] = ()
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        options = [a for a in typing.get_args(hint) if a is not type(None)]
        optional = optional or len(options) < len(typing.get_args(hint))
        hint, others = options[0], tuple(options[1:])
    many: Literal["one", "list", "dict"] = "one"
    origin = typing.get_origin(hint)
    if origin in (list, Sequence):
        many, hint = "list", typing.get_args(hint)[0]
    elif origin in (dict, Mapping):
        many, hint = "dict", typing.get_args(hint)[1]
    if not all(inspect.isclass(h) and issubclass(h, Artifact) for h in (hint, *others)):
        raise TypeError(
            f"{stage.__module__}.{stage.__name__}.run: input '{name}' is annotated {hint!r}. "
            "Annotate it with an artifact (Responses, Features, ...), a list or a dict of one."
        )
    return InputSpec(hint, optional, many, others)


@cache
def read_outputs(stage: type[Stage]) -> dict[str, OutputSpec]:
    """Return the artifacts that ``run`` declares to return, by name.

    A single artifact goes by its kind ("predictions"); several are annotated as a TypedDict.
    """
    hint = typing.get_type_hints(stage.run).get("return")  # type: ignore[attr-defined]
    if inspect.isclass(hint) and issubclass(hint, Artifact):
        return {hint.kind(): OutputSpec(hint)}
    if typing.is_typeddict(hint):
        # not __required_keys__: it does not see NotRequired in annotations kept as text
        extras = typing.get_type_hints(hint, include_extras=True)
        return {
            name: OutputSpec(_unwrap(kind), typing.get_origin(kind) is typing.NotRequired)
            for name, kind in extras.items()
        }
    raise TypeError(
        f"{stage.__module__}.{stage.__name__}.run: returns {hint!r}. Annotate it with an artifact, "
        "or with a TypedDict of artifacts."
    )


def _unwrap(hint: Any) -> type[Artifact]:
    while typing.get_origin(hint) in (typing.NotRequired, typing.Required):
        hint = typing.get_args(hint)[0]
    return hint


def find_stage(address: str, folders: Sequence[Path] = ()) -> type[Stage]:
    """Return the stage class of an address.

    Parameters
    ----------
    address : str
        "folder.name", "package.module:Class", or a name of the entry-point group.
    folders : sequence of Path
        Where modules of one's own may lie, such as the folder of the pipeline file.

    Raises
    ------
    UserError
        Nothing is there; the message names the nearest.
    """
    if not _ADDRESS.fullmatch(address) or len(address) > 200:
        raise UserError(
            f"stage: '{show(address)}' is no address. Write folder.name, such as "
            "datasets.digits, or package.module:Class for a stage of your own."
        )
    if ":" in address:
        module_name, _, class_name = address.partition(":")
        path = locate_class(address, folders)
        return _import_class(address, module_name, class_name, folders, path)
    folder, _, name = address.rpartition(".")
    if folder in STAGE_FOLDERS and _is_stage_file(PACKAGE / folder / f"{name}.py", address):
        return _import_class(address, f"{PACKAGE.name}.{address}", name_class(name), ())
    for entry in _entry_points():
        if entry.name == address:
            module_name, _, class_name = entry.value.partition(":")
            return _import_class(address, module_name, class_name, ())
    known = list_stages()
    inside = [s for s in known if s.startswith(f"{folder}.")] or known
    nearest = next((s for s in known if s.endswith(f".{address}")), address)  # folder forgotten
    near = name_nearest(nearest, known)
    others = f" Known{f' in {folder}' if inside is not known else ''}: {list_names(inside)}."
    raise UserError(
        f"Unknown stage '{address}'.{near or others} Correct its name; one of your own is written "
        "package.module:Class."
    )


def name_class(name: str) -> str:
    """Return the class name that belongs to a file name.

    Examples
    --------
    >>> name_class("open_clip"), name_class("digit69")
    ('OpenClip', 'Digit69')
    """
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def _import_class(
    address: str,
    module_name: str,
    class_name: str,
    folders: Sequence[Path],
    path: Path | None = None,
) -> type[Stage]:
    try:
        with looking_in(folders):
            module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise UserError(
            f"stage '{address}': {module_name} imports '{error.name}', which is not installed. "
            f"Install it (pip install {error.name}), or correct the import."
        ) from error
    except (Exception, SystemExit) as error:  # whatever a file may do when it is imported
        if module_name.split(".")[0] == PACKAGE.name:
            raise
        raise UserError(
            f"stage '{address}': {module_name} cannot be imported: {type(error).__name__}: "
            f"{show(error)}. Mend the file."
        ) from error
    where = getattr(module, "__file__", None)
    if path is not None and where is not None and Path(where).resolve() != path.resolve():
        raise UserError(
            f"stage '{address}': a module '{module_name}' was imported already, from {where}, and "
            f"this pipeline means {path}. Rename one of them, or start Python anew."
        )
    found = getattr(module, class_name, None)
    if not (inspect.isclass(found) and issubclass(found, Stage)):
        stages = [n for n, v in vars(module).items() if inspect.isclass(v) and issubclass(v, Stage)]
        raise UserError(
            f"stage '{address}': {module_name} has no stage class '{class_name}'."
            f"{name_known(class_name, stages, 'It has')} Name one, or derive the class from "
            "neurodecode.core.stage.Stage."
        )
    if not callable(getattr(found, "run", None)):
        raise UserError(
            f"stage '{address}': {class_name} does not define run(self, inputs...). Give it one, "
            "as neurodecode new stage writes it."
        )
    return found


@cache
def list_stages() -> tuple[str, ...]:
    """Return the addresses of all stages in the package, without importing them."""
    found = []
    for folder in STAGE_FOLDERS:
        for path in sorted((PACKAGE / folder).glob("*.py")):
            if _is_stage_file(path, f"{folder}.{path.stem}"):
                found.append(f"{folder}.{path.stem}")
    return (*found, *(entry.name for entry in _entry_points()))


def _is_stage_file(path: Path, address: str) -> bool:
    pattern = rf'^    stage: ClassVar\[str\] = "{re.escape(address)}"$'
    return path.is_file() and bool(
        re.search(pattern, path.read_text(encoding="utf-8"), re.MULTILINE)
    )


@cache
def _entry_points() -> tuple[Any, ...]:
    from importlib.metadata import entry_points  # slow to import, seldom needed

    return tuple(entry_points(group="neurodecode.stages"))
