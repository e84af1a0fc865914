"""A pipeline of about five seconds with every kind of writer, run as a user would: in a process.

    recording   raw file to responses and features           two outputs
    large       32 MB that do not compress                   a kill lands while it is written
    pieces      eight pieces of 1 MB                         block-wise, resumed at its piece
    scaled      three branches, gathered by joined           each and gather
    shuffled    real stage, three shuffles                   rows moved
    decoded     ridge by fold
    scores      each key leaves a look                       looks
    picture     a figure                                     Document
    report      real stage; written beside the results       results/

Every own step leaves a line in a diary when it has computed: step, settings, host and process. The
diary tells who computed what, and that nothing was computed twice.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import numpy as np

import neurodecode
from tests.attacks.five_stages import HEAD, PIPELINE, STAGES

N_SAMPLES, N_VOXELS, N_FEATURES = 32, 24, 6

TIMED = ("report",)  # prints how long steps took, so its text differs from run to run


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code and what it printed."""

    code: int
    out: str
    err: str


@dataclass
class FiveSeconds:
    """A folder with the package, its raw file, and the pipeline file.

    Parameters
    ----------
    folder : Path
    megabytes : int
        Size of the large result.
    sleep_s : float
        Spent in each step, and in each piece.
    """

    folder: Path
    megabytes: int = 32
    sleep_s: float = 0.1

    def __post_init__(self):
        package = self.folder / "five"
        package.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").write_text('"""Ours."""\n')
        for name, text in STAGES.items():
            (package / f"{name}.py").write_text(HEAD + dedent(text).lstrip())
        rng = np.random.default_rng(1)
        features = rng.standard_normal((N_SAMPLES, N_FEATURES)).astype(np.float32)
        mixing = rng.standard_normal((N_FEATURES, N_VOXELS)).astype(np.float32)
        noise = rng.standard_normal((N_SAMPLES, N_VOXELS)).astype(np.float32)
        np.savez(self.raw, features=features, responses=features @ mixing + noise)
        self.file.write_text(PIPELINE.format(raw=self.raw, megabytes=self.megabytes))

    @property
    def raw(self) -> Path:
        return self.folder / "raw.npz"

    @property
    def file(self) -> Path:
        return self.folder / "five_seconds.yaml"

    @property
    def diary(self) -> Path:
        return self.folder / "diary"

    def environment(self, **more: str) -> dict[str, str]:
        root = Path(neurodecode.__file__).parent.parent
        return {
            **os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg",
            "FIVE_SECONDS_DIARY": str(self.diary), "FIVE_SECONDS_SLEEP": str(self.sleep_s), **more,
        }  # fmt: skip

    def start(self, cache: Path, *arguments: str, workers: int = 0, **more) -> subprocess.Popen:
        """Start ``neurodecode run`` on the pipeline, in a process group of its own.

        Parameters
        ----------
        cache : Path
        arguments : sequence of str
            Further ones of the command line.
        more : mapping
            ``env`` adds variables; others go to Popen.
        """
        out = more.pop("out", self.folder / "results")
        command = [
            sys.executable, "-m", "neurodecode", "run", str(self.file), *arguments,
            "--cache", str(cache), "--workers", str(workers), "--out", str(out),
        ]  # fmt: skip
        env = self.environment(**more.pop("env", {}))
        given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(
            command, env=env, **{**given, "cwd": self.folder, "start_new_session": True, **more}
        )

    def run(self, cache: Path, *arguments: str, timeout: float = 120, **more) -> Ended:
        """Run to the end."""
        return wait_for(self.start(cache, *arguments, **more), timeout)

    def read_diary(self) -> Counter:
        """Return how often each thing was computed."""
        lines = self.diary.read_text().splitlines() if self.diary.exists() else []
        return Counter(line.rpartition(" ")[0].strip() for line in lines)


def wait_for(process: subprocess.Popen, timeout: float = 120) -> Ended:
    """Wait until a process ends; kill its group and raise if it does not."""
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        raise AssertionError(f"did not end within {timeout} s\n{out}\n{err}") from None
    return Ended(process.returncode, out or "", err or "")


def read_digests(cache: Path) -> dict[str, dict[str, str]]:
    """Return, for each result by stage and key, the digest of each output.

    Keys hold the digests of inputs and the number of looks, so that equal keys say much already.
    """
    found = {}
    for path in sorted(cache.glob("*/*.json")):
        card = json.loads(path.read_text())["card"]
        outputs = card["outputs"] if card["step"] not in TIMED else {}
        found[f"{card['label']} {card['key']}"] = {n: o["digest"] for n, o in outputs.items()}
    return found


def list_strays(cache: Path) -> list[str]:
    """Return what no finished run leaves: half-written files, leases, pieces, logs."""
    return sorted(
        str(p.relative_to(cache))
        for p in cache.rglob("*")
        if ".writing-" in p.name or ".lease" in p.name or p.name.endswith(".blocks")
        or p.parent.name == "logs"
    )  # fmt: skip


def measure(cache: Path) -> tuple[int, int]:
    """Return the number of files of a cache, and the bytes of its results.

    Cards hold times, so that their sizes differ a little from run to run.
    """
    files = [p for p in cache.rglob("*") if p.is_file() and p.name != "memory.json"]
    return len(files), sum(p.stat().st_size for p in files if p.suffix == ".h5")


def list_group(group: int) -> list[int]:
    """Return the processes of a group that have not ended; those that nobody waits for have."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] not in "ZX":
            found.append(int(path.parent.name))
    return found


def wait_for_group(group: int, timeout: float) -> float:
    """Return after how many seconds no process of a group was left; raise if one stays."""
    start = time.monotonic()
    while left := list_group(group):
        if time.monotonic() - start > timeout:
            os.killpg(group, signal.SIGKILL)
            raise AssertionError(f"processes {left} go on after {timeout} s")
        time.sleep(0.02)
    return time.monotonic() - start


def verify(five: FiveSeconds, cache: Path) -> None:
    """Raise unless ``neurodecode verify`` finds nothing."""
    command = [sys.executable, "-m", "neurodecode", "verify", "--cache", str(cache)]
    done = subprocess.run(command, env=five.environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 damaged" in done.stdout
