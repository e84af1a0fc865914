"""Read one named array out of a foreign file: .npy, .npz, .mat, .h5, .hdf5, .csv, .tsv.

A reference is "key" (in the dataset's own file), "file::key", or "file::" for a file that holds a
single array. MATLAB 5 and 7.3 files give the same arrays. Nothing is unpickled, and what a library
raises over damaged bytes becomes a message.
"""

from __future__ import annotations

import csv
import lzma
import os
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from neurodecode.core.checks import check_known, list_names
from neurodecode.core.errors import DataError
from neurodecode.core.raw import list_data_roots
from neurodecode.datasets.array_process import ArrayProcess

FORMATS = (".npy", ".npz", ".mat", ".h5", ".hdf5", ".csv", ".tsv")
TAB = "\t"
References = str | tuple[str, ...]
MOST_SHOWN = 200  # letters of a name in a message
MISSING = ("n/a", "nan", "NaN", "NA")
# What numpy, zipfile and h5py raise over damaged bytes.
DAMAGE = (
    OSError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError,
    MemoryError, OverflowError, SyntaxError, struct.error, zlib.error, zipfile.BadZipFile,
    lzma.LZMAError, tokenize.TokenError,
)  # fmt: skip
MOST_BYTES = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")  # of one array: the memory


class ArrayFiles:
    """Reads references; a table that was parsed once is kept.

    Parameters
    ----------
    path : str
        The dataset's own file, absolute or relative to the working folder or a data root.
    where : str
        Who reads, for messages.
    """

    def __init__(self, path: str, where: str) -> None:
        self.where = where
        self.main = find_file(path, None, where)
        self._tables: dict[Path, dict[str, list[str]]] = {}
        self._apart = ArrayProcess(where)

    def locate(self, reference: str) -> tuple[Path, str]:
        """Return the file and the key that a reference names."""
        name, mark, key = reference.rpartition("::")
        return (find_file(name, self.main.parent, self.where) if mark else self.main), key

    def is_table(self, reference: str) -> bool:
        """Tell whether a reference names columns of a text table."""
        return self.locate(reference)[0].suffix.lower() in (".csv", ".tsv")

    def stack(self, read: Callable[[str], np.ndarray], references: References) -> np.ndarray:
        """Return what ``read`` gives for each reference, stacked along the first axis."""
        return np.concatenate([read(reference) for reference in list_references(references)])

    def read(self, reference: str) -> np.ndarray:
        """Return the array as it is stored; columns of text tables as text."""
        path, key = self.locate(reference)
        if self.is_table(reference):
            columns = self._read_columns(path, key)
            widest = max((len(c) for cells in columns.values() for c in cells), default=0)
            n_cells = sum(map(len, columns.values()))
            check_room(4 * widest * n_cells, f"{self.where}: '{key}' in {path}")
            texts = np.array(list(columns.values()), dtype=str).T
            return texts[:, 0] if len(columns) == 1 and not _is_pattern(key) else texts
        if path.suffix.lower() == ".npy":
            from neurodecode.datasets.array_numpy import read_npy

            array = read_npy(path, key, self.where)
        elif path.suffix.lower() == ".npz":
            from neurodecode.datasets.array_numpy import read_npz

            array = read_npz(path, key, self.where)
        else:
            array = self._apart.read(path, key)
        return _decode(array, f"{self.where}: '{key or path.name}' in {path}")

    def read_numbers(self, reference: str) -> np.ndarray:
        """Return an array of numbers; of text tables as float64, "n/a" being NaN."""
        path, key = self.locate(reference)
        if self.is_table(reference):
            columns = self._read_columns(path, key)
            numbers = np.stack([self._parse(path, n, cells) for n, cells in columns.items()], 1)
            return numbers[:, 0] if len(columns) == 1 and not _is_pattern(key) else numbers
        array = self.read(reference)
        if array.dtype.kind not in "fiub":
            raise DataError(
                f"{self.where}: '{key or path.name}' in {path} holds {_describe(array)}. Allowed: "
                "real numbers. Save it as a numeric array, or name another."
            )
        return array

    def read_labels(self, reference: str) -> np.ndarray:
        """Return labels as text, shape (n,); whole numbers are written without a point."""
        path, key = self.locate(reference)
        array = self.read(reference)
        if array.ndim != 1 and array.size != max(array.shape, default=0):
            raise DataError(
                f"{self.where}: labels '{key}' in {path} have shape {array.shape}. Allowed: one "
                "label per row, (n,), (n, 1) or (1, n). Name another array."
            )
        return _label(array.reshape(-1), f"{self.where}: labels '{key}' in {path}")

    def read_column(self, reference: str) -> np.ndarray:
        """Return a further column: numbers as float64 where all are numbers, else text."""
        if not self.is_table(reference):
            array = self.read(reference)
            if array.dtype.kind not in "US" and array.size == max(array.shape, default=0):
                return self.read_numbers(reference).reshape(-1).astype(np.float64)
            return self.read_labels(reference)
        labels = self.read_labels(reference)
        try:
            return np.array([float(text) for text in labels])
        except ValueError:
            return labels

    def _read_columns(self, path: Path, key: str) -> dict[str, list[str]]:
        if path not in self._tables:
            self._tables[path] = _read_table(path, self.where)
        table = self._tables[path]
        if _is_pattern(key):
            names = [name for name in table if fnmatchcase(name, key)]
            if not names:
                raise DataError(
                    f"{self.where}: no column of {path} is called '{key}'. Columns: "
                    f"{list_names(table)}. Name one, or several as 'a,b' or 'prefix_*'."
                )
        else:
            names = [key] if key in table else key.split(",")
            for name in names:
                check_known(name, table, what="column", where=f"{self.where}: {path}")
        return {name: table[name] for name in names}

    def _parse(self, path: Path, name: str, cells: list[str]) -> np.ndarray:
        try:
            return np.array([np.nan if c in MISSING else float(c) for c in cells], np.float64)
        except ValueError:
            row = next(i for i, c in enumerate(cells) if c not in MISSING and not _is_number(c))
            raise DataError(
                f"{self.where}: {path}, column '{name}', line {row + 2} holds '{cells[row]}'. "
                f"Allowed: numbers ({', '.join(MISSING[:2])} for missing ones). Correct the cell, "
                "or name another column."
            ) from None


