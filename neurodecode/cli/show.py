"""neurodecode show: what is inside a result."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neurodecode.cli.options import Branches, CacheFolder, Overrides, open_graph, open_store

FACTS = (
    "units", "metric", "scale", "of", "unit", "t_r", "sfreq", "licence", "origin", "verdict",
)  # fmt: skip
MOST_LOOKS = 30  # lines; the newest

if TYPE_CHECKING:
    from neurodecode.core.looks import Look


def command(
    what: Annotated[str, typer.Argument(help="A pipeline, or a result file (.h5).")],
    step: Annotated[str | None, typer.Argument(help="A step of the pipeline.")] = None,
    overrides: Overrides = None,
    branch: Branches = None,
    cache: CacheFolder = None,
) -> None:
    """Print a result's arrays, units, provenance and lineage."""
    from neurodecode.core.errors import UserError
    from neurodecode.core.lint import list_test_sets
    from neurodecode.core.store import read_lone_file, read_outputs_of

    if step is not None:
        results = [
            (path, card, read_outputs_of(path))
            for path, card in find_done(what, step, overrides, branch, cache)
        ]
    elif what.endswith(".h5"):
        results = [(Path(what), *read_lone_file(Path(what)))]
    else:
        raise UserError(
            f"show: '{what}' is no result file (.h5), and no step is named. Name a step: "
            f"neurodecode show {what} STEP."
        )
    looks = open_store(cache).load_looks()
    for path, shown, outputs in results:
        _print_card(path, shown)
        for name, artifact in outputs.items():
            _print_artifact(name, artifact)
        for test_set in list_test_sets(shown):
            _print_looks(looks.find(test_set))


def find_done(
    pipeline: str,
    step: str,
    overrides: list[str] | None,
    branch: list[str] | None,
    cache: Path | None,
) -> list[tuple[Path, Mapping[str, Any]]]:
    """Return the finished results of a step, or raise UserError that says why there are none."""
    from neurodecode.cli.options import plan_step
    from neurodecode.core.errors import UserError

    store = open_store(cache)
    wanted, plans = plan_step(open_graph(pipeline, overrides, branch), step, store)
    found = [
        (Path(plans[key].card["path"]), plans[key].card)  # type: ignore[index]
        for key in wanted
        if plans[key].state == "fresh"
    ]
    if not found:
        plan = plans[wanted[0]]
        raise UserError(
            f"{plan.instance.label} is {plan.state} ({'; '.join(plan.reasons)}). Run it first: "
            f"neurodecode run {pipeline} --until {step}"
        )
    return found  # type: ignore[return-value]


def _print_card(path: Path, card: Mapping[str, Any]) -> None:
    from neurodecode.cli.console import format_bytes, format_seconds, say

    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(card.get("started", 0)))
    say(f"{card.get('label', card['stage'])}  ({card['stage']}, version {card['version']})")
    say(f"  file       {path}  ({format_bytes(path.stat().st_size)})")
    seconds, peak = format_seconds(card.get("seconds", 0)), card.get("peak_mb", 0)
    say(f"  made       {when}, in {seconds}, peak {peak:.0f} MB")
    branch = card.get("branch") or "-"
    say(f"  pipeline   {card.get('pipeline')}, seed {card.get('seed')}, branch {branch}")
    for name, value in card["settings"].items():
        say(f"  setting    {name} = {value}")
    for name, value in card["inputs"].items():
        digest = (
            value.get("digest")
            if isinstance(value, Mapping) and "digest" in value
            else f"{len(value)} results"
        )
        say(f"  input      {name}: {digest}")
    for name, digest in card["code"].items():
        say(f"  code       {name}  {digest[:12]}")
    for name, digest in card.get("source_files", {}).items():
        say(f"  raw file   {name}  {digest[:12]}")
    versions = card.get("environment", {}).get("packages", {})
    say("  packages   " + ", ".join(f"{n} {v}" for n, v in versions.items()))
    for item in card.get("accepted", []):
        say(f"  accepted   from {item['from'][:12]}: {item['reason']}")


def _print_looks(history: Sequence[Look]) -> None:
    """Print what was scored on one test set, the oldest first."""
    from neurodecode.cli.console import say
    from neurodecode.core.lint.findings import name_plural

    say(f"\n  this test set was scored by {name_plural(len(history), 'recipe')}")
    for look in history[-MOST_LOOKS:]:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(look.when)) if look.when else "?"
        inside = f"[{look.branch}]" if look.branch else ""
        value = f"{look.claim} {look.value:.4g}" if look.value is not None else look.claim
        say(f"    {when}  {look.pipeline}: {look.step}{inside}  {look.scored[:8]}  {value}")


def _print_artifact(name: str, artifact: Any) -> None:
    from neurodecode.cli.console import say
    from neurodecode.core.artifacts import list_arrays
    from neurodecode.core.lineage import EVERY_FOLD

    say(f"\n  {name}: {type(artifact).__name__}")
    for array_name, array, dims in list_arrays(artifact):
        if hasattr(array, "name") and len(array.shape) != len(dims):
            dims = ()
        shape = " × ".join(str(n) for n in array.shape) or "scalar"
        axes = f"  ({', '.join(dims)})" if dims else ""
        say(f"    {array_name:32s} {shape:24s} {array.dtype}{axes}")
    for key in FACTS:
        value = getattr(artifact, key, None)
        if value not in (None, ""):
            say(f"    {key} = {value}")
    if hasattr(artifact, "summary"):
        for i in range(len(artifact.summary)):
            row = {c: artifact.summary[c][i] for c in artifact.summary}
            say("    " + ", ".join(f"{c} {_word(v)}" for c, v in row.items()))
    for reason in getattr(artifact, "reasons", ()):
        say(f"    reason: {reason}")
    for notice in getattr(artifact, "notices", ()):
        say(f"    notice: {notice}")
    for fold, contacts in artifact.lineage.seen.items():
        where = "every fold" if fold == EVERY_FOLD else f"fold {fold}"
        for contact in contacts:
            counts = ", ".join(f"{len(t)} {level}" for level, t in contact.tokens.items())
            named = f' (named: "{contact.reason}")' if contact.reason else ""
            say(f"    lineage: {where}: {contact.step}, {contact.kind}{named}: {counts}")
    for peers in artifact.lineage.peers:
        n_groups = len(set(peers.groups.tolist()))
        say(f"    lineage: rows share {peers.kind} contact in {n_groups} groups, by {peers.step}")


def _word(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
