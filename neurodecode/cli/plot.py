"""neurodecode plot: a map of a result, as a picture or a page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neurodecode.cli.options import Branches, CacheFolder

if TYPE_CHECKING:
    from neurodecode.core.artifacts import Document, Scores

VIEWS = ("flat", "inflated", "pial", "white", "glass", "slices", "mosaic", "html")
SURFACE = {
    "brain": ("inflated", "flat"), "flat": ("flat",), "inflated": ("inflated",),
    "pial": ("pial",), "white": ("white",),
}  # fmt: skip
_THRESHOLD = re.compile(r"\s*(q|p|value|\|value\|)\s*(<|>|<=|>=|≥|≤)\s*([0-9.eE+-]+)\s*")


def command(
    what: Annotated[str, typer.Argument(help="A pipeline, or a result file (.h5).")],
    step: Annotated[
        str | None, typer.Argument(help="A step of the pipeline that gives scores of voxels.")
    ] = None,
    view: Annotated[
        str,
        typer.Option(
            help="auto, flat, inflated, pial, white, glass, slices, mosaic, or html to turn."
        ),
    ] = "auto",
    out: Annotated[
        Path | None, typer.Option(help="A file (.png, .svg, .html) or a folder; else here.")
    ] = None,
    threshold: Annotated[
        str | None, typer.Option(help="q<0.05, value>0.2, both with a comma, or none.")
    ] = None,
    hide: Annotated[
        bool, typer.Option("--hide", help="Hide what is below the threshold, instead of fading it.")
    ] = False,
    divide: Annotated[
        bool, typer.Option("--divide-by-ceiling", help="Show shares of the noise ceiling.")
    ] = False,
    ceiling_min: Annotated[
        float,
        typer.Option(
            min=0, max=0.99, help="Lowest ceiling that is divided by, in the unit of the scores."
        ),
    ] = 0.1,
    roi: Annotated[
        list[str] | None, typer.Option("--roi", help="A region to outline; repeatable; or all.")
    ] = None,
    cut: Annotated[
        list[str] | None, typer.Option("--cut", help="Slices, as z=-12,0,12 (mm); repeatable.")
    ] = None,
    anatomy: Annotated[
        Path | None, typer.Option(help="A NIfTI image to show behind slices.")
    ] = None,
    title: Annotated[str, typer.Option(help="Above the map; the step if left out.")] = "",
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="A change, such as decoded.alphas=[1e3].")
    ] = None,
    branch: Branches = None,
    cache: CacheFolder = None,
) -> None:
    """Draw a result on the brain, and print where the picture is; computes and opens nothing."""
    from neurodecode.cli.console import say
    from neurodecode.core.checks import name_known
    from neurodecode.core.errors import UserError

    if view not in ("auto", *VIEWS):
        raise UserError(f"--view: Unknown view '{view}'.{name_known(view, ('auto', *VIEWS))}")
    rule = read_threshold(threshold)
    cuts = read_cuts(cut or [])
    found = _find_scores(what, step, overrides, branch, cache)
    for name, scores in found:
        chosen = _choose_view(view, scores, out)
        settings: dict[str, Any] = {
            **rule,
            "below_threshold": "hide" if hide else "fade",
            "divide_by_ceiling": divide,
            "ceiling_min": ceiling_min,
            "title": title or f"{name}: {scores.metric}",
        }
        path = _choose_path(out, name, chosen, several=len(found) > 1)
        form = path.suffix.lstrip(".")
        sliced = {"anatomy": "" if anatomy is None else str(anatomy), "cuts": cuts}
        document = _draw(scores, chosen, form, roi or [], settings, sliced)
        _write(document, path)
        say(str(path))


def read_threshold(text: str | None) -> dict[str, float | None]:
    """Return the settings that a threshold such as "q<0.05" means.

    Raises
    ------
    UserError
        It is no such threshold.

    Examples
    --------
    >>> read_threshold("q<0.01,value>0.2")
    {'q_threshold': 0.01, 'value_threshold': 0.2}
    >>> read_threshold("none")
    {'q_threshold': None, 'value_threshold': None}
    >>> read_threshold(None)
    {}
    """
    from neurodecode.core.errors import UserError
    from neurodecode.core.visible import show

    if text is None:
        return {}
    settings: dict[str, float | None] = {"q_threshold": None, "value_threshold": None}
    if text.strip() == "none":
        return settings
    for part in text.split(","):
        found = _THRESHOLD.fullmatch(part)
        kind, sign, number = _read_parts(found) if found else ("", "", 0.0)
        right = {"q": sign in "<=≤" and number <= 1, "value": sign in ">=≥"}
        if not right.get(kind, False) or not number > 0:
            uncorrected = (
                " p is not corrected for the number of voxels; q is." if kind == "p" else ""
            )
            raise UserError(
                f"--threshold: '{show(part)}' is no threshold.{uncorrected} Allowed: q<0.05 "
                "(corrected p), value>0.2 (distance from zero), both with a comma, none. Quote it: "
                "--threshold 'q<0.05'."
            )
        settings[f"{kind}_threshold"] = number
    return settings


def _read_parts(found: re.Match[str]) -> tuple[str, str, float]:
    """Return what a threshold is of, its sign and its number; 0 where that is none."""
    try:
        number = float(found[3])
    except ValueError:
        number = 0.0
    return found[1].strip("|"), found[2], number


def read_cuts(texts: list[str]) -> dict[str, tuple[float, ...]]:
    """Return where to cut along each axis, from texts such as "z=-12,0,12".

    Raises
    ------
    UserError
        One names no axis or no numbers.

    Examples
    --------
    >>> read_cuts(["z=-12,0", "x=4"])
    {'z': (-12.0, 0.0), 'x': (4.0,)}
    """
    from neurodecode.core.errors import UserError
    from neurodecode.core.visible import show

    cuts: dict[str, tuple[float, ...]] = {}
    for text in texts:
        axis, _, numbers = text.partition("=")
        try:
            found = tuple(float(number) for number in numbers.split(","))
        except ValueError:
            found = ()
        if axis not in ("x", "y", "z") or not found:
            raise UserError(
                f"--cut: '{show(text)}' is no cut. Allowed: an axis and millimetres, such as "
                "z=-12,0,12."
            )
        cuts[axis] = (*cuts.get(axis, ()), *found)
    return cuts


def _find_scores(
    what: str,
    step: str | None,
    overrides: list[str] | None,
    branch: list[str] | None,
    cache: Path | None,
) -> list[tuple[str, Scores]]:
    """Return the scores of voxels in a result, by the name of a file for each."""
    from neurodecode.cli.export import make_safe
    from neurodecode.cli.show import find_done
    from neurodecode.core.artifacts import Scores
    from neurodecode.core.errors import UserError
    from neurodecode.core.store import read_lone_file, read_outputs_of

    wanted, outputs = "", []
    if step is not None:
        step, _, wanted = step.partition(".") if "[" not in step else (step, "", "")
        for path, card in find_done(what, step, overrides, branch, cache):
            outputs.append((_name_result(card), read_outputs_of(path)))
    elif what.endswith(".h5"):
        card, artifacts = read_lone_file(Path(what))
        outputs.append((_name_result(card) or Path(what).stem, artifacts))
    else:
        raise UserError(
            f"plot: '{what}' is no result file (.h5), and no step is named. Name a step: "
            f"neurodecode plot {what} STEP."
        )
    found, has = [], {}
    for name, artifacts in outputs:
        for output, artifact in artifacts.items():
            if wanted and output != wanted:
                continue
            has[output] = artifact.kind()
            if isinstance(artifact, Scores) and artifact.over == "voxels":
                full = name if len(artifacts) == 1 else f"{name}_{output}"
                found.append((make_safe(full), artifact))
    if not found:
        words = ", ".join(f"{output} ({kind})" for output, kind in has.items()) or "no such output"
        raise UserError(
            f"plot: {step or what} has no scores of voxels or vertices. It has: {words}. Name a "
            "step of evaluation.encoding or evaluation.noise_ceiling; figures of a step are "
            "written by neurodecode export."
        )
    return found


def _name_result(card: Mapping[str, Any]) -> str:
    label = str(card.get("label", card.get("stage", "")))
    return label.replace("[", "_").replace("]", "").replace(", ", "_")


def _choose_view(view: str, scores: Scores, out: Path | None) -> str:
    from neurodecode.core.errors import UserError

    if view not in ("auto", "html", *SURFACE) and scores.space.kind == "surface":
        raise UserError(
            f"--view {view}: the scores lie on a surface ({scores.space.mesh}), not in a volume. "
            f"Allowed: {', '.join(v for v in VIEWS if v in SURFACE)}, html."
        )
    if view != "auto":
        return view
    if out is not None and out.suffix == ".html":
        return "html"
    return "slices" if scores.space.kind == "volume" else "brain"


def _choose_path(out: Path | None, name: str, view: str, several: bool) -> Path:
    """Return where a picture goes; the suffix says what is written."""
    from neurodecode.core.errors import UserError

    allowed = (".html",) if view == "html" else (".png", ".svg")
    if out is None or not out.suffix or out.is_dir():
        kind = "map" if view == "html" else view
        return (out or Path()) / f"{name}_{kind}{allowed[0]}"
    if out.suffix not in allowed:
        raise UserError(
            f"--out: {out} ends in '{out.suffix}'. Allowed for --view {view}: "
            f"{', '.join(allowed)}, or a folder."
        )
    if several:
        raise UserError(
            f"--out: {out} is one file, and there are several branches. Give a folder, or choose "
            "one with --branch."
        )
    return out


def _draw(
    scores: Scores,
    view: str,
    form: str,
    rois: list[str],
    settings: dict[str, Any],
    sliced: dict[str, Any],
) -> Document:
    """Return the map, made by the stage that draws such a view.

    Raises
    ------
    UserError
        Slices were asked for of something else.
    """
    from neurodecode.core.errors import UserError
    from neurodecode.plotting.brain_map import BrainMap
    from neurodecode.plotting.interactive_map import InteractiveMap
    from neurodecode.plotting.volume_map import VolumeMap

    named = tuple(scores.space.rois) if rois == ["all"] else tuple(rois)
    takes = {"html": ("anatomy",), "mosaic": ("anatomy",), "slices": ("anatomy", "cuts")}
    unused = [name for name, value in sliced.items() if value and name not in takes.get(view, ())]
    if unused:
        raise UserError(
            f"--{unused[0].removesuffix('s')}: it is for slices, and --view is {view}. Leave it "
            "out, or use --view slices."
        )
    if view == "html":
        more = {"anatomy": sliced["anatomy"], **({"rois": named} if rois else {})}
        return InteractiveMap(**settings, **more).run(scores)
    if view in SURFACE:
        return BrainMap(surfaces=SURFACE[view], rois=named, form=form, **settings).run(scores)
    return VolumeMap(view=view, rois=named, form=form, **settings, **sliced).run(scores)


def _write(document: Document, path: Path) -> None:
    import numpy as np

    from neurodecode.core.files import write_text, writing

    if path.suffix == ".html":
        write_text(path, document.html)
        return
    with writing(path) as temporary:
        temporary.write_bytes(np.asarray(next(iter(document.figures.values()))).tobytes())
