"""Read MATLAB and HDF5 files in a process of its own (core/bounded.py says why)."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import numpy as np

from neurodecode.core.bounded import end_bounded, explain_death, set_bounds, start_bounded
from neurodecode.core.errors import DataError

START = "from neurodecode.datasets.array_process import serve; serve()"


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
            self._process = start_bounded(START)
            weakref.finalize(self, end_bounded, self._process)
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
        found = explain_death(process.wait(), path)
        if not found:  # a mistake of ours, with its traceback
            return RuntimeError(f"{self.where}: reading '{key}' in {path} failed.\n{printed}")
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
    for line in sys.stdin.buffer:
        request = json.loads(line)
        path = Path(request["path"])
        set_bounds(path)
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


def _fill(stream: Any, buffer: memoryview) -> None:
    while len(buffer):
        n_bytes = stream.readinto(buffer)
        if not n_bytes:
            raise RuntimeError("the process that reads foreign files ended within an array")
        buffer = buffer[n_bytes:]
