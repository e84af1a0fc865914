"""Read one named array out of a foreign file: .npy, .npz, .mat, .h5, .hdf5, .csv, .tsv.

A reference is "key" (in the dataset's own file), "file::key", or "file::" for a file that holds a
single array. MATLAB 5 and 7.3 files give the same arrays. Nothing is unpickled.
"""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from neurodecode.core.checks import check_known, list_names
from neurodecode.core.errors import DataError
from neurodecode.core.raw import list_data_roots

FORMATS = (".npy", ".npz", ".mat", ".h5", ".hdf5", ".csv", ".tsv")
References = str | tuple[str, ...]
MISSING = ("n/a", "nan", "NaN", "NA")


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
            texts = np.array(list(columns.values())).T
            return texts[:, 0] if len(columns) == 1 and not _is_pattern(key) else texts
        if path.suffix.lower() == ".npy":
            array = _read_npy(path, key, self.where)
        elif path.suffix.lower() == ".npz":
            array = _read_npz(path, key, self.where)
        elif path.suffix.lower() == ".mat":
            from neurodecode.datasets.array_matlab import read_matlab

            array = read_matlab(path, key, self.where)
        else:
            from neurodecode.datasets.array_hdf5 import read_hdf5

            array = read_hdf5(path, key, self.where)
        return np.char.decode(array, "utf-8") if array.dtype.kind == "S" else array

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
    found = next((folder / name for folder in folders if (folder / name).is_file()), None)
    if found is None:
        places = ", ".join(str(folder) for folder in folders)
        raise DataError(
            f"{where}: file '{name}' is in none of the folders looked into ({places}). Give its "
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


def _read_npy(path: Path, key: str, where: str) -> np.ndarray:
    if key:
        raise DataError(
            f"{where}: '{key}' is wanted from {path}, but an .npy file holds one array without a "
            f"name. Write '{path.name}::'."
        )
    return _load_numpy(path, "", where)


def _read_npz(path: Path, key: str, where: str) -> np.ndarray:
    if not zipfile.is_zipfile(path):
        raise DataError(
            f"{where}: {path} is no .npz archive: it is truncated, or a pickle under that name. "
            "Pickles are never read. Save the arrays again with numpy.savez."
        )
    with zipfile.ZipFile(path) as archive:
        keys = [name.removesuffix(".npy") for name in archive.namelist()]
    check_key(key, keys, path, where)
    return _load_numpy(path, key, where)


def _load_numpy(path: Path, key: str, where: str) -> np.ndarray:
    try:
        with path.open("rb") as stream:  # numpy leaves a file open that it fails to read
            loaded = np.load(stream, allow_pickle=False)
            array = loaded[key] if key else loaded
        if not isinstance(array, np.ndarray):
            raise ValueError("no array")
        return array
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        if "pickle" in str(error).lower() or "object" in str(error).lower():
            raise DataError(
                f"{where}: '{key or path.name}' in {path} is a pickle of Python objects. Allowed: "
                "arrays of numbers or text; pickles are never read, since they can run any code. "
                "Save it with a dtype such as float32 or str."
            ) from error
        raise DataError(
            f"{where}: '{key or path.name}' in {path} cannot be read ({error}). The file is "
            "truncated or damaged. Copy or save it again."
        ) from error


def _read_table(path: Path, where: str) -> dict[str, list[str]]:
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            lines = list(csv.reader(stream, delimiter=delimiter))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{where}: {path} is no text table ({error}). Save it as UTF-8.") from error
    header = [name.strip() for name in lines[0]] if lines else []
    twice = sorted({name for name in header if header.count(name) > 1})
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


def _label(values: np.ndarray, what: str) -> np.ndarray:
    if values.dtype.kind == "U":
        return np.array(values.tolist(), dtype=str)  # no wider than its longest, in every format
    if values.dtype.kind == "f" and not (np.isfinite(values) & (values == np.rint(values))).all():
        raise DataError(f"{what} hold fractions or NaN. Allowed: text or whole numbers.")
    if values.dtype.kind not in "fiu":
        raise DataError(f"{what} hold {_describe(values)}. Allowed: text or whole numbers.")
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
