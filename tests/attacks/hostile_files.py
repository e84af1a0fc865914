"""Files made to mislead a reader: every trick of a format, with numbers drawn at random.

Each maker takes a folder and a random generator, writes one file there, and returns its path and
the key of the array to ask for. ``CANARY`` is a file that no reader may make.
"""

import io
import os
import pickle
import random
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import scipy.io

CANARY = "canary"
EXTREMES = (-(2**63), -1, 0, 1, 2**7, 2**15, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**62, 2**63 - 1)
Made = tuple[Path, str]


class Plant:
    """Unpickling it makes the canary."""

    def __reduce__(self):
        return os.open, (CANARY, os.O_CREAT | os.O_WRONLY)


def draw_values(rng: random.Random) -> np.ndarray:
    """Return responses of a few samples."""
    shape = (rng.randrange(2, 20), rng.randrange(1, 9))
    return np.random.default_rng(rng.randrange(2**32)).normal(size=shape)


# ------------------------------------------------------------------------------------- HDF5


def make_hdf5(folder: Path, rng: random.Random) -> Made:
    """A dataset of a plain or an odd type."""
    path, values = folder / "data.h5", draw_values(rng)
    text = ["a", "größe", ""] * 4
    whole = np.arange(12)
    with h5py.File(path, "w", libver=rng.choice(["earliest", "v110", "latest"])) as file:
        how = rng.randrange(16)
        if how == 0:
            file.create_dataset("x", data=text, dtype=h5py.string_dtype())
        elif how == 1:
            file.create_dataset("x", (3,), h5py.vlen_dtype(np.int32))[1] = [1, 2]
        elif how == 2:
            file["x"] = np.zeros(5, [("a", "f8"), ("b", "S3")])
        elif how == 3:
            file.create_dataset("x", data=whole, dtype=h5py.enum_dtype({"one": 1}, "i4"))
        elif how == 4:
            file["y"] = whole
            file.create_dataset("x", (2,), h5py.ref_dtype)[0] = file["y"].ref
        elif how == 5:
            file["x"] = np.zeros(3, "V7")
        elif how == 6:
            file["x"] = whole.astype(rng.choice([">i2", ">f8", "f2", "g", "c16", "?", "u8"]))
        elif how == 7:
            file.create_dataset("x", data=h5py.Empty(rng.choice(["f4", "S3"])))
        elif how == 8:
            file["x"] = rng.choice([1.5, "text", b"\xff\xfe", True])
        elif how == 9:
            file.create_dataset("x", rng.choice([(0,), (0, 3), (3, 0), (1,) * 32]), "f4")
        elif how == 10:
            file.create_dataset("x", data=np.array([b"\xff\x00\xfe", b"a"]))
        elif how == 11:
            file.create_dataset("x", (3,), h5py.regionref_dtype)
        elif how == 12:
            options = {"compression": "gzip", "shuffle": True, "fletcher32": True}
            file.create_dataset("x", data=values, chunks=(1, 1), **options)
        elif how == 13:
            plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            plist.set_layout(h5py.h5d.COMPACT)
            space = h5py.h5s.create_simple(whole.shape)
            made = h5py.h5d.create(file.id, b"x", h5py.h5t.NATIVE_INT64, space, plist)
            made.write(h5py.h5s.ALL, h5py.h5s.ALL, whole)
        elif how == 14:
            plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            plist.set_chunk((4,))
            plist.set_filter(32_000 + rng.randrange(40), h5py.h5z.FLAG_OPTIONAL, (1, 2, 3))
            space = h5py.h5s.create_simple((12,))
            made = h5py.h5d.create(file.id, b"x", h5py.h5t.NATIVE_INT64, space, plist)
            for start in (0, 4, 8):
                made.write_direct_chunk((start,), whole[start : start + 4].tobytes())
        else:
            file["x"] = np.dtype([("a", "f8")]) if rng.random() < 0.5 else np.dtype("f4")
    return path, "x"


def make_empty_claim(folder: Path, rng: random.Random) -> Made:
    """A shape without the values."""
    path = folder / "data.h5"
    rows = rng.choice([2000, 2**20, 2**31, 2**40, 2**55])
    layout = rng.choice([{}, {"chunks": (1024, 4)}, {"chunks": (1, 1), "compression": "gzip"}])
    with h5py.File(path, "w") as file:
        made = file.create_dataset("x", (rows, 4), "f4", fillvalue=rng.choice([0, 7]), **layout)
        if layout and rng.random() < 0.5:
            made[:2] = 1
    return path, "x"


