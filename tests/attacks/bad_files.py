"""Files people really have, and files made to mislead, with what must be said of them.

Each case writes a file and a pipeline that reads it; ``tests/attacks/test_foreign_files.py`` runs
them and, with ``pytest -s``, prints every message.
"""

import json
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.io
import scipy.sparse

from tests.attacks.cases import Case
from tests.attacks.hostile_files import Plant, matrix, tag

N_SAMPLES, N_VOXELS = 12, 7
SHOWN = np.array([f"picture{i % 6}" for i in range(N_SAMPLES)])
AGAIN = "copy or save it again"


def make_arrays(**changes: Any) -> dict[str, Any]:
    """Return recordings that can be read, with changes; None leaves an array out."""
    rng = np.random.default_rng(0)
    arrays = {
        "betas": rng.normal(size=(N_SAMPLES, N_VOXELS)),
        "pictures": rng.integers(0, 256, (6, 4, 5)).astype(np.uint8),
        "names": np.array([f"picture{i}" for i in range(6)]),
        "shown": SHOWN,
        "run": np.repeat([1, 2], 6),
    }
    return {k: v for k, v in {**arrays, **changes}.items() if v is not None}


def write_pipeline(folder: Path, path: str, more: str = "", **settings: Any) -> Path:
    """Write a pipeline that reads responses out of a file; return its path."""
    given = {
        "stage": "datasets.arrays", "path": path, "name": "mine", "responses": "betas",
        "orientation": "samples_first", **settings,
    }  # fmt: skip
    text = f"steps:\n  scan: {json.dumps(given)}\n{more}"
    (folder / "pipe.yaml").write_text(text, encoding="utf-8")
    return folder / "pipe.yaml"


def read(name: str, write: Callable[[Path], Any], more: str = "", **settings: Any):
    """Return a function that writes a file and the pipeline that reads it."""

    def make(folder: Path) -> Path:
        write(folder / name)
        return write_pipeline(folder, name, more, **settings)

    return make


def save(**changes: Any) -> Callable[[Path], None]:
    return lambda path: np.savez(path, **make_arrays(**changes))


def cut(write: Callable[[Path], Any], n_bytes: int) -> Callable[[Path], None]:
    def write_and_cut(path: Path) -> None:
        write(path)
        path.write_bytes(path.read_bytes()[:n_bytes])

    return write_and_cut


def text(content: str, encoding: str = "utf-8") -> Callable[[Path], None]:
    return lambda path: path.write_bytes(content.encode(encoding))


def ask(key: str, **settings: Any) -> dict[str, Any]:
    return {"responses": key, **settings}


# ------------------------------------------------------------------------------ .npy and .npz


def save_header(descr: str, shape: tuple[int, ...], version: bytes = b"\1\0"):
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    size = struct.pack("<H" if version == b"\1\0" else "<I", len(header))
    return lambda path: path.write_bytes(b"\x93NUMPY" + version + size + header + bytes(64))


