"""Digests of content: of arrays, of JSON values, of files.

Every digest is BLAKE2b with 16 bytes, written in hexadecimal.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

DIGEST_BYTES = 16
BLOCK_BYTES = 1 << 24
SETTLED_S = 2.0  # a younger file may change again without its times showing it


def new_digest() -> hashlib.blake2b:
    """Return an empty digest to feed."""
    return hashlib.blake2b(digest_size=DIGEST_BYTES)


def dump_json(value: Any) -> str:
    """Return the one canonical JSON text of a value (sorted keys, no spaces)."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=True
    )


def digest_json(value: Any) -> str:
    """Return the digest of a JSON value, whatever the order of its keys.

    Examples
    --------
    >>> digest_json({"a": 1, "b": 2}) == digest_json({"b": 2, "a": 1})
    True
    """
    return hashlib.blake2b(dump_json(value).encode(), digest_size=DIGEST_BYTES).hexdigest()


def iterate_rows(
    array: Any, block_bytes: int = BLOCK_BYTES, multiple: int = 1
) -> Iterable[np.ndarray]:
    """Yield an array, possibly a lazy one, as contiguous blocks of rows.

    Parameters
    ----------
    block_bytes : int
        About the size of a block; never less than ``multiple`` rows.
    multiple : int
        Blocks hold a multiple of so many rows, but for the last.
    """
    if not array.shape:
        yield np.asarray(array)
        return
    row_bytes = max(1, int(np.prod(array.shape[1:])) * array.dtype.itemsize)
    step = max(1, block_bytes // row_bytes // multiple) * multiple
    for start in range(0, array.shape[0], step):
        yield np.ascontiguousarray(array[start : start + step])


def start_array_digest(dtype: np.dtype, shape: tuple[int, ...]) -> hashlib.blake2b:
    """Return a digest already fed with an array's type and shape; feed it its bytes."""
    digest = new_digest()
    digest.update(f"{dtype.str}{tuple(int(n) for n in shape)}".encode())
    return digest


def digest_array(array: Any) -> str:
    """Return the digest of an array's type, shape and bytes in C order.

    Text is digested as UTF-8 of fixed width, as it is stored.
    """
    if array.dtype.kind == "U":
        array = encode_text(np.asarray(array))
    digest = start_array_digest(array.dtype, array.shape)
    for block in iterate_rows(array):
        digest.update(block.data if block.size else b"")
    return digest.hexdigest()


def encode_text(array: np.ndarray) -> np.ndarray:
    """Return text as fixed-width UTF-8 bytes, at least one byte wide."""
    encoded = np.char.encode(array, "utf-8")
    return encoded.astype("S1") if encoded.dtype.itemsize == 0 else encoded


def sign_json(name: str, value: Any) -> str:
    """Return a JSON text that holds a value under a name, and its digest.

    Examples
    --------
    >>> read_signed_json(sign_json("card", {"a": 1}), "card")
    {'a': 1}
    """
    return dump_json({name: value, "digest": digest_json(value)})


def read_signed_json(text: str, name: str) -> Any:
    """Return the value in a text of ``sign_json``.

    Raises
    ------
    ValueError
        A single character is not as it was written.
    """
    try:
        held = json.loads(text)
        value = held[name]
        if text == sign_json(name, value):  # not only its meaning: every byte counts
            return value
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError("it is not what was written") from error
    raise ValueError("it differs from its digest")


def identify_file(path: Path) -> list[int]:
    """Return what changes when a file does: size, both times (ns) and inode."""
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]


_digests: dict[tuple[Path, int], tuple[list[int], str]] = {}  # of files this process has read


def digest_file_once(path: Path, start: int = 0) -> str:
    """Return the digest of a file's bytes, read once per process while the file stays as it is."""
    identity = identify_file(path)
    known = _digests.get((path, start))
    if known is not None and known[0] == identity:
        return known[1]
    settled = time.time() - identity[2] / 1e9 > SETTLED_S
    digest = digest_file(path, start)
    if settled:
        _digests[path, start] = (identity, digest)
    return digest


def note_digest(path: Path, digest: str, start: int = 0) -> None:
    """Take note of the digest of a file that this process has just written itself."""
    with contextlib.suppress(OSError):  # another process may have cleared it away
        _digests[path, start] = (identify_file(path), digest)


def digest_file(path: Path, start: int = 0) -> str:
    """Return the digest of a file's bytes, from a place on."""
    digest = new_digest()
    with path.open("rb") as stream:
        stream.seek(start)
        while block := stream.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def make_tokens(values: Iterable[Any], prefix: str) -> np.ndarray:
    """Return one 64-bit token per value, equal for equal text.

    Parameters
    ----------
    values : iterable
        Anything that prints as its identity.
    prefix : str
        What kind of thing it is; equal text of another kind gives another token.

    Returns
    -------
    tokens : array of uint64, shape (n_values,)
    """
    texts = np.asarray([str(v) for v in values])
    if not len(texts):
        return np.zeros(0, np.uint64)
    unique, where = np.unique(texts, return_inverse=True)
    hashed = [
        int.from_bytes(hashlib.blake2b(f"{prefix}:{t}".encode(), digest_size=8).digest(), "little")
        for t in unique
    ]
    return np.array(hashed, np.uint64)[where]
