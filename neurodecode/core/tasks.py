"""One step, executed: read its inputs, check them, run it, trace it, store it.

A task is plain data, so that it can be sent to a worker on this machine or another.
"""

from __future__ import annotations

import importlib
import os
import platform
import resource
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from neurodecode.core.artifacts import Artifact, Document, Scores
from neurodecode.core.device import limit_threads
from neurodecode.core.errors import StepFailed, StoreError, UserError, WriteError
from neurodecode.core.files import FULL, word_write_error
from neurodecode.core.fingerprint import check_code, read_versions
from neurodecode.core.graph import CONTEXT_INPUT, check_artifact
from neurodecode.core.leakage import add_notices, check_scores, is_checked
from neurodecode.core.lease import holding
from neurodecode.core.lineage import Lineage
from neurodecode.core.lint import find_in_result
from neurodecode.core.looks import describe_look, write_look
from neurodecode.core.pieces import Pieces
from neurodecode.core.progress import report_wait
from neurodecode.core.stage import Stage, find_stage, read_inputs, read_outputs
from neurodecode.core.store import Store, read_outputs_of
from neurodecode.core.trace import derive_lineage

# Libraries whose thread pools must exist before they can be limited.
THREADED = {"torch": "torch", "scikit-learn": "sklearn", "scipy": "scipy.linalg"}
NAMED_VERSIONS = (
    "numpy", "scipy", "scikit-learn", "pandas", "h5py", "nibabel", "nilearn", "mne", "torch",
    "torchvision", "open-clip-torch", "timm", "transformers", "diffusers", "matplotlib", "pydantic",
)  # fmt: skip

MAKE_ROOM = (
    "Make room (neurodecode gc FILE --yes removes results that no pipeline needs), or name another "
    "folder with --cache; then run again: what is finished is kept."
)


@dataclass(frozen=True)
class Source:
    """Where an input lies: a result file, and the output in it."""

    path: str
    output: str


