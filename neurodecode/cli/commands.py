"""The commands, put together."""

from __future__ import annotations

import typer

from neurodecode.cli import (
    accept,
    doctor,
    errors,
    export,
    fit_encoder,
    gc,
    list,
    new,
    plan,
    plot,
    report,
    run,
    schema,
    show,
    verify,
    why,
)

app = typer.Typer(
    name="neurodecode",
    help="Brain encoding and decoding: one file from recording to report.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for module in (
    run,
    fit_encoder,
    plan,
    why,
    accept,
    show,
    list,
    plot,
    export,
    verify,
    gc,
    doctor,
    report,
    schema,
    errors,
):
    app.command(module.__name__.rsplit(".", 1)[-1].replace("_", "-"))(module.command)
app.add_typer(new.app, name="new")
