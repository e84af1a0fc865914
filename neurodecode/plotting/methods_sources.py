"""What a stage's own head names as its sources, read from its file without importing it."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
_NAME = r"(?:(?:van|von|der|de|di|da|la|le|ten|ter)\s)*[A-Z][\w'’-]+"
_CITATION = re.compile(
    rf"\b({_NAME}(?:,\s{_NAME})*(?:,?\s(?:and|&)\s{_NAME}|\set\sal\.)?)"
    r",?\s\(?((?:1[89]|20)\d\d[a-z]?)\b"
)
# Words that open a sentence or name a thing, and would be taken for an author.
_NO_AUTHOR = {
    "In", "As", "By", "The", "After", "From", "Source", "See", "For", "Since", "January",
    "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
}  # fmt: skip


@cache
def find_citations(address: str) -> tuple[str, ...]:
    """Return the citations in the head of a stage's file, such as "Huth et al. 2012".

    Parameters
    ----------
    address : str
        "folder.name"; of a stage outside the package nothing is known.
    """
    return tuple(dict.fromkeys(f"{names} {year}" for names, year in _read(_load_head(address))))


@cache
def find_reference(address: str) -> str:
    """Return the paragraph of a stage's head that begins with "Source:", in full, or ""."""
    for paragraph in _load_head(address).split("\n\n"):
        if paragraph.startswith("Source:"):
            return " ".join(paragraph.removeprefix("Source:").split())
    return ""


def _load_head(address: str) -> str:
    folder, _, name = address.partition(".")
    path = PACKAGE / folder / f"{name}.py"
    if ":" in address or "." in name or not path.is_file():
        return ""
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def _read(text: str) -> list[tuple[str, str]]:
    found = []
    for names, year in _CITATION.findall(" ".join(text.split())):
        authors = [part for part in names.split(", ") if part not in _NO_AUTHOR]
        if authors and authors[0].split()[0] not in _NO_AUTHOR:
            found.append((", ".join(authors), year))
    return found