def make_links(folder: Path, rng: random.Random) -> Made:
    """Links out of the file, into nothing, and in circles; names of every kind."""
    path, secret = folder / "data.h5", folder / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["x"] = np.ones((3, 2))
    layout = h5py.VirtualLayout((3, 2), float)
    layout[:] = h5py.VirtualSource(str(secret), "x", (3, 2))
    with h5py.File(path, "w") as file:
        file["real"] = np.arange(6.0).reshape(3, 2)
        file["external"] = h5py.ExternalLink(
            rng.choice(["secret.h5", "/dev/zero", "nowhere.h5"]), "/x"
        )
        file["soft"] = h5py.SoftLink(rng.choice(["/real", "real", "..", "/external", "/a//real"]))
        file["loop"] = h5py.SoftLink("/loop")
        file["dangling"] = h5py.SoftLink("/nowhere/at/all")
        group = file.create_group("circle")
        group["again"] = group  # a hard link
        group["real"] = file["real"]
        file.create_virtual_dataset("virtual", layout)
        raw = [(rng.choice([str(folder / "raw"), "/etc/hostname"]), 0, 48)]
        file.create_dataset("raw", (3, 2), float, external=raw)
        deep = file
        for _ in range(rng.choice([3, 300])):
            deep = deep.create_group("d")
        file["../../escape"] = np.ones((2, 2))
        file["\x1b[31mred\n" + "n" * rng.choice([1, 60_000])] = np.ones(2)
    keys = (
        "external", "soft", "loop", "dangling", "circle/again/again/real", "virtual", "raw",
        "/".join(["d"] * 301), "d/d/d", "../../escape", "..", "/", "circle", "soft/x", "nothing",
    )  # fmt: skip
    return path, rng.choice(keys)


def make_matlab73(folder: Path, rng: random.Random) -> Made:
    """MATLAB's conventions on top of HDF5, kept and broken."""
    path = folder / "data.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        kind = rng.choice([b"char", b"cell", b"logical", b"double", b"\xff", b"function_handle", 3])
        values = draw_values(rng)
        how = rng.randrange(6)
        if how == 0:
            file["x"] = (values * 10).astype(rng.choice(["u2", "i4", "f8", "u8"]))
        elif how == 1:
            file["x"] = np.array(rng.choice([[0, 0], [2**62, 0], [5, 5], [2**63 - 1, 2**40]]), "u8")
            file["x"].attrs["MATLAB_empty"] = 1
        elif how in (2, 3):
            cells = file.create_dataset("x", (1, 4), h5py.ref_dtype)
            file["y"], file["z/a"] = np.array([[97], [98]], "u2"), values
            for i in range(4):  # to text, a struct, itself, or nothing
                target = rng.choice(["y", "z", "x", "z/a", None])
                if target:
                    cells[0, i] = file[target].ref
            kind = b"cell"
        elif how == 4:
            file.create_dataset("x", (2**40, 2), "u2")
        else:
            file["x/ir"], file["x/jc"], file["x/data"] = [1], [1], [1.0]
            file["x"].attrs["MATLAB_sparse"] = 3
        file["x"].attrs["MATLAB_class"] = kind
    with path.open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    return path, "x"


# ----------------------------------------------------------------------------------- MATLAB 5


def tag(kind: int, payload: bytes) -> bytes:
    return struct.pack("<II", kind, len(payload)) + payload + b"\0" * (-len(payload) % 8)


def matrix(kind: int, dims: tuple[int, ...], body: bytes, name: bytes = b"", flags: int = 0):
    head = tag(6, struct.pack("<II", kind | flags << 8, 0))
    shape = tag(5, struct.pack(f"<{len(dims)}i", *dims))
    return tag(14, head + shape + tag(1, name) + body)


