"""neurodecode export: a result in formats that other programs read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from neurodecode.cli.options import Branches, CacheFolder, PipelineName, StepName


def command(
    pipeline: PipelineName,
    step: StepName,
    out: Annotated[Path, typer.Argument(help="Folder to write to.")],
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="A change, such as decoded.alphas=[1e3].")
    ] = None,
    branch: Branches = None,
    cache: CacheFolder = None,
    form: Annotated[
        str,
        typer.Option("--as", help="auto, npy, csv, nifti, gifti, safetensors, png or html."),
    ] = "auto",
    bids: Annotated[
        bool, typer.Option("--bids", help="Maps under the names of a BIDS derivative, only.")
    ] = False,
    surface: Annotated[
        bool,
        typer.Option("--surface", help="With --bids: volumes in MNI space on fsaverage5, too."),
    ] = False,
    entity: Annotated[
        list[str] | None,
        typer.Option("--entity", help="For --bids, as task=objects or space=T1w; repeatable."),
    ] = None,
) -> None:
    """Write a result's arrays, tables, maps, images and pages as ordinary files."""
    from neurodecode.cli.console import say
    from neurodecode.cli.export_formats import check_form, find_writers, write_artifact
    from neurodecode.cli.show import find_done
    from neurodecode.core.errors import UserError
    from neurodecode.core.store import read_outputs_of

    check_form(form)
    step, _, wanted = step.partition(".") if "[" not in step else (step, "", "")
    if bids or entity or surface:
        for path in write_maps(
            pipeline, step, out, wanted=wanted, overrides=overrides, branch=branch, cache=cache,
            entity=entity, surface=surface,
        ):  # fmt: skip
            say(str(path))
        return
    written: list[Path] = []
    has: dict[str, list[str]] = {}
    for path, card in find_done(pipeline, step, overrides, branch, cache):
        name = card["label"].replace("[", "_").replace("]", "").replace(", ", "_")
        for output, artifact in read_outputs_of(path).items():
            if wanted in ("", output):
                has[output] = list(find_writers(artifact))
                if form == "auto" or form in has[output]:
                    written += write_artifact(artifact, out / make_safe(f"{name}_{output}"), form)
    for path in written:
        say(str(path))
    if not written:
        forms = "; ".join(f"{output}: {', '.join(names)}" for output, names in has.items())
        raise UserError(
            f"export: nothing of {step}{'.' + wanted if wanted else ''} can be written --as "
            f"{form}. It has: {forms or 'no such output'}."
        )


def write_maps(
    pipeline: str,
    step: str,
    out: Path,
    *,
    wanted: str = "",
    overrides: list[str] | None = None,
    branch: list[str] | None = None,
    cache: Path | None = None,
    entity: list[str] | None = None,
    surface: bool = False,
) -> list[Path]:
    """Write every map of a step as a BIDS derivative; return what was written."""
    from neurodecode.cli.export_bids import (
        find_entities,
        project_scores,
        read_entities,
        write_bids,
    )
    from neurodecode.cli.options import find_instances, open_graph
    from neurodecode.cli.show import find_done
    from neurodecode.core.artifacts import Scores
    from neurodecode.core.errors import UserError
    from neurodecode.core.store import read_outputs_of

    given = read_entities(entity or [])
    graph = open_graph(pipeline, overrides, branch)
    instances = {i.label: i for i in find_instances(graph, step)}
    written: list[Path] = []
    for path, card in find_done(pipeline, step, overrides, branch, cache):
        instance = instances[card["label"]]
        entities = {**find_entities(graph, instance), **given}
        for output, artifact in read_outputs_of(path).items():
            if isinstance(artifact, Scores) and wanted in ("", output):
                name = instance.name if len(card["outputs"]) == 1 else f"{instance.name} {output}"
                written += write_bids(artifact, out, entities, card, name)
                if surface:
                    written += write_bids(project_scores(artifact), out, entities, card, name)
    if not written:
        raise UserError(
            f"--bids: {step} holds no scores, and only their maps are written so. Leave --bids "
            "out, or name a step of evaluation.encoding, say."
        )
    return written


def make_safe(name: Any) -> str:
    """Return a name that every file system takes."""
    return "".join(c if c.isalnum() or c in "-_.=" else "_" for c in str(name))