def save_twice(path: Path) -> None:
    np.savez(path, betas=np.ones((2, 2)))
    with zipfile.ZipFile(path) as archive:
        content = archive.read("betas.npy")
    import warnings

    with warnings.catch_warnings(), zipfile.ZipFile(path, "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("betas.npy", content)


def encrypt(path: Path) -> None:
    save()(path)
    data = bytearray(path.read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + place] |= 1
    path.write_bytes(data)


def save_pickle(path: Path) -> None:
    np.savez(path, betas=np.array([Plant()] * 3, object), allow_pickle=True)


PICKLE = ("is a pickle of Python objects", "Allowed: arrays of numbers or text", "such as float32")
NUMPY = [
    Case("an .npz cut off in the copying", read("a.npz", cut(save(), 700)),
         ("a.npz", "no .npz archive: it is truncated", "Save the arrays again with numpy.savez")),
    Case("a pickle inside an .npz", read("a.npz", save_pickle), ("'betas' in", "a.npz", *PICKLE)),
    Case("a pickle called .npy",
         read("a.npy", lambda p: p.write_bytes(pickle.dumps(Plant())), **ask("")),
         ("a.npy", *PICKLE)),
    Case("a pickle called .npz", read("a.npz", lambda p: p.write_bytes(pickle.dumps(Plant()))),
         ("a.npz", "a pickle under that name", "Pickles are never read")),
    Case("an .npy that claims 2^40 rows",
         read("a.npy", save_header("'<f4'", (2**40, 4)), **ask("")),
         ("a.npy", "should hold 17592186044416 bytes", "(1099511627776, 4)", "holds 64", AGAIN)),
    Case("an .npy with a negative shape", read("a.npy", save_header("'<f4'", (-4, -4)), **ask("")),
         ("a.npy", "(-4, -4)", AGAIN)),
    Case("an .npy of records", read("a.npy", save_header("[('a', '<f8')]", (8,)), **ask("")),
         ("a.npy", "holds records of shape (8,)", "Allowed: real numbers", "numeric array")),
    Case("an .npy of a format to come",
         read("a.npy", save_header("'<f4'", (4, 4), b"\7\0"), **ask("")),
         ("a.npy", "of .npy format 7.0", "Allowed: 1.0 and 2.0", "Save a plain array")),
    Case("an .npz with one name twice", read("a.npz", save_twice),
         ("a.npz", "holds 2 arrays called 'betas'", "Allowed: one of a name", "numpy.savez")),
    Case("an encrypted .npz", read("a.npz", encrypt),
         ("'betas' in", "is encrypted", "Allowed: plain archives", "save it again")),
    Case("complex numbers", read("a.npz", save(betas=np.ones((12, 3), complex))),
         ("'betas' in", "complex numbers of shape (12, 3)", "Allowed: real numbers")),
    Case("dates for responses", read("a.npz", save(betas=np.zeros((12, 3), "M8[ns]"))),
         ("'betas' in", "datetime64[ns]", "Allowed: real numbers")),
    Case("labels in Latin-1",
         read("a.npz", save(shown=np.array([b"gr\xf6\xdfe"] * 12)), stimulus_ids="shown"),
         ("'shown' in", "text that is not UTF-8", "Allowed: UTF-8", "Save it so")),
    Case("a name misspelled", read("a.npz", save(), **ask("beta")),
         ("a.npz", "Unknown array 'beta'", "Did you mean 'betas'?", "Did you mean 'betas'?")),
]  # fmt: skip

# ------------------------------------------------------------------------------------ HDF5


def write_hdf5(fill: Callable[[h5py.File, Path], Any]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with h5py.File(path.parent / "other.h5", "w") as other:
            other["betas"] = np.ones((3, 2))
        with h5py.File(path, "w") as file:
            fill(file, path.parent)

    return write


def link_outside(file: h5py.File, folder: Path) -> None:
    file["betas"] = h5py.ExternalLink("other.h5", "betas")


def fill_group(file: h5py.File, folder: Path) -> None:
    file["betas/left"], file["betas/right"] = [1.0], [1.0]


def link_virtually(file: h5py.File, folder: Path) -> None:
    layout = h5py.VirtualLayout((3, 2), float)
    layout[:] = h5py.VirtualSource(str(folder / "other.h5"), "betas", (3, 2))
    file.create_virtual_dataset("betas", layout)


def link_in_a_circle(file: h5py.File, folder: Path) -> None:
    file["betas"] = h5py.SoftLink("/there")
    file["there"] = h5py.SoftLink("/betas")


def keep_outside(file: h5py.File, folder: Path) -> None:
    file.create_dataset("betas", (3, 2), "f8", external=[("/etc/hostname", 0, 48)])


def write_half(file: h5py.File, folder: Path) -> None:
    made = file.create_dataset("betas", (100, 4), "f4", chunks=(10, 4))
    made[:50] = 1


def filter_oddly(file: h5py.File, folder: Path) -> None:
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((4, 3))
    plist.set_filter(32_015, h5py.h5z.FLAG_OPTIONAL, (3,))
    space = h5py.h5s.create_simple((4, 3))
    made = h5py.h5d.create(file.id, b"betas", h5py.h5t.NATIVE_DOUBLE, space, plist)
    made.write_direct_chunk((0, 0), np.ones((4, 3)).tobytes())


def store(values: Any) -> Callable[[Path], None]:
    return write_hdf5(lambda file, folder: file.create_dataset("betas", data=values))


INSIDE = ("Allowed: data within the file", "Copy the data into it")
HDF5 = [
    Case("a link to another HDF5 file",
         read("a.h5", write_hdf5(link_outside)),
         ("'betas' in", "an external link to 'other.h5'", *INSIDE)),
    Case("a virtual dataset", read("a.h5", write_hdf5(link_virtually)),
         ("'/betas' in", "a virtual dataset, whose data lie in other files", *INSIDE)),
    Case("data kept in another file", read("a.h5", write_hdf5(keep_outside)),
         ("'/betas' in", "data lie in another file", *INSIDE)),
    Case("links in a circle", read("a.h5", write_hdf5(link_in_a_circle)),
         ("'betas' in", "a chain of links without end")),
    Case("a link to nothing",
         read("a.h5", write_hdf5(lambda f, d: f.update(betas=h5py.SoftLink("/gone")))),
         ("a.h5", "'betas' in", "a link to 'gone', which is not there", *INSIDE)),
    Case("2^40 rows without data",
         read("a.h5", write_hdf5(lambda f, d: f.create_dataset("betas", (2**40, 4), "f4"))),
         ("'/betas' in", "(1099511627776, 4)", "the file holds 0", "Allowed: whole arrays")),
    Case("an HDF5 dataset that was half written", read("a.h5", write_hdf5(write_half)),
         ("'/betas' in", "10 chunks, of which the file holds 5", "never written", "Write all")),
    Case("a filter that is not installed", read("a.h5", write_hdf5(filter_oddly)),
         ("'/betas' in", "filter", "not installed", "gzip")),
    Case("an HDF5 file cut off in the copying", read("a.h5", cut(store(np.ones((99, 9))), 3000)),
         ("a.h5", "truncated", AGAIN)),
    Case("a text called .h5", read("a.h5", text("betas\n1\n")), ("a.h5", "cannot be read", AGAIN)),
    Case("a table of records in HDF5", read("a.h5", store(np.zeros(3, [("a", "f8")]))),
         ("'/betas' in", "values of type [('a', '<f8')]", "Allowed: real numbers or text")),
    Case("a group instead of an array",
         read("a.h5", write_hdf5(fill_group)),
         ("a.h5", "holds betas/left, betas/right, and none was named", "Name one")),
]  # fmt: skip

# ---------------------------------------------------------------------------------- MATLAB


def save_matlab(**variables: Any) -> Callable[[Path], None]:
    return lambda path: scipy.io.savemat(path, variables)


def write_matlab(body: bytes) -> Callable[[Path], None]:
    head = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    return lambda path: path.write_bytes(head + body)


def nest(depth: int) -> bytes:
    """Return cells in cells in cells, compressed to a few kilobytes."""
    body = matrix(6, (1, 1), tag(9, struct.pack("<d", 1.0)))
    heads, size = [], len(body)
    for i in range(depth):
        name = b"betas" if i == depth - 1 else b""
        head = tag(6, struct.pack("<II", 1, 0)) + tag(5, struct.pack("<ii", 1, 1)) + tag(1, name)
        heads.append(struct.pack("<II", 14, len(head) + size) + head)
        size = len(head) + size + 8
    packed = zlib.compress(b"".join(reversed(heads)) + body)
    return struct.pack("<II", 15, len(packed)) + packed


LETTERS = tag(16, b"ab")
MIXED = np.empty((1, 2), object)
MIXED[0, 0], MIXED[0, 1] = np.ones((2, 2)), "text"
FULL = (
    "Allowed: a full numeric array, a char matrix, or a cell array of strings",
    "Convert it in MATLAB",
)
MATLAB = [
    Case("a .mat cut off in the copying",
         read("a.mat", cut(save_matlab(betas=np.ones((99, 9))), 3000)),
         ("a.mat", "truncated", "Copy or save it again")),
    Case("a sparse matrix", read("a.mat", save_matlab(betas=scipy.sparse.eye_array(9).tocsc())),
         ("'betas' in", "a sparse matrix", *FULL)),
    Case("a struct", read("a.mat", save_matlab(betas={"left": 1, "right": 2})),
         ("'betas' in", "a struct with fields left, right", *FULL)),
    Case("cells of matrices and text", read("a.mat", save_matlab(betas=MIXED)),
         ("'betas' in", "a cell array of mixed or larger content", *FULL)),
    Case("a function handle",
         read("a.mat", write_matlab(matrix(16, (1, 1), matrix(4, (1, 2), LETTERS), b"betas"))),
         ("'betas' in", "holds text", "Allowed: real numbers", "Save it as a numeric array")),
    Case("cells nested 200,000 deep, which crash SciPy", read("a.mat", write_matlab(nest(200_000))),
         ("'betas' in", "crashes the library that reads it", "made to do so", AGAIN)),
    Case("one variable twice",
         read("a.mat", write_matlab(matrix(6, (2, 2), tag(9, bytes(32)), b"betas") * 2)),
         ("a.mat", "2 variables called 'betas'", "Allowed: one of a name")),
]  # fmt: skip

# ------------------------------------------------------------------------------- text tables

TABLES = [
    Case("a table with a line cut off", read("a.csv", text("a,b\n1,2\n3\n"), **ask("a,b")),
         ("a.csv, line 3 has 1 cells, the header 2", "cut off", "Correct that line")),
    Case("a word among the numbers", read("a.csv", text("a,b\n1,2\n3,four\n"), **ask("a,b")),
         ("a.csv, column 'b', line 3 holds 'four'", "Allowed: numbers", "Correct the cell")),
    Case("a table in Latin-1", read("a.csv", text("größe\n1\n", "latin-1"), **ask("größe")),
         ("a.csv is no text table", "Allowed: UTF-8, separated by commas")),
    Case("a table in UTF-16", read("a.tsv", text("a\tb\n1\t2\n", "utf-16"), **ask("a")),
         ("a.tsv is no text table", "Allowed: UTF-8, separated by tabs")),
    Case("two columns of one name", read("a.csv", text("a,a\n1,2\n"), **ask("a")),
         ("a.csv has columns of the same name (a)", "Give every column one name")),
    Case("an empty table", read("a.csv", text(""), **ask("a")),
         ("a.csv has no header", "in the first line")),
    Case("a cell of 140,000 letters", read("a.csv", text(f"a\n{'x' * 140_000}\n"), **ask("a")),
         ("a.csv is no text table", "field limit")),
]  # fmt: skip

# -------------------------------------------------------------------------- paths and content


def name_only(path: str) -> Callable[[Path], Path]:
    return lambda folder: write_pipeline(folder, path)


ZSCORE = """\
  zscored: {stage: preprocessing.zscore, responses: scan, allow_transductive: "as is usual"}
"""
BETAS = make_arrays()["betas"]
COLLECTION = {"stimuli": "pictures", "stimulus_ids": "shown", "item_ids": "names"}
CONTENT = [
    Case("a file that is not there", name_only("nowhere.npz"),
         ("'nowhere.npz' is in none of the folders", "Give its full path", "NEURODECODE_DATA")),
    Case("a path to the system's files", name_only("/etc/passwd"),
         ("/etc/passwd is of a format that is not read", "Allowed: .npy, .npz", "Save it")),
    Case("a path out of every folder", name_only("../" * 30 + "etc/passwd"),
         ("/etc/passwd is of a format that is not read", "Allowed: .npy")),
    Case("a folder called .npz", read("a.npz", lambda path: path.mkdir()),
         ("a.npz", "is a folder", "Allowed: a file, .npy", "Name one in it")),
    Case("a name of 5,000 letters", name_only("x" * 5000 + ".npz"),
         ("xxx…' is in none of the folders", "NEURODECODE_DATA")),
    Case("a name with a NUL", name_only("a\0b.npz"),
         ("pipe.yaml:2", "holds the hidden character U+0000")),
    Case("no sample at all", read("a.npz", save(betas=BETAS[:0])),
         ("of shape (0, 7) hold no values", "Check which array")),
    Case("voxels that are NaN", read("a.npz", save(betas=np.where(BETAS > 2, np.nan, BETAS))),
         ("1 of 7 voxels", "are NaN or infinite, in", "keep_nan")),
    Case("a voxel that never changes, standardised",
         read("a.npz", save(betas=BETAS * (np.arange(7) != 3)), ZSCORE),
         ("1 of 7 voxels are constant (first: [3])", "select_voxels")),
    Case("one id too few", read("a.npz", save(shown=SHOWN[1:]), stimulus_ids="shown", runs="run"),
         ("lengths differ: stimulus_ids 11, runs 12", "Allowed: as many rows in each")),
    Case("an id without a picture",
         read("a.npz", save(shown=np.array(["cat", *SHOWN[1:]])), **COLLECTION),
         ("1 name a stimulus that is not there", "0 'cat'", "Correct the samples' ids")),
    Case("row numbers counted from 1", read("a.npz", save(shown=np.arange(12) % 6 + 1),
         stimuli="pictures", stimulus_ids="shown", count_from=0),
         ("run from 1 to 6, but the stimuli are numbered 0 to 5", "Set count_from: 1")),
    Case("one id for two pictures",
         read("a.npz", save(names=SHOWN[[0, 0, 1, 2, 3, 4]]), **COLLECTION),
         ("1 stimulus ids are given to several stimuli (picture0)",)),
    Case("text for responses", read("a.npz", save(betas=SHOWN)),
         ("'betas' in", "holds text of shape (12,)", "Allowed: real numbers")),
    Case("pictures from 0 to 1 taken for bytes",
         read("a.npz", save(pictures=np.full((6, 4, 5), 0.5)), **COLLECTION),
         ("range from 0.5 to 0.5", "Allowed: whole numbers from 0 to 255, or set value_range")),
    Case("a mask of another recording",
         read("a.npz", save(mask=np.ones((2, 2, 2))), mask="mask", mask_order="C"),
         ("7) read as 'samples_first' do not fit", "8 voxels")),
    Case("a square matrix without an orientation",
         read("a.npz", save(betas=BETAS[:7]), orientation=None),
         ("responses of shape (7, 7) may have one row per sample or one row per voxel",
          "Add to this step orientation: samples_first")),
    Case("runs that are fractions", read("a.npz", save(run=np.linspace(0, 1, 12)), runs="run"),
         ("labels 'run' in", "fractions or NaN", "Allowed: text or whole numbers")),
]  # fmt: skip

CASES = [*NUMPY, *HDF5, *MATLAB, *TABLES, *CONTENT]
