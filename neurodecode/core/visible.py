"""Text of unknown origin, made fit for a message: nothing hidden in it, and short.

A name out of a file may hold line breaks, terminal escapes, or characters that turn the direction
of writing; shown as they are, they could move the cursor or forge a line of the program's own.
"""

from __future__ import annotations

from typing import Any

MOST_IN_QUOTES = 80
MOST_IN_MESSAGE = 1000


def escape(text: str) -> str:
    r"""Return a text with every character that does not print written as its escape.

    Examples
    --------
    >>> escape("a\x1b[2Jb\n") == r"a\x1b[2Jb\n"
    True
    >>> escape("größer → x")
    'größer → x'
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )


def shorten(text: str, most: int = MOST_IN_MESSAGE) -> str:
    """Return a text with its middle left out if it is longer than ``most``; its end is kept.

    Examples
    --------
    >>> shorten("a" * 50 + "b" * 50, 10)
    'aaaaaa[90 characters]bbbb'
    """
    if len(text) <= most:
        return text
    end = most * 2 // 5
    return f"{text[: most - end]}[{len(text) - most} characters]{text[-end:]}"


def show(value: Any) -> str:
    """Return a value as a message shows it: escaped, and no longer than a line."""
    escaped = escape(shorten(str(value), MOST_IN_QUOTES))
    return escaped if len(escaped) <= 3 * MOST_IN_QUOTES else f"{escaped[: 3 * MOST_IN_QUOTES]}…"
