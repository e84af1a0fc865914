"""What vouches for a stored file: the card beside a result, the head of a piece.

Both hold a digest of every byte of the file. It is compared before HDF5 opens the file, since a
damaged byte of HDF5's own bookkeeping can hang or crash the library.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neurodecode.core.digests import digest_file, digest_file_once, read_signed_json, sign_json
from neurodecode.core.errors import StoreError
from neurodecode.core.files import write_text

HEAD_BYTES = 512  # of a piece: what HDF5 calls a user block, and passes over
AGAIN = "It is not used: run the pipeline again (neurodecode verify --delete clears it away)."


def word_damage(error: Exception) -> str:
    """Return what is damaged, without what to do about it."""
    return str(error).removesuffix(f" {AGAIN}")


def write_card(path: Path, card: Mapping[str, Any]) -> None:
    """Write the card beside a result."""
    write_text(path.with_suffix(".json"), sign_json("card", card))


def read_card_beside(path: Path) -> dict[str, Any] | None:
    """Return the card beside a result, or None where one of the two is not there.

    The result is not opened: its size must be what the card says.

    Raises
    ------
    StoreError
        The card is damaged, or the result is not as long as it says.
    """
    beside = path.with_suffix(".json")
    try:
        size, text = path.stat().st_size, beside.read_bytes()
    except OSError:
        return None
    try:
        card = dict(read_signed_json(text.decode(), "card"))
        stated = card["bytes"]
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{beside}: the card is damaged ({error}). {AGAIN}") from error
    if stated != size:
        raise StoreError(f"{path}: it has {size} bytes, its card says {stated}. {AGAIN}")
    card["path"] = str(path)
    return card


def check_bytes(path: Path, card: Mapping[str, Any]) -> None:
    """Raise StoreError unless a result's bytes are those that were written.

    A file is read once per process; while its size, times and inode stay, it is known.
    """
    try:
        same = digest_file_once(path) == card["file"]
    except (OSError, KeyError) as error:
        raise StoreError(f"{path}: it cannot be read ({error}). {AGAIN}") from error
    if not same:
        raise StoreError(f"{path}: its bytes differ from the digest on its card. {AGAIN}")


def seal_piece(path: Path) -> str:
    """Write the digest of a piece into its head; return it."""
    digest = digest_file(path, HEAD_BYTES)
    with path.open("r+b") as stream:
        stream.write(_make_head(digest))
    return digest


def check_piece(path: Path) -> None:
    """Raise StoreError unless a piece's bytes, head included, are those that were written."""
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
        same = head == _make_head(digest_file_once(path, HEAD_BYTES))
    except OSError as error:
        raise StoreError(f"{path}: it cannot be read ({error}). {AGAIN}") from error
    if not same:
        raise StoreError(f"{path}: its bytes differ from the digest in its head. {AGAIN}")


def _make_head(digest: str) -> bytes:
    return f"neurodecode piece {digest}\n".encode().ljust(HEAD_BYTES, b"\0")
