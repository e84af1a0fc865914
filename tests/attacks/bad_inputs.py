"""Every hand-written bad input, run through the command line; as a program, prints the table.

python -m tests.attacks.bad_inputs > table.md
"""

import contextlib
import importlib.util
import io
import os
import re
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
            told = self.err.strip().removeprefix("neurodecode: ").splitlines()
            several = len(told) > 1 and re.fullmatch(r"\d+ mistakes:", told[0])
            return "\n".join(line.strip() for line in told[1 if several else 0 :])
        block = re.search(r"\nFAILED (\S+)\n((?:  .+\n)+)", self.out)
        if block is None:
            return self.err.strip()
        told = [line.strip() for line in block[2].splitlines()]
        return f"FAILED {block[1]}: " + " ".join(t for t in told if not t.startswith("traceback:"))


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
