"""The command line: one file per command, nothing heavy imported before it is needed.

run.py      bring a pipeline up to date
plan.py     what would be done, and why
why.py      why a step is not fresh
accept.py   re-sign a result after a change known to be harmless
show.py     what is inside a result
list.py     stages, pipelines, datasets
export.py   a result as npy, CSV, NIfTI, GIFTI, safetensors, PNG, HTML
verify.py   find damage
gc.py       remove what no pipeline needs
doctor.py   packages, devices, data folders, disk
new.py      a template of a stage or a pipeline
report.py   write the reports of a pipeline that is up to date
schema.py   JSON Schema of pipeline files, for editors
errors.py   every error message, its cause and its mend
"""

from __future__ import annotations

import sys

import typer

from neurodecode.cli import (
    accept,
    doctor,
    errors,
    export,
    gc,
    list,
    new,
    plan,
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
    plan,
    why,
    accept,
    show,
    list,
    export,
    verify,
    gc,
    doctor,
    report,
    schema,
    errors,
):
    app.command(module.__name__.rsplit(".", 1)[-1])(module.command)
app.add_typer(new.app, name="new")


def main() -> None:
    """Run the command line; exit with 0 (done), 1 (a step failed) or 2 (the user's mistake)."""
    from neurodecode.cli.console import say_crash, say_error, say_problems
    from neurodecode.core.errors import NeurodecodeError, PipelineError, UserError

    try:
        app()
    except PipelineError as error:
        say_problems(error.problems)
        sys.exit(2)
    except UserError as error:
        say_error(str(error))
        sys.exit(2)
    except NeurodecodeError as error:
        say_error(str(error))
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except Exception as error:
        say_crash(error)
        sys.exit(1)