def list_references(references: References | None) -> tuple[str, ...]:
    """Return one reference, several or none as a tuple."""
    if references is None:
        return ()
    return (references,) if isinstance(references, str) else references


def find_file(name: str, beside: Path | None, where: str) -> Path:
    """Return a file's path, looked for beside the main file, in the working folder and data roots.

    Raises
    ------
    DataError
        It is nowhere, or of a format that is not read.
    """
    folders = [*([] if beside is None else [beside]), Path.cwd(), *list_data_roots()]
    # os.path: a name too long or without permission is none, too
    found = next((folder / name for folder in folders if os.path.isfile(folder / name)), None)
    if found is None:
        if any(os.path.isdir(folder / name) for folder in folders):
            raise DataError(
                f"{where}: '{name}' is a folder. Allowed: a file, {', '.join(FORMATS)}. Name one "
                "in it."
            )
        places = ", ".join(str(folder) for folder in folders)
        shown = name if len(name) < MOST_SHOWN else f"{name[:MOST_SHOWN]}…"
        raise DataError(
            f"{where}: file '{shown}' is in none of the folders looked into ({places}). Give its "
            "full path, or name its parent folder in NEURODECODE_DATA."
        )
    if found.suffix.lower() not in FORMATS:
        raise DataError(
            f"{where}: {found} is of a format that is not read. Allowed: {', '.join(FORMATS)}. "
            "Save it as one of these."
        )
    return found.resolve()


def check_key(key: str, keys: Sequence[str], path: Path, where: str) -> None:
    """Raise DataError unless the key is one of the file's."""
    if not key:
        raise DataError(
            f"{where}: {path} holds {list_names(keys)}, and none was named. Name one "
            "('key', or 'file::key')."
        )
    check_known(key, keys, what="array", where=f"{where}: {path}")


@contextmanager
def reading_library(path: Path, key: str, where: str) -> Iterator[None]:
    """Turn what a library raises over damaged bytes into DataError; its warnings are no news.

    Only calls of the library belong inside: what we raise ourselves is no damage.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except DAMAGE as error:
        text = f"{type(error).__name__}: {error}"
        raise DataError(
            f"{where}: '{key or path.name}' in {path} cannot be read ({text}). The file is "
            "truncated or damaged: copy or save it again."
        ) from error


def check_room(n_bytes: int, what: str) -> None:
    """Raise DataError if an array is larger than the memory of this machine."""
    if n_bytes > MOST_BYTES:
        raise DataError(
            f"{what} takes {n_bytes / 1e9:.0f} GB in memory. Allowed: the {MOST_BYTES / 1e9:.0f} "
            "GB of this machine. Save a part of it, or as a smaller type."
        )


def _read_table(path: Path, where: str) -> dict[str, list[str]]:
    delimiter = TAB if path.suffix.lower() == ".tsv" else ","
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            lines = list(csv.reader(stream, delimiter=delimiter))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{where}: {path} is no text table ({error}). Allowed: UTF-8, separated by "
            f"{'tabs' if delimiter == TAB else 'commas'}. Save it so."
        ) from error
    header = [name.strip() for name in lines[0]] if lines else []
    twice = [name for name, n in Counter(header).items() if n > 1]
    if not header or twice:
        found = f"columns of the same name ({list_names(twice)})" if twice else "no header"
        raise DataError(
            f"{where}: {path} has {found}. Give every column one name, in the first line."
        )
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(header):
            raise DataError(
                f"{where}: {path}, line {number} has {len(line)} cells, the header {len(header)}. "
                "The file is cut off or has a stray separator. Correct that line."
            )
    cells = zip(*lines[1:], strict=True) if len(lines) > 1 else ((),) * len(header)
    return {name: [c.strip() for c in column] for name, column in zip(header, cells, strict=True)}


def _decode(array: np.ndarray, what: str) -> np.ndarray:
    """Return bytes as text."""
    if array.dtype.kind != "S":
        return array
    try:
        return np.char.decode(array, "utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{what} holds text that is not UTF-8 ({error}). Allowed: UTF-8. Save it so, or as str."
        ) from error


def _label(values: np.ndarray, what: str) -> np.ndarray:
    if values.dtype.kind == "U":
        return np.array(values.tolist(), dtype=str)  # no wider than its longest, in every format
    if values.dtype.kind == "f" and not (np.isfinite(values) & (values == np.rint(values))).all():
        raise DataError(
            f"{what} hold fractions or NaN. Allowed: text or whole numbers. Name another array."
        )
    if values.dtype.kind not in "fiu":
        raise DataError(
            f"{what} hold {_describe(values)}. Allowed: text or whole numbers. Name another array."
        )
    return np.array([str(int(value)) for value in values], dtype=str)


def _describe(array: np.ndarray) -> str:
    kinds = {"U": "text", "O": "Python objects", "c": "complex numbers", "V": "records"}
    return f"{kinds.get(array.dtype.kind, array.dtype.name)} of shape {array.shape}"


def _is_pattern(key: str) -> bool:
    return "*" in key


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