def make_matlab5(folder: Path, rng: random.Random) -> Made:
    """Elements of every class, with dimensions and lengths that need not be true."""
    path = folder / "data.mat"
    n = rng.choice([0, 1, 3, -1, 2**31 - 1])
    doubles = tag(9, struct.pack("<4d", *range(4)))
    how = rng.randrange(9)
    if how == 0:
        body = matrix(6, (2, 2), doubles, b"x")
    elif how == 1:
        body = matrix(rng.randrange(20), (n, 2), doubles, b"x", rng.randrange(256))
    elif how == 2:  # cells in cells
        body = matrix(6, (1, 1), doubles)
        for i in reversed(range(rng.choice([2, 50, 900]))):
            body = matrix(1, (1, 1), body, b"x" if i == 0 else b"")
    elif how == 3:  # sparse, with indices that lead anywhere
        rows = tag(5, struct.pack("<3i", 0, rng.choice([1, -1, 2**31 - 1]), 2))
        ends = tag(5, struct.pack("<4i", 0, 1, rng.choice([2, 2**31 - 1, -5]), 3))
        body = matrix(5, (3, 3), rows + ends + doubles, b"x")
    elif how == 4:  # text: UTF-8 and UTF-16 that are none
        coding = rng.choice([16, 17, 18, 4, 2, 1])
        body = matrix(
            4, (1, rng.choice([4, n])), tag(coding, b"\xff\xd8a\x00\xc3\x28\x00\xdc"), b"x"
        )
    elif how == 5:  # a function handle and an object
        body = matrix(rng.choice([16, 17, 3]), (1, 1), matrix(2, (1, 1), b""), b"x")
    elif how == 6:  # a struct whose names do not fit
        length = tag(5, struct.pack("<i", rng.choice([0, 1, 32, -1, 2**31 - 1])))
        body = matrix(2, (1, 1), length + tag(1, b"a\0b\0") + doubles, b"x")
    elif how == 7:  # numbers in a type that there is not
        body = matrix(6, (2, 2), tag(rng.choice([0, 8, 11, 19, 255, 2**31]), bytes(32)), b"x")
    else:
        body = matrix(6, (2, 2), doubles, b"x") * 2  # one name twice
    if rng.random() < 0.5:
        packed = zlib.compress(body)
        size = rng.choice([len(packed), len(packed), 2**32 - 1, 0])
        body = struct.pack("<II", 15, size) + packed
    version = rng.choice([b"\x00\x01IM", b"\x00\x01IM", b"\x01\x00MI", b"\x00\x03IM"])
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + version + body)
    return path, "x"


def make_matlab4(folder: Path, rng: random.Random) -> Made:
    """The oldest format: five integers, a name, and numbers."""
    path = folder / "data.mat"
    kind = rng.choice([0, 0, 10, 20, 50, 1, 2, 51, 1000, 4000, 9999])
    rows, columns = rng.choice([2, 0, -1, 2**31 - 1]), rng.choice([2, 2**31 - 1])
    head = struct.pack("<5i", kind, rows, columns, rng.choice([0, 1]), rng.choice([2, 0, 2**30]))
    path.write_bytes(head + b"x\0" + struct.pack("<4d", *range(4)))
    return path, "x"


# ------------------------------------------------------------------------------ .npy and .npz


def make_header(rng: random.Random) -> bytes:
    """An .npy file whose header may say anything."""
    descr = rng.choice([
        "'<f8'", "'<f8'", "'>f4'", "'|O'", "'<M8[ns]'", "'<U9'", "'|S3'", "'|V8'", "'<c16'", "'?'",
        "[('a', '<f8'), ('b', '|O')]", "[('a', '<f8', (2,))]", "'<f8'.upper()", "__import__('os')",
        "'<U2147483647'", "'|V99999999999'", "None", "'f'*9", "(" * 300, "{'a': 1}", "'<f3'",
        "{'names': ['a'], 'formats': ['<f8'], 'offsets': [9223372036854775807]}",
    ])  # fmt: skip
    n = rng.choice(EXTREMES)
    shape = rng.choice(["(4,)", "(4, 1)", "(2, 2)", f"({n},)", f"({n}, {n})", "()", "[4]", "4",
                        "(True, 4)", "(4.0,)", "(1,)*40"])  # fmt: skip
    order = rng.choice(["False", "True", "None", "1"])
    text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"
    if rng.random() < 0.2:
        text = rng.choice(["", "{}", "[]", text[:-4], text.replace("'shape'", "'size'"), "\0" * 50])
    text += "\n"
    version = rng.choice([(1, 0), (1, 0), (1, 0), (2, 0), (3, 0), (9, 9)])
    length = rng.choice([len(text)] * 6 + [0, 65_535])
    size = struct.pack("<H" if version == (1, 0) else "<I", length)
    values = struct.pack("<4d", *range(4))
    return b"\x93NUMPY" + bytes(version) + size + text.encode() + values


def make_npy(folder: Path, rng: random.Random) -> Made:
    """A header that does not fit, a pickle, or a text instead of an array."""
    path = folder / "data.npy"
    plant = pickle.dumps(Plant(), protocol=rng.choice([0, 2, 5]))
    objects = io.BytesIO()
    np.save(objects, np.array([Plant(), 1], object), allow_pickle=True)
    given = [make_header(rng)] * 6 + [plant, objects.getvalue(), b"", b"\x93NUMPY", b"1,2\n3,4\n"]
    path.write_bytes(rng.choice(given))
    return path, ""


