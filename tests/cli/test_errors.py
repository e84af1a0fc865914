"""The page of messages is up to date, a pasted message finds its entry, a crash is one line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from neurodecode.core.message_search import format_page
from neurodecode.core.messages import list_messages

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / ".github" / "ERRORS.md"


def run(folder: Path, *args: str, given: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "neurodecode", *args], cwd=folder, input=given, text=True,
        capture_output=True, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), **env},
    )  # fmt: skip


def test_the_page_is_up_to_date():
    stale = "the messages changed; write the page again: neurodecode errors > .github/ERRORS.md"
    assert PAGE.read_text(encoding="utf-8") == format_page(list_messages()), stale


def test_a_printed_message_is_looked_up(tmp_path):
    (tmp_path / "two.yaml").write_text("steps:\n  a: {stage: features.pixel}\nseed: -1\n")
    refused = run(tmp_path, "plan", "two.yaml")
    assert refused.returncode == 2
    lines = refused.stderr.splitlines()
    assert lines[0] == "neurodecode: 2 mistakes:"
    assert [line.split(":")[1] for line in lines[1:]] == ["2", "3"], "in the order of the file"
    looked_up = run(tmp_path, "errors", "-", given=refused.stderr).stdout
    assert "core.root._read_seed" in looked_up
    assert "core.stage.find_stage" in looked_up


def test_words_find_entries_and_say_when_there_are_none(tmp_path):
    assert "core.checks.check_varying" in run(tmp_path, "errors", "constant", "columns").stdout
    nothing = run(tmp_path, "errors", "xylophone")
    assert nothing.returncode == 2
    assert "Give fewer words" in nothing.stderr


def test_nothing_heavy_is_imported():
    code = (
        "import sys, neurodecode.cli.errors as e; e.command(['NaN']); "
        "print([m for m in ('numpy', 'torch', 'pydantic', 'h5py') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("debug", ["", "1"])
def test_a_crash_is_one_line_and_its_traceback_is_kept(tmp_path, debug):
    code = (
        "import neurodecode.cli.list as one\n"
        "def broken(address): raise KeyError('planted')\n"
        "one._read_sentence = broken\n"
        "import sys; sys.argv = ['neurodecode', 'list', 'stages']\n"
        "from neurodecode.cli import main\n"
        "main()\n"
    )
    (tmp_path / "data" / "cache").mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NEURODECODE_CACHE": "data/cache",
             "NEURODECODE_DEBUG": debug},
    )  # fmt: skip
    assert done.returncode == 1
    if debug:
        assert "Traceback (most recent call last)" in done.stderr
        return
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("neurodecode: KeyError: 'planted'.")
    assert "Please report it" in done.stderr
    (log,) = (tmp_path / "data" / "cache" / "logs").iterdir()
    assert str(log.relative_to(tmp_path)) in done.stderr
    assert "in broken" in log.read_text()
