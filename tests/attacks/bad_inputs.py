"""Every hand-written bad input, run through the command line; as a program, prints the table.

python -m tests.attacks.bad_inputs > table.md
"""

import contextlib
import importlib.util
import io
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from neurodecode.cli import main
from tests.attacks import bad_pipelines
from tests.attacks.cases import Case


@dataclass(frozen=True)
class Answer:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def message(self) -> str:
        """What is said of the mistake, without the program's name."""
        if self.code == 2:
            return self.err.strip().removeprefix("neurodecode: ")
        lines = self.out.splitlines()
        first = next((i for i, line in enumerate(lines) if line.startswith("FAILED ")), 0)
        told = (line.strip() for line in lines[first:] if line.strip())
        return next((line for line in told if line.startswith("FAILED ")), self.err.strip())


def list_cases() -> list[Case]:
    """Return the cases of every table that is there."""
    cases = list(bad_pipelines.CASES)
    if importlib.util.find_spec("tests.attacks.bad_files") is not None:
        cases += importlib.import_module("tests.attacks.bad_files").CASES
    return cases


def try_case(case: Case, folder: Path) -> Answer:
    """Run a case in a folder of its own."""
    before, argv = Path.cwd(), sys.argv
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    try:
        os.chdir(folder)
        path = case.make(folder)
        sys.argv = ["neurodecode", "run", path.name, *case.arguments]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as stop:
        code = stop.code or 0
    finally:
        os.chdir(before)
        sys.argv = argv
    return Answer(int(code), out.getvalue(), err.getvalue())


def print_table() -> None:
    """Print every case and its message as a markdown table."""
    print("| what is wrong | exit | what is said |\n|---|---|---|")
    for case in list_cases():
        with tempfile.TemporaryDirectory() as folder:
            answer = try_case(case, Path(folder))
            said = answer.message.replace(folder, "…").replace("|", "\\|").replace("\n", "<br>")
        print(f"| {case.name} | {answer.code} | {said} |")


if __name__ == "__main__":
    print_table()