@dataclass(frozen=True)
class Task:
    """Everything a worker needs to execute one step.

    Parameters
    ----------
    label, step : str
    address : str
        Of the stage.
    settings, execution : mapping
    inputs : mapping of input name to Source, list of Source, or mapping of label to Source
    cache : str
    key : str
    recipe : mapping
    about : mapping
        What else the card says: pipeline, branch, seed.
    folders : sequence of str
        Where stages of one's own may lie.
    allow_transductive, allow_leakage : str or None
    context : str or None
        JSON text for stages that print what was run.
    names : mapping of str to str
        From the name under which a result upstream was computed to its step's name here.
    """

    label: str
    step: str
    address: str
    settings: Mapping[str, Any]
    execution: Mapping[str, Any]
    inputs: Mapping[str, Any]
    cache: str
    key: str
    recipe: Mapping[str, Any]
    about: Mapping[str, Any]
    folders: tuple[str, ...] = ()
    allow_transductive: str | None = None
    allow_leakage: str | None = None
    context: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How a task ended.

    Parameters
    ----------
    card : mapping or None
        Of the stored result.
    error : str
        One line; "" if all went well.
    trace : str
        The traceback.
    kind : {"", "user", "store", "step"}
    blocks : sequence of str
        Pieces that are still to be done, where only these were asked for.
    damaged : sequence of str
        What was found damaged on the way, and was done again or is to be.
    """

    card: Mapping[str, Any] | None = None
    error: str = ""
    trace: str = ""
    kind: str = ""
    blocks: tuple[str, ...] = field(default=())
    damaged: tuple[str, ...] = ()


def execute(task: Task, job: str = "all", block: str = "") -> Outcome:
    """Execute a task; errors come back as an Outcome, never raised.

    Parameters
    ----------
    job : {"all", "list", "block"}
        Everything; only the names of the unfinished pieces; or one piece.
    """
    store = Store(Path(task.cache))  # caches behind are the planner's business
    outcome = _try(task, store, job, block)
    return replace(outcome, damaged=tuple(store.damage))


def _try(task: Task, store: Store, job: str, block: str) -> Outcome:
    try:
        stage = _make_stage(task)
        check_code(type(stage), task.recipe["code"])
        for name in task.recipe["distributions"]:
            if name in THREADED:
                importlib.import_module(THREADED[name])
        threads = stage.execution.threads or stage.threads
        inputs = _load_inputs(task, stage)
        with limit_threads(threads):
            if job == "list":
                pieces = _open_pieces(task, stage, store, inputs)
                return Outcome(blocks=pieces.list_unfinished())
            if job == "block":
                _open_pieces(task, stage, store, inputs).do(block)
                return Outcome()
            return Outcome(card=_execute_all(task, stage, store, inputs, threads))
    except StoreError as error:
        return Outcome(error=str(error), trace=traceback.format_exc(), kind="store")
    except UserError as error:
        return Outcome(error=str(error), trace=traceback.format_exc(), kind="user")
    except WriteError as error:
        text = f"{error} {MAKE_ROOM}"
        return Outcome(error=text, trace=traceback.format_exc(), kind="step")
    except MemoryError as error:
        text = (
            f"out of memory ({error}). Lower what the step may take (limit_gb, or execution: "
            "{batch_size: ...}), or use fewer --workers."
        )
        return Outcome(error=text, trace=traceback.format_exc(), kind="step")
    except OSError as error:
        text = (
            f"{type(error).__name__}: {error}. The system refused a file, the disk or the network. "
            "Check the path, its permissions and the free space, and run again."
        )
        if error.errno in FULL and error.filename:
            text = f"{word_write_error(error, Path(error.filename))} {MAKE_ROOM}"
        return Outcome(error=text, trace=traceback.format_exc(), kind="step")
    except Exception as error:
        own = ":" in task.address  # a stage of the user's own
        next_step = "Correct it there" if own else "Please report it, with the traceback"
        text = (
            f"{type(error).__name__}: {error}. This is a mistake in the code of '{task.address}', "
            f"not in the pipeline file. {next_step}."
        )
        return Outcome(error=text, trace=traceback.format_exc(), kind="step")


def _execute_all(
    task: Task, stage: Stage, store: Store, inputs: dict[str, Any], threads: int
) -> dict[str, Any]:
    with holding(store.locate(task.address, task.key), report_wait):
        card = store.read_card(task.address, task.key)
        if card is not None:  # another process, or another step of the same recipe, was first
            return card
        started = time.time()
        clock = time.perf_counter()
        notices = []
        if is_checked(stage):
            notices = check_scores(
                inputs, step=task.label, allow_leakage=task.allow_leakage, names=task.names
            )
        made = _run(task, stage, store, strip_lineage(inputs))
        outputs = _name_outputs(stage, made)
        traced = derive_lineage(
            stage, inputs, outputs, step=task.step,
            allow_transductive=task.allow_transductive, allow_leakage=task.allow_leakage,
        )  # fmt: skip
        traced = {name: add_notices(artifact, notices) for name, artifact in traced.items()}
        made_elsewhere = store.read_card(task.address, task.key)
        if made_elsewhere is not None:  # while this process was stopped and its lease taken over
            return made_elsewhere
        is_control = "@" in task.step
        card = {
            **task.recipe,
            **task.about,
            "key": task.key,
            "step": task.step,
            "label": task.label,
            "execution": {**stage.execution.model_dump(mode="json"), "threads": threads},
            "environment": describe_environment(),
            "started": started,
            "seconds": time.perf_counter() - clock,
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "lint": {} if is_control else find_in_result(stage, inputs, traced),
        }
        if stage.scores and not is_control:  # before: no score can be there without its look
            _note_looks(store, card, inputs, traced)
        card = store.write(task.address, task.key, traced, card)
        store.drop_blocks(task.address, task.key)
        return card


def _run(task: Task, stage: Stage, store: Store, inputs: dict[str, Any]) -> Any:
    pieces = _open_pieces(task, stage, store, inputs)
    if not pieces.list_blocks():
        return stage.run(**inputs)  # type: ignore[attr-defined]
    return pieces.do_all()


def _open_pieces(task: Task, stage: Stage, store: Store, inputs: dict[str, Any]) -> Pieces:
    return Pieces(task.label, task.address, task.key, stage, store, strip_lineage(inputs))


def _make_stage(task: Task) -> Stage:
    cls = find_stage(task.address, [Path(f) for f in task.folders])
    return cls.model_validate({**task.settings, "execution": task.execution})


def _load_inputs(task: Task, stage: Stage) -> dict[str, Any]:
    opened: dict[str, dict[str, Artifact]] = {}

    def load(source: Source) -> Artifact:
        if source.path not in opened:
            opened[source.path] = read_outputs_of(Path(source.path))
        return opened[source.path][source.output]

    inputs: dict[str, Any] = {}
    wanted = read_inputs(type(stage))
    for name, value in task.inputs.items():
        if isinstance(value, Source):
            inputs[name] = load(value)
        elif isinstance(value, Mapping):
            inputs[name] = {label: load(source) for label, source in value.items()}
        else:
            inputs[name] = [load(source) for source in value]
        check_artifact(inputs[name], wanted[name], f"{task.label}: {name}")
    if CONTEXT_INPUT in wanted and task.context is not None:
        inputs[CONTEXT_INPUT] = Document(title="context", html=task.context)
    return inputs


def _name_outputs(stage: Stage, made: Any) -> dict[str, Artifact]:
    wanted = read_outputs(type(stage))
    outputs = {next(iter(wanted)): made} if isinstance(made, Artifact) else dict(made)
    outputs = {name: artifact for name, artifact in outputs.items() if artifact is not None}
    for name, spec in wanted.items():
        if name not in outputs and not spec.optional:
            raise StepFailed(
                f"{stage.stage}: run did not return '{name}'. Return it, or annotate it as "
                "optional."
            )
    for name, artifact in outputs.items():
        if name not in wanted or not isinstance(artifact, wanted[name].artifact):
            raise StepFailed(
                f"{stage.stage}: run returned {type(artifact).__name__} as '{name}', which its "
                "annotation does not name. Annotate what run returns."
            )
    return outputs


def strip_lineage(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return inputs as a stage is given them: lineage is the runner's business."""

    def strip(value: Any) -> Any:
        if isinstance(value, Artifact):
            return value.with_lineage(Lineage())
        if isinstance(value, Mapping):
            return {label: strip(item) for label, item in value.items()}
        return [strip(item) for item in value]

    return {name: strip(value) for name, value in inputs.items()}


def describe_environment() -> dict[str, Any]:
    """Return what results may depend on beside the recipe."""
    versions = read_versions()
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "neurodecode": sys.modules["neurodecode"].__version__,
        "packages": {name: versions[name] for name in NAMED_VERSIONS if name in versions},
    }


def _note_looks(
    store: Store,
    card: Mapping[str, Any],
    inputs: Mapping[str, Any],
    outputs: Mapping[str, Artifact],
) -> None:
    for scores in outputs.values():
        if isinstance(scores, Scores) and scores.test_set:
            write_look(store.folder, scores.test_set, *describe_look(card, inputs, scores))
