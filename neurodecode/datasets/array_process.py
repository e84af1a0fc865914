"""Read MATLAB and HDF5 files in a process of its own, with bounds on time, memory and writing.

The C libraries behind h5py and SciPy loop or crash on some damaged files (a string whose heap
points at itself, cells nested ten thousand deep). There it costs one error message, not the run.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import numpy as np

from neurodecode.core.errors import DataError

START = "from neurodecode.datasets.array_process import serve; serve()"
CPU_S = 3  # of computing time per array; a healthy file of a megabyte takes a hundredth of it
CPU_S_PER_MB = 1  # of the file: the slowest decompression met takes a tenth of it
BYTES_PER_MB = 1 << 20


class ArrayProcess:
    """A process that reads arrays out of foreign files; started when first needed.

    Parameters
    ----------
    where : str
        Who reads, for messages.
    """

    def __init__(self, where: str) -> None:
        self.where = where
        self._process: subprocess.Popen[bytes] | None = None

    def read(self, path: Path, key: str) -> np.ndarray:
        """Return one array of a .mat, .h5 or .hdf5 file.

        Raises
        ------
        DataError
            The file, or the array, is not what is read; or reading took too long, or crashed.
        """
        if self._process is None:
            self._process = _start()
            weakref.finalize(self, _end, self._process)
        sent, got = self._process.stdin, self._process.stdout
        assert sent is not None and got is not None
        request = {"path": str(path), "key": key, "where": self.where}
        with contextlib.suppress(BrokenPipeError):
            sent.write(json.dumps(request).encode() + b"\n")
            sent.flush()
        answer = json.loads(got.readline() or b"null")
        if answer is None:
            process, self._process = self._process, None
            raise self._explain(path, key, process)
        if "error" in answer:
            raise DataError(answer["error"])
        array = np.empty(answer["shape"], answer["dtype"])
        if array.nbytes:
            _fill(got, array.reshape(-1).view(np.uint8).data)
        return array

    def _explain(self, path: Path, key: str, process: subprocess.Popen[bytes]) -> Exception:
        """Return what to raise when the process ended without an answer."""
        assert process.stderr is not None
        printed = process.stderr.read().decode(errors="replace")
        code = process.wait()
        if code >= 0:  # a mistake of ours, with its traceback
            return RuntimeError(f"{self.where}: reading '{key}' in {path} failed.\n{printed}")
        if code == -signal.SIGXCPU:
            found = f"keeps the library that reads it busy for more than {_limit_cpu_s(path)} s"
        else:
            found = f"crashes the library that reads it ({signal.Signals(-code).name})"
        return DataError(
            f"{self.where}: '{key}' in {path} {found}. The file is damaged, or made to do so: copy "
            "or save it again, as .npy for instance."
        )


def serve() -> None:
    """Answer requests from standard input, one JSON line each, until it is closed."""
    import warnings

    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing that a library prints may get among the answers
    warnings.simplefilter("ignore")
    _limit_resources()
    for line in sys.stdin.buffer:
        request = json.loads(line)
        path = Path(request["path"])
        _limit_cpu(_limit_cpu_s(path))
        try:
            array = np.asarray(_read(path, request["key"], request["where"]), order="C")
            answer: dict[str, Any] = {"shape": array.shape, "dtype": array.dtype.str}
        except DataError as error:
            answer, array = {"error": str(error)}, np.empty(0)
        answers.write(json.dumps(answer).encode() + b"\n")
        if array.nbytes:
            answers.write(array.reshape(-1).view(np.uint8).data)
        answers.flush()


def _read(path: Path, key: str, where: str) -> np.ndarray:
    if path.suffix.lower() == ".mat":
        from neurodecode.datasets.array_matlab import read_matlab

        return read_matlab(path, key, where)
    from neurodecode.datasets.array_hdf5 import read_hdf5

    return read_hdf5(path, key, where)


def _start() -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-P", "-c", START], stdin=pipe, stdout=pipe, stderr=pipe, env=environment
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with contextlib.suppress(BrokenPipeError):
                stream.close()


def _fill(stream: Any, buffer: memoryview) -> None:
    while len(buffer):
        n_bytes = stream.readinto(buffer)
        if not n_bytes:
            raise RuntimeError("the process that reads foreign files ended within an array")
        buffer = buffer[n_bytes:]


def _limit_resources() -> None:
    """Take no more memory than the machine has, write no file, leave no core."""
    import resource

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for what, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):  # a limit that this system does not know
            resource.setrlimit(what, (most, most))


def _limit_cpu_s(path: Path) -> int:
    return CPU_S + CPU_S_PER_MB * (path.stat().st_size // BYTES_PER_MB)


def _limit_cpu(seconds: int) -> None:
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    until = int(used.ru_utime + used.ru_stime) + 1 + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (until, resource.RLIM_INFINITY))
