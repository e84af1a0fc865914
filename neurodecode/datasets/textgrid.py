"""Praat TextGrids: words, phonemes or marks with their times. No stage.

Format: P. Boersma and D. Weenink, Praat, manual page "TextGrid file formats". The long and the
short text format hold the same values in the same order: numbers and quoted texts that stand by
themselves, and flags in angle brackets; all else (``xmin =``, ``intervals [3]:``) is for the
reader's eye, and a ``!`` begins a comment. So one parser reads both. Binary TextGrids are refused.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np

from neurodecode.core.errors import DataError

# In order: a quoted text ("" inside is one quote, and lines may break), a quote that is not closed,
# a comment, a flag, a word.
_TOKEN = re.compile(r'"([^"]*(?:""[^"]*)*)"|(")|!([^\n]*)|(<\w+>)|([^\s"]+)')
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\Z")


@dataclass(frozen=True)
class Tier:
    """One tier of a TextGrid.

    Parameters
    ----------
    name : str
    kind : {"interval", "point"}
    start_s, end_s : array, shape (n_entries,)
        In time's order; of points, equal.
    texts : tuple of str, n_entries
        As written, without spaces at the ends.
    """

    name: str
    kind: str
    start_s: np.ndarray
    end_s: np.ndarray
    texts: tuple[str, ...]


def read_textgrid(path: Path) -> tuple[Tier, ...]:
    """Return the tiers of a TextGrid file, in their order.

    Raises
    ------
    DataError
        It is no TextGrid in a text format, or breaks off, or its times run backwards; the message
        names the line.
    """
    return parse_textgrid(_decode(path.read_bytes(), path.name), path.name)


def parse_textgrid(text: str, name: str = "TextGrid") -> tuple[Tier, ...]:
    """Return the tiers of a TextGrid's text.

    Parameters
    ----------
    text : str
    name : str
        Of the file, for messages.

    Examples
    --------
    >>> short = '"ooTextFile" "TextGrid" 0 2 <exists> 1 "IntervalTier" "word" 0 2 1 0 2 "hello"'
    >>> tier, = parse_textgrid(short)
    >>> tier.name, tier.texts, tier.end_s.tolist()
    ('word', ('hello',), [2.0])
    """
    values = _Values(text, name)
    if values.read_text("'ooTextFile'") not in ("ooTextFile", "ooTextFile short"):
        values.refuse("this is no text file of Praat", "a file that begins with 'ooTextFile'")
    if values.read_text("'TextGrid'") != "TextGrid":
        values.refuse("this is another object of Praat", "'TextGrid'")
    values.read_times("the grid")
    n_tiers = _count(values, "tiers") if values.read_flag() == "<exists>" else 0
    tiers = tuple(_read_tier(values) for _ in range(n_tiers))
    values.check_end()
    return tiers


def _read_tier(values: _Values) -> Tier:
    kind = values.read_text("'IntervalTier' or 'TextTier'")
    if kind not in ("IntervalTier", "TextTier"):
        values.refuse(f"a tier of class '{kind}'", "'IntervalTier' or 'TextTier'")
    name = values.read_text("the tier's name")
    values.read_times(f"tier '{name}'")
    starts, ends, texts = [], [], []
    last = -np.inf
    for _ in range(_count(values, f"entries of tier '{name}'")):
        if kind == "IntervalTier":
            start, end = values.read_times(f"an interval of tier '{name}'")
        else:
            start = end = values.read_number("the time of a point")
        if start < last - 1e-6:
            values.refuse(
                f"tier '{name}': {start:g} s lies before the end of the entry before, {last:g} s",
                "entries in time's order that do not overlap",
            )
        last = end
        starts.append(start)
        ends.append(end)
        texts.append(values.read_text("a label").strip())
    return Tier(
        name,
        "interval" if kind == "IntervalTier" else "point",
        np.array(starts, np.float64),
        np.array(ends, np.float64),
        tuple(texts),
    )


def _count(values: _Values, what: str) -> int:
    number = values.read_number(f"the number of {what}")
    if number < 0 or number != int(number):
        values.refuse(f"{number:g} as the number of {what}", "a whole number")
    return int(number)


class _Values:
    """The values of a text, one after the other, with the line each stands in."""

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        self.line = 1
        self.found = self._find(text)

    def _find(self, text: str) -> Iterator[tuple[int, str, str]]:
        line, at = 1, 0
        for token in _TOKEN.finditer(text):
            line += text.count("\n", at, token.start())
            at = token.start()
            quoted, quote, comment, flag, word = token.groups()
            if quoted is not None:
                yield line, "text", quoted.replace('""', '"')
            elif quote is not None:
                yield line, "text without a closing quote", text[token.end() :]
            elif flag is not None:
                yield line, "flag", flag
            elif comment is None and _NUMBER.match(word):
                yield line, "number", word
        self.line = line + text.count("\n", at)

    def _read(self, kind: str, wanted: str) -> str:
        got = next(self.found, None)
        if got is None:
            self.refuse("the file ends here", wanted)
        self.line = got[0]
        if got[1] != kind:
            self.refuse(f"the {got[1]} '{got[2][:40]}'", wanted)
        return got[2]

    def read_text(self, wanted: str) -> str:
        return self._read("text", f"{wanted}, in quotes")

    def read_flag(self) -> str:
        return self._read("flag", "<exists> or <absent>")

    def read_number(self, wanted: str) -> float:
        return float(self._read("number", f"{wanted}, a number"))

    def read_times(self, what: str) -> tuple[float, float]:
        start = self.read_number(f"the start of {what}")
        end = self.read_number(f"the end of {what}")
        if end < start:
            self.refuse(
                f"{what} ends at {end:g} s, before it starts at {start:g} s", "an end later"
            )
        return start, end

    def check_end(self) -> None:
        got = next(self.found, None)
        if got is not None:
            self.line = got[0]
            self.refuse(f"the {got[1]} '{got[2][:40]}' after the last entry", "nothing more")

    def refuse(self, got: str, allowed: str) -> NoReturn:
        raise DataError(
            f"{self.name}, line {self.line}: {got}. Allowed: {allowed}. Save the TextGrid again as "
            "a text file in Praat."
        )


def _decode(raw: bytes, name: str) -> str:
    """Return the text; Praat writes UTF-8, UTF-16 with a mark, or, of old, Latin-1."""
    if raw.startswith(b"ooBinaryFile"):
        raise DataError(
            f"{name} is a binary TextGrid. Save it as a text file in Praat (Save as text file)."
        )
    wide = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    for encoding in ("utf-16",) if wide else ("utf-8-sig", "latin-1"):
        try:
            return raw.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
        except UnicodeDecodeError:
            continue
    raise DataError(f"{name} is neither UTF-8 nor UTF-16 text. Save it as UTF-8 in Praat.")