def make_npz(folder: Path, rng: random.Random) -> Made:
    """Archives: pickles, bombs, members twice, names that climb, secrets, odd packing."""
    path = folder / "data.npz"
    key = rng.choice(["x", "x", "x", "../../x", "/etc/x", "a/b", "x" * 300, "\x1b[2J", ""])
    plain = io.BytesIO()
    np.save(plain, draw_values(rng))
    objects = io.BytesIO()
    np.save(objects, np.array([Plant(), 1], object), allow_pickle=True)
    bomb = io.BytesIO()
    np.save(bomb, np.zeros(rng.choice([10, 2_000_000])))
    content = rng.choice([plain, plain, objects, bomb]).getvalue()
    if rng.random() < 0.4:
        content = make_header(rng)
    packings = ("STORED", "DEFLATED", "BZIP2", "LZMA")
    packing = getattr(zipfile, f"ZIP_{rng.choice(packings)}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one name twice
        with zipfile.ZipFile(path, "w", packing) as archive:
            archive.writestr(f"{key}.npy", content)
            archive.writestr("other.npy", plain.getvalue())
            if rng.random() < 0.2:
                archive.writestr(f"{key}.npy", plain.getvalue())
    if rng.random() < 0.3:  # a bit of the directory: encrypted, other sizes, unknown packing
        data = bytearray(path.read_bytes())
        start = data.rfind(b"PK\x01\x02")
        place = start + rng.choice([8, 10, 16, 20, 24, 28, 42])
        data[place] = rng.choice([1, 8, 99, 255])
        path.write_bytes(data)
    if rng.random() < 0.1:
        path.write_bytes(pickle.dumps(Plant()))
    return path, key


# -------------------------------------------------------------------------------- text tables


def make_table(folder: Path, rng: random.Random) -> Made:
    """Tables: ragged, quoted, in other encodings, of odd numbers, of huge cells and headers."""
    path = folder / rng.choice(["data.csv", "data.tsv"])
    sep = "," if rng.random() < 0.7 else "\t"
    odd = (
        "1e999", "-inf", "nan", "n/a", "", " ", "1_0", "٣", "0x10", "1,5", '"', '"a"b', "\0",
        "x" * 9, "9" * 5000, "x" * 140_000,
    )  # fmt: skip
    rows = [["x", "y", "z"], *([str(rng.random()) for _ in range(3)] for _ in range(5))]
    for _ in range(rng.choice([0, 1, 1, 3])):
        rows[rng.randrange(1, 6)][rng.randrange(3)] = rng.choice(odd)
    if rng.random() < 0.2:
        rows[rng.randrange(6)].append("more")
    if rng.random() < 0.1:
        rows = [[f"v{i}" for i in range(30_000)], ["1"] * 30_000]
    text = rng.choice(["\n", "\n", "\r\n", "\r"]).join(sep.join(row) for row in rows)
    text += rng.choice(["\n", "", "\n\n", '\n"'])
    coding = rng.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1", "utf-8"])
    data = text.encode(coding, errors="replace")
    path.write_bytes(rng.choice([data] * 9 + [b"", b"x,y,z", b"\xff\xfe\x00"]))
    return path, rng.choice(["x", "x,y", "*", "v*", "q", "x,,y", ""])


MAKERS: tuple[Callable[[Path, random.Random], Made], ...] = (
    make_hdf5, make_empty_claim, make_links, make_matlab73, make_matlab5, make_matlab4, make_npy,
    make_npz, make_table,
)  # fmt: skip


def make_seed(folder: Path, rng: random.Random) -> Made:
    """A healthy file of any format, to be damaged."""
    values, labels = draw_values(rng), ["a", "bb", "ccc", "größe"]
    kind = rng.choice(["h5", "h5", "npz", "npy", "mat", "mat", "mat4", "csv"])
    path = folder / f"data.{kind.rstrip('4')}"
    if kind == "h5":
        with h5py.File(path, "w", libver=rng.choice(["earliest", "latest"])) as file:
            file["plain"], file["text"], file["g/deep"] = values, labels, np.arange(4)
            options = {"chunks": (2, 1), "compression": "gzip", "fletcher32": True}
            file.create_dataset("packed", data=values, **options)
        return path, rng.choice(["plain", "text", "g/deep", "packed"])
    if kind == "npz":
        rng.choice([np.savez, np.savez_compressed])(path, x=values, text=np.array(labels))
        return path, rng.choice(["x", "text"])
    if kind == "npy":
        np.save(path, values)
        return path, ""
    if kind == "csv":
        path.write_text("x,y\n" + "\n".join(f"{a},{b}" for a, b in enumerate(labels)) + "\n")
        return path, rng.choice(["x", "y", "*"])
    if kind == "mat4":
        scipy.io.savemat(path, {"x": values, "text": "abc"}, format="4")
        return path, rng.choice(["x", "text"])
    cells = np.array(labels, object)
    variables = {"x": values, "text": labels, "cells": cells, "s": {"a": values, "b": [1, 2]}}
    scipy.io.savemat(path, variables, do_compression=rng.random() < 0.5)
    return path, rng.choice(["x", "text", "cells", "s/a", "s"])
