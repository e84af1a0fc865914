"""Ctrl-C, SIGTERM and a closed terminal: the command ends within 2 s and says how to go on.

By default a handful of moments. More of them: NEURODECODE_SIGNALS=60 pytest -m slow this file.
"""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from tests.attacks.five_seconds import (
    HEAD,
    FiveSeconds,
    list_strays,
    read_digests,
    verify,
    wait_for,
    wait_for_group,
)

MANY = int(os.environ.get("NEURODECODE_SIGNALS", "60"))
WITHIN_S = 2.0
NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM", signal.SIGHUP: "SIGHUP"}

LONG = '''
class Long(Stage):
    """Stay inside one call for half a minute, or go on piece by piece."""

    stage: ClassVar[str] = "five.long:Long"
    kind: str

    def run(self) -> Features:
        Path(os.environ["FIVE_SECONDS_DIARY"]).write_text("inside\\n")
        if self.kind == "blas":
            big = np.ones((7000, 7000))
            big @ big
        elif self.kind == "sort":
            np.sort(np.random.default_rng(0).random(60_000_000))
        elif self.kind == "stubborn":
            until = time.monotonic() + 30
            while time.monotonic() < until:
                try:
                    time.sleep(0.1)
                except BaseException:
                    pass
        return Features(data=np.zeros((1, 1)), items=Table({"id": ["a"]}))
'''
LONG_PIPELINE = 'steps:\n  long: {{stage: "five.long:Long", kind: {kind}}}\n'


@pytest.fixture(scope="module")
def five(tmp_path_factory):
    five = FiveSeconds(tmp_path_factory.mktemp("five"), megabytes=8, sleep_s=0.01)
    start = time.monotonic()
    assert five.run(five.folder / "whole").code == 0
    five.seconds = time.monotonic() - start
    return five


def send_and_check(process, signum, group, cache):
    """Send a signal; check exit code, time, words, and what is left."""
    start = time.monotonic()
    (os.killpg if group else os.kill)(process.pid, signum)
    done = wait_for(process, 30)
    took = time.monotonic() - start
    wait_for_group(process.pid, WITHIN_S)
    assert done.code == 128 + signum, done
    assert took < WITHIN_S
    (line,) = done.err.splitlines()
    assert line.startswith(f"neurodecode: stopped by {NAMES[signum]}. Finished steps are kept;")
    assert f"go on with: neurodecode run {process.args[4]}" in line
    assert [s for s in list_strays(cache) if not s.endswith(".blocks")] == []
    return done


def interrupt(five, number, cache):
    """Stop a run at a random moment; tell whether it had not ended by itself."""
    draw = random.Random(number)
    signum = draw.choice(list(NAMES))
    process = five.start(cache, workers=number % 3)
    wait_for_start(process)
    time.sleep(draw.uniform(0, five.seconds))
    if process.poll() is not None or not catches_signals(process):
        process.communicate()  # it had said how it ended, and Python was leaving
        return False
    send_and_check(process, signum, draw.random() < 0.5, cache)
    return True


