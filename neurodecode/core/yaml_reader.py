"""YAML text to a tree: plain data in one document, no tags, no anchors, no merge keys.

The tree is built from the parser's events, one after the other, so that what is too deep, too
large or not plain data is refused where it is met, before anything is made of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from neurodecode.core.errors import PipelineError
from neurodecode.core.visible import show
from neurodecode.core.yaml_tree import VARIABLE, Node, Place

MAX_DEPTH = 40
MAX_CHARACTERS = 200_000
MAX_VALUES = 20_000
MAX_PROBLEMS = 100
_OPEN, _CLOSE = "\ue000", "\ue001"  # stand for the braces of ${name} while YAML is read
_STAND_INS = re.compile(r"[\ue000\ue001]|\\(u|U0000)[eE]00[01]")
# Control characters, halves of surrogate pairs, line separators, changes of writing direction.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def parse_yaml(text: str, name: str, place: str | None = None) -> Node:
    """Return the tree of a YAML text.

    Parameters
    ----------
    text : str
    name : str
        Of the file, for messages.
    place : str or None
        Words that stand for every line, where the text is not that of a file.

    Raises
    ------
    PipelineError
        Not YAML, not plain data, a duplicate key, or size beyond reason; with file and line.
    """
    reader = _Reader(name, place)
    if len(text) > MAX_CHARACTERS:
        raise PipelineError(
            [f"{reader.where(1)}: {len(text)} characters are more than a pipeline has. Allowed: "
             f"{MAX_CHARACTERS}. Keep data in files that a dataset stage reads."]
        )  # fmt: skip
    found = _STAND_INS.search(text)
    if found:
        line = text.count("\n", 0, found.start()) + 1
        raise PipelineError(
            [f"{reader.where(line)}: the characters U+E000 and U+E001 have no meaning of their "
             "own and are not read. Remove them."]
        )  # fmt: skip
    # YAML would take the braces of ${name} for a mapping where they stand inside {...} or [...].
    return reader.read(VARIABLE.sub(rf"${_OPEN}\1{_CLOSE}", text))


class _Reader:
    """Builds the tree of one text, and collects what is wrong with it."""

    def __init__(self, name: str, place: str | None) -> None:
        self.name, self.place = name, place
        self.problems: list[str] = []
        self.anchors: set[str] = set()
        self.n_values = 0

    def where(self, line: int) -> str:
        return self.place or f"{self.name}:{line}"

    def locate(self, event: Any) -> Place:
        return self.place or event.start_mark.line + 1

    def complain(self, event: Any, text: str) -> None:
        problem = f"{self.where(event.start_mark.line + 1)}: {text}"
        if problem not in self.problems:
            self.problems.append(problem)
        if len(self.problems) >= MAX_PROBLEMS:
            raise PipelineError(self.problems)

    def stop(self, event: Any, text: str) -> None:
        """Refuse the rest of the text."""
        problem = f"{self.where(event.start_mark.line + 1)}: {text}"
        raise PipelineError([*self.problems, problem])

    def read(self, text: str) -> Node:
        import ruamel.yaml
        from ruamel.yaml.error import YAMLError

        try:
            events = ruamel.yaml.YAML(typ="safe", pure=True).parse(text)
            node = self._read_document(events)
        except YAMLError as error:
            raise PipelineError([*self.problems, self._word(error, text)]) from error
        except PipelineError:
            raise
        except Exception as error:  # whatever the parser does with text that nobody foresaw
            raise PipelineError(
                [*self.problems, f"{self.where(1)}: not valid YAML: {show(error)}. Write it anew, "
                 "starting from: neurodecode new pipeline NAME."]
            ) from error  # fmt: skip
        if self.problems:
            raise PipelineError(self.problems)
        return node

    def _read_document(self, events: Iterator[Any]) -> Node:
        node: Node | None = None
        for event in events:
            kind = type(event).__name__
            if kind == "DocumentStartEvent" and node is not None:
                self.stop(
                    event, "a second document starts here (---). Give each pipeline its own file."
                )
            if kind not in ("StreamStartEvent", "StreamEndEvent", "DocumentStartEvent",
                            "DocumentEndEvent"):  # fmt: skip
                node = self._read_value(event, events, 0)
        if node is None:
            raise PipelineError([f"{self.where(1)}: the file is empty. Give it 'steps:'."])
        return node

    def _read_value(self, event: Any, events: Iterator[Any], depth: int) -> Node:
        line = self.locate(event)
        self.n_values += 1
        if depth > MAX_DEPTH:
            self.stop(
                event, f"nested deeper than {MAX_DEPTH} levels. Close brackets that were left "
                "open, or indent less."
            )  # fmt: skip
        if self.n_values > MAX_VALUES:
            self.stop(
                event, f"more values than a pipeline has. Allowed: {MAX_VALUES}. Keep data in "
                "files that a dataset stage reads."
            )  # fmt: skip
        self._check_plain(event)
        kind = type(event).__name__
        if kind == "SequenceStartEvent":
            items = []
            while type(inner := next(events)).__name__ != "SequenceEndEvent":
                items.append(self._read_value(inner, events, depth + 1))
            return Node(items, line)
        if kind == "MappingStartEvent":
            return self._read_mapping(line, events, depth)
        if kind == "ScalarEvent":
            return Node(self._read_text(event), line, plain=not event.style)
        return Node("", line)  # an alias, complained of already

    def _read_mapping(self, line: Place, events: Iterator[Any], depth: int) -> Node:
        found: dict[str, Node] = {}
        lines: dict[str, Place] = {}
        while type(event := next(events)).__name__ != "MappingEndEvent":
            key = self._read_value(event, events, depth + 1).value
            value = self._read_value(next(events), events, depth + 1)
            if not isinstance(key, str):
                self.complain(
                    event, "a key must be a word, not a list or mapping. Quote it, or check the "
                    "brackets."
                )  # fmt: skip
            elif key == "<<":
                self.complain(event, "merge keys (<<) are not read. Write the keys out.")
            elif key in found:
                self.complain(
                    event, f"'{show(key)}' is given twice (first in "
                    f"{'line ' if isinstance(lines[key], int) else ''}{lines[key]}). Keep one."
                )  # fmt: skip
            else:
                found[key], lines[key] = value, self.locate(event)
        return Node(found, line, key_lines=lines)

    def _check_plain(self, event: Any) -> None:
        anchor = getattr(event, "anchor", None)
        if anchor is not None and anchor not in self.anchors:  # told once, where it is set
            self.anchors.add(anchor)
            self.complain(
                event, f"anchors and aliases (&{show(anchor)}) are not read. Write it out, "
                "or use params and ${name}."
            )  # fmt: skip
        tag = getattr(event, "tag", None)
        if tag is not None:
            name = str(tag).replace("tag:yaml.org,2002:", "!!")
            self.complain(
                event, f"the tag {show(name)} is not read: a pipeline is plain data. Remove the "
                "tag; text goes in quotes."
            )  # fmt: skip

    def _read_text(self, event: Any) -> str:
        text = str(event.value).replace(_OPEN, "{").replace(_CLOSE, "}")
        hidden = _HIDDEN.search(text)
        if hidden:
            self.complain(
                event, f"holds the hidden character U+{ord(hidden[0]):04X} (in '{show(text)}'). "
                "Allowed: characters that can be seen. Type it anew."
            )  # fmt: skip
        return text

    def _word(self, error: Any, text: str) -> str:
        """Return what the parser found, as one sentence, and what to do."""
        mark = getattr(error, "problem_mark", None)
        problem = str(getattr(error, "problem", None) or str(error).splitlines()[0])
        if mark is None:  # the reader's: a character that YAML has no place for
            at = int(getattr(error, "position", 0) or 0)
            code = getattr(error, "character", 0)
            code = ord(code) if isinstance(code, str) else int(code or 0)
            return (
                f"{self.where(text.count(chr(10), 0, at) + 1)}: the character U+{code:04X} has no "
                "place in YAML. Save the file as plain text in UTF-8, without it."
            )
        start = getattr(error, "context_mark", None)
        opened = self.where(start.line + 1) if start is not None else ""
        problem = problem.replace(_OPEN, "{").replace(_CLOSE, "}")
        problem = re.sub(r"\('(<.*>)',\)", r"'\1'", problem)
        return f"{self.where(mark.line + 1)}: not valid YAML: {show(problem)}. " + _advise(
            problem, str(getattr(error, "context", "") or ""), opened
        )


def _advise(problem: str, context: str, opened: str) -> str:
    if "\\t" in problem or "\t" in problem:
        return "Indent with spaces; a tab is not allowed."
    if "quoted scalar" in context:
        return f"Close the quote that opens in {opened}."
    if "flow" in context:
        return (
            f"Close the bracket that opens in {opened}, put commas between its parts, and quote "
            "text that holds , : [ ] { }."
        )
    if "mapping values" in problem:
        return "Put text that holds ': ' in quotes, and give each key a line of its own."
    if "block" in context or "document start" in problem:
        since = f" (from {opened} on)" if opened else ""
        return (
            f"Close brackets and quotes that were left open before it{since}, and align the keys "
            "that belong together."
        )
    if "simple key" in context:
        return "Put ': ' after the key, and text of several lines in quotes."
    return "Check the indentation, brackets and quotes there."
