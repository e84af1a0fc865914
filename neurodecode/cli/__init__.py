"""The command line: one file per command, nothing heavy imported before it is needed.

commands.py the commands, put together
stopping.py Ctrl-C, SIGTERM and SIGHUP
run.py      bring a pipeline up to date
fit_encoder.py  from an fMRIPrep folder to a report, by a pipeline file that it writes
            (encoder_file.py)
plan.py     what would be done, and why
why.py      why a step is not fresh
accept.py   re-sign a result after a change known to be harmless
show.py     what is inside a result
list.py     stages, pipelines, datasets
plot.py     a result on the brain, as a picture or a page
export.py   a result as npy, CSV, NIfTI, GIFTI, safetensors, PNG, HTML; maps as a BIDS derivative
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

from neurodecode.cli.stopping import Stopping


def main() -> None:
    """Run the command line.

    It exits with 0 (done), 1 (a step failed), 2 (the user's mistake), or 128 and the number of the
    signal that stopped it.
    """
    with Stopping():  # before anything that takes a while to import
        from neurodecode.cli.commands import app
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
