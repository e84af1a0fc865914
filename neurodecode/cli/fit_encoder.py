"""neurodecode fit-encoder: from a folder of fMRIPrep to a report with maps, by a file it writes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from neurodecode.cli.options import CacheFolder

List = list[str] | None


def command(
    bold: Annotated[Path, typer.Option(help="Folder of fMRIPrep's derivatives.")],
    subject: Annotated[str, typer.Option(help="Label, such as 07.")],
    events: Annotated[
        Path | None,
        typer.Option(help="Folder of the raw BIDS data, whose events.tsv are read."),
    ] = None,
    stimuli: Annotated[
        Path | None, typer.Option(help="Folder of the images that stim_file names.")
    ] = None,
    features: Annotated[
        str,
        typer.Option(
            help="clip, efficientnet, gabor, pixels, luminance, conditions, or addresses of "
            "stages, with commas between. Several become bands."
        ),
    ] = "conditions",
    nuisance: Annotated[
        str | None,
        typer.Option(
            help="Bands beside the features, or none. If not named: onset and luminance of images, "
            "nothing beside conditions."
        ),
    ] = None,
    task: Annotated[str | None, typer.Option(help="Needed where there are several.")] = None,
    session: Annotated[List, typer.Option(help="Only this session; repeatable.")] = None,
    run: Annotated[List, typer.Option(help="Only this run; repeatable.")] = None,
    space: Annotated[str | None, typer.Option(help="Needed where there are several.")] = None,
    confounds: Annotated[
        str,
        typer.Option(
            help="Parts (motion, wm_csf, global_signal, compcor, scrub, ...) or a strategy "
            "(simple, scrubbing, compcor) of nilearn's, with commas between; or none."
        ),
    ] = "motion,wm_csf",
    smooth: Annotated[float, typer.Option(min=0, help="Full width at half maximum, mm.")] = 0.0,
    high_pass: Annotated[
        float, typer.Option(min=1, help="Drift slower than this is removed, seconds.")
    ] = 128.0,
    hrf: Annotated[
        Literal["spm", "glover", "learned"], typer.Option(help="Haemodynamic response.")
    ] = "spm",
    split: Annotated[
        Literal["auto", "run", "session", "block"],
        typer.Option(help="What is held out; auto takes runs, or blocks where there are few."),
    ] = "auto",
    file: Annotated[
        Path | None, typer.Option(help="The pipeline file; encode_sub-SUBJECT.yaml if not named.")
    ] = None,
    write_only: Annotated[
        bool, typer.Option("--write-only", help="Write it, run nothing.")
    ] = False,
    workers: Annotated[int, typer.Option("--workers", "-w", min=0, help="Local processes.")] = 0,
    cache: CacheFolder = None,
    out: Annotated[Path, typer.Option(help="Where report and maps are written.")] = Path("results"),
) -> None:
    """Fit encoders on a subject: write the pipeline file, run it, export the maps."""
    from neurodecode.cli import run as running
    from neurodecode.cli.console import say
    from neurodecode.cli.encoder_file import Study, check_study, write_pipeline
    from neurodecode.cli.export import write_maps
    from neurodecode.datasets.bids_index import find_bold

    found = find_bold(bold, subject, task=task, sessions=session or (), runs=run or (), space=space)
    wanted = _read_names(features)
    default = [] if "conditions" in wanted else ["onset", "luminance"]
    default = [name for name in default if name not in wanted]
    study = Study(
        recording={
            "path": str(bold), "subject": found[0].subject, "task": found[0].task or None,
            "sessions": session, "runs": run, "space": found[0].entities.get("space"),
            "events": str(events) if events is not None else None,
            "confounds": _read_confounds(confounds),
        },
        stimuli=str(stimuli) if stimuli is not None else None,
        features=wanted,
        nuisance=default if nuisance is None else _read_names(nuisance),
        smooth_mm=smooth,
        high_pass_s=high_pass,
        hrf=hrf,
        split=split,
        n_runs=len(found),
        t_r=found[0].t_r or 2.0,
        form=found[0].form,
        is_mni="MNI" in found[0].entities.get("space", ""),
    )  # fmt: skip
    check_study(study)
    path = file or Path(f"encode_sub-{found[0].subject}.yaml")
    _write(path, write_pipeline(study))
    say(f"pipeline: {path} ({len(found)} runs; edit it, and run it again with neurodecode run)")
    if write_only:
        return
    running.command(str(path), workers=workers, cache=cache, out=out)
    maps = out / f"{path.stem}_maps"
    surface = study.form == "nifti" and study.is_mni
    for name in write_maps(str(path), "scores", maps, cache=cache, surface=surface):
        say(f"map: {name}")


def _read_names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    return [name for name in names if name and name != "none"]


def _read_confounds(text: str) -> str | list[str] | None:
    names = _read_names(text)
    return names[0] if names in (["simple"], ["scrubbing"], ["compcor"]) else names or None


def _write(path: Path, text: str) -> None:
    """Write the file, unless another is there that someone may have edited."""
    from neurodecode.core.errors import UserError

    try:
        if path.exists() and path.read_text(encoding="utf-8") != text:
            raise UserError(
                f"fit-encoder: {path} is there already, and differs from what these options make. "
                f"Run it as it is (neurodecode run {path}), name another with --file, or delete it."
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"fit-encoder: {path} cannot be written ({error}). Check its folder, or name another "
            "with --file."
        ) from error