def wait_for_start(process):
    """Wait until the command has taken over the signals; before, Python itself answers them."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if catches_signals(process):
            return
        time.sleep(0.005)
    raise AssertionError("never took over the signals")


def catches_signals(process):
    with open(f"/proc/{process.pid}/status") as stream:
        found = [line for line in stream if line.startswith("SigCgt")]
    return bool(found) and bool(int(found[0].split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def interrupt_often(five, numbers, cache):
    stopped = sum(interrupt(five, number, cache) for number in numbers)
    assert stopped >= len(numbers) // 2, "moments too late to meet anything"
    assert five.run(cache).code == 0
    assert read_digests(cache) == read_digests(five.folder / "whole")
    assert list_strays(cache) == []
    verify(five, cache)


def test_a_signal_at_any_moment_ends_the_run(five, tmp_path):
    interrupt_often(five, range(4), tmp_path / "cache")


@pytest.mark.slow
def test_signals_at_many_moments(five, tmp_path):
    for start in range(0, MANY, 6):
        interrupt_often(five, range(start, start + 6), tmp_path / f"cache{start}")


def start_long(five, cache, kind, **more):
    """Start a run that is inside a long call when this returns."""
    (five.folder / "five" / "long.py").write_text(HEAD + LONG)
    five.diary.unlink(missing_ok=True)
    path = five.folder / "long.yaml"
    path.write_text(LONG_PIPELINE.format(kind=kind))
    command = ["run", str(path), "--cache", str(cache), *more.pop("arguments", ())]
    process = subprocess.Popen(
        [sys.executable, "-m", "neurodecode", *command], cwd=five.folder,
        env=five.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, **more,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not five.diary.exists():
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.02)
    time.sleep(0.3)
    return process


@pytest.mark.parametrize(
    ("kind", "workers", "signum"),
    [
        ("blas", 0, signal.SIGINT),
        ("blas", 1, signal.SIGTERM),
        ("sort", 0, signal.SIGTERM),
        ("stubborn", 0, signal.SIGINT),
        ("stubborn", 1, signal.SIGHUP),
    ],
)
def test_a_long_call_is_no_excuse(five, tmp_path, kind, workers, signum):
    arguments = ("--workers", str(workers))
    process = start_long(five, tmp_path / "cache", kind, arguments=arguments)
    send_and_check(process, signum, kind == "stubborn", tmp_path / "cache")


def test_a_worker_does_not_outlive_the_first_process(five, tmp_path):
    """Nor does it leave a lease: it is killed -9, and its worker is inside a long step."""
    cache = tmp_path / "cache"
    process = start_long(five, cache, "stubborn", arguments=("--workers", "1"))
    assert [s for s in list_strays(cache) if s.endswith(".lease")]
    process.kill()
    wait_for_group(process.pid, WITHIN_S)
    assert list_strays(cache) == []
    process.communicate()


def test_a_second_signal_ends_at_once(five, tmp_path):
    process = start_long(five, tmp_path / "cache", "blas")
    os.kill(process.pid, signal.SIGINT)
    os.kill(process.pid, signal.SIGINT)
    start = time.monotonic()
    assert wait_for(process, 30).code == 130
    assert time.monotonic() - start < 1


def test_what_the_parent_ignores_is_ignored(five, tmp_path):
    """As under nohup, and as for a command in the background of a script."""

    def ignore():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    process = start_long(five, tmp_path / "cache", "stubborn", preexec_fn=ignore)
    os.killpg(process.pid, signal.SIGHUP)
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(0.5)
    assert process.poll() is None
    send_and_check(process, signal.SIGTERM, False, tmp_path / "cache")


def test_a_program_of_ones_own_keeps_its_signals(five, tmp_path):
    """run_pipeline leaves handlers alone, and KeyboardInterrupt leaves nothing half written."""
    code = (
        "import os, signal, sys, threading\n"
        "from pathlib import Path\n"
        "import neurodecode\n"
        "from neurodecode.core import runner\n"
        "if __name__ == '__main__':\n"
        "    before = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]\n"
        "    def press():\n"
        "        while not list(Path(sys.argv[2]).glob('*arge*/.writing-*.h5')):\n"
        "            pass\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "    threading.Thread(target=press, daemon=True).start()\n"
        "    try:\n"
        "        file, cache, workers = sys.argv[1:]\n"
        "        neurodecode.run_pipeline(file, cache=cache, workers=int(workers))\n"
        "    except KeyboardInterrupt:\n"
        "        print('interrupted')\n"
        "    assert before == [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]\n"
    )
    script = tmp_path / "script.py"
    script.write_text(code)
    for workers in (0, 2):
        cache = tmp_path / f"cache{workers}"
        command = [sys.executable, str(script), str(five.file), str(cache), str(workers)]
        done = subprocess.run(command, env=five.environment(), capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr) == (0, "interrupted\n", "")
        assert [s for s in list_strays(cache) if not s.endswith(".blocks")] == []
        assert five.run(cache).code == 0
        assert read_digests(cache) == read_digests(five.folder / "whole")
