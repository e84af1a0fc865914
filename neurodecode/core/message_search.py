"""Find the entry of a message that was met, and lay all entries out as one page.

A message is matched by the words that stand between its holes, one after the other, from left to
right: the time is that of a few plain searches per word, whatever is pasted.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from neurodecode.core.messages import PACKAGE, Hole, Message

FEWEST_LETTERS = 9  # words of a message that are needed to tell it
MOST_BETWEEN = 2000  # letters that all holes together may be filled with
MOST_TRIES = 20  # places of a text that are looked at for one message; the nearest words count

TITLES = {
    "PipelineError": (
        "Mistakes in a pipeline file",
        "Told before anything runs, all at once, with file and line. Exit code 2.",
    ),
    "LeakageError": (
        "Leakage",
        "A score would be taken on rows that were seen before. The step fails; exit code 1.",
    ),
    "DataError": (
        "Data that do not fit",
        "Told by the step that met them, which fails (exit code 1), or by `plan` (exit code 2).",
    ),
    "UserError": ("Requests that cannot be met", "Told by a command or by `plan`. Exit code 2."),
    "StepFailed": (
        "Steps that failed",
        "The other branches go on; the run ends with exit code 1 and names each traceback.",
    ),
    "StoreError": (
        "Stored results that cannot be read",
        "A run removes such a result and computes it again, once. Exit code 1.",
    ),
    "WriteError": (
        "Files that cannot be written",
        "Mend for all: make room (`neurodecode gc FILE --yes` removes results that no pipeline "
        "needs), or name another folder with `--cache` or `--out`. Exit code 1.",
    ),
    "Damage": (
        "Damaged results",
        "Told by `neurodecode verify`. Mend for all: `neurodecode verify --delete` removes them, "
        "and the next run computes them again.",
    ),
    "TypeError": (
        "Mistakes in a stage of your own",
        "Told when the stage is loaded, or by the step that it fails.",
    ),
}
HEAD = """# Every error message, its cause and its mend

Made from the code by `neurodecode errors > .github/ERRORS.md`; a test compares the two. A message
is its cause followed by its mend. What is filled in stands in braces, what may be absent in
brackets.

To look up a message, paste it: `neurodecode errors "MESSAGE"`, or, since messages hold quotes,
`neurodecode errors -` and then the text. `neurodecode errors WORD …` shows those with these words.

`neurodecode` exits with 0 when all is done, 1 when a step failed or a stored result cannot be
read, 2 when the request or the file has a mistake, 130 after Ctrl-C. Wrong options
of a command are answered by its usage line (exit code 2). Anything else is a mistake of neurodecode
itself: one line (exit code 1) with the path of the traceback to report; `NEURODECODE_DEBUG=1`
prints it.
"""


def find_messages(text: str, messages: Sequence[Message]) -> list[Message]:
    """Return the messages met in a text, in its order; where they overlap, the fullest match.

    Parameters
    ----------
    text : str
        What was printed: one message or several, broken into lines or not.
    messages : sequence of Message
    """
    flat = _flatten(text)
    spans = []
    for message in messages:
        span = _match(message, flat)
        if span is not None:
            spans.append((span[2], span[0] - span[1], span[0], span[1], message))
    taken: list[tuple[int, int, Message]] = []
    for _, _, start, stop, message in sorted(spans, key=lambda s: s[:2], reverse=True):
        if all(stop <= first or start >= last for first, last, _ in taken):
            taken.append((start, stop, message))
    return [message for _, _, message in sorted(taken, key=lambda t: t[:2])]


def find_by_words(words: Iterable[str], messages: Sequence[Message]) -> list[Message]:
    """Return the messages that hold all of some words, in their text or their place."""
    wanted = [word.casefold() for word in words]
    return [
        message
        for message in messages
        if all(w in f"{message.text} {' '.join(message.raised_in)}".casefold() for w in wanted)
    ]


def _flatten(text: str) -> str:
    return " ".join(text.split())


def _match(message: Message, flat: str) -> tuple[int, int, int] | None:
    """Return where a message lies in a text, and how many of its own letters; None if nowhere."""
    words = [_flatten(p) for p in message.pieces if not isinstance(p, Hole)]
    words = [w for w in words if len(w.strip(" .:;,'()")) > 0]
    letters = sum(len(w) for w in words)
    if letters < FEWEST_LETTERS:
        return None
    nearest: tuple[int, int, int] | None = None
    start = -1
    for _ in range(MOST_TRIES):
        stop = start + 1
        for word in words:
            at = flat.find(word, stop)
            if at < 0:
                return nearest
            stop = at + len(word)
        start = stop
        for word in reversed(words):  # the shortest stretch that ends there
            start = flat.rfind(word, 0, start)
        short = stop - start - letters <= MOST_BETWEEN
        if short and (nearest is None or stop - start < nearest[1] - nearest[0]):
            nearest = (start, stop, letters)
    return nearest


def format_page(messages: Sequence[Message], package: Path = PACKAGE) -> str:
    """Return the page of all messages, in Markdown."""
    parts = [HEAD]
    for kind, (title, about) in TITLES.items():
        ours = [m for m in messages if m.kind == kind]
        parts.append(f"## {title}\n\n{about}\n")
        for place in sorted({m.place for m in ours}):
            parts.append(f"### {place}: {_read_sentence(package, place)}\n")
            parts += [format_entry(m) for m in ours if m.place == place]
    return "\n".join(parts)


def format_entry(message: Message) -> str:
    """Return one message as an entry in Markdown."""
    lines = [f"- **Cause** {_as_code(message.cause)}"]
    if message.mend:
        lines.append(f"  **Mend** {_as_code(message.mend)}")
    lines.append(f"  *Raised in* {', '.join(_as_code(name) for name in message.raised_in)}")
    return "  \n".join(lines) + "\n"


def _as_code(text: str) -> str:
    mark = "``" if "`" in text else "`"
    inside = " ".join(text.split())
    return f"{mark} {inside} {mark}" if "`" in text else f"{mark}{inside}{mark}"


def _read_sentence(package: Path, place: str) -> str:
    """Return the first sentence on a module, from its docstring."""
    module = package.joinpath(*place.split("."))
    paths = (module.with_suffix(".py"), module / "__init__.py", package / "__init__.py")
    path = next(p for p in paths if p.is_file())
    found = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    first = " ".join(found.split("\n\n")[0].split())
    return re.split(r"(?<=[.;]) ", first)[0].rstrip(".;")
