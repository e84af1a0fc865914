"""Every error message of the package, read from its source.

A message is found where its exception is made (or where a mistake in a file is noted); what it
is filled with becomes a hole, ``{name}``. Nothing is imported to be read, so that a page of all
messages takes a second and a message can be looked up while nothing else works.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from neurodecode.core.message_names import is_nearest, name_hole

PACKAGE = Path(__file__).resolve().parents[1]
KINDS = (
    "PipelineError", "LeakageError", "DataError", "UserError", "StepFailed", "StoreError",
    "WriteError", "Damage", "TypeError",
)  # fmt: skip
# A ValueError is for the user where pydantic makes it a mistake in a setting.
VALIDATORS = ("model_validator", "field_validator")
MOST_WORDINGS = 8
FEWEST_WORDS = 4  # of a clause before a colon that says what is wrong
# What is allowed: a list of what would do.
ALLOWED = (
    "Allowed", "Known", "Columns", "Did you mean", "Inputs", "It gives", "It has", "It made",
    "Present", "Settings", "Steps", "Values", "Variables",
)  # fmt: skip
# The next step: a sentence that tells the reader to do something.
VERBS = (
    "Add", "Annotate", "Ask for", "Average", "Bring", "Change", "Check", "Choose", "Convert",
    "Copy", "Correct", "Decode", "Define", "Delete", "Download", "Draw", "Drop", "Encode", "Fit",
    "Free", "Gather", "Get", "Give", "Hand", "Install", "Keep", "Leave", "Let", "Lower", "Make",
    "Mask", "Mend", "Move", "Name", "Normalise", "Number", "On a machine with a network",
    "Please report", "Put", "Quote", "Raise", "Read", "Remove", "Rename", "Reorder", "Repeat",
    "Resample", "Rescale", "Resize", "Return", "Run", "Save", "Scale", "Score", "Select", "Set",
    "Shorten", "Show", "Split", "Stack", "Start", "State", "Take", "Test", "Train", "Transpose",
    "Trim", "Use", "Write",
)  # fmt: skip
_MEND = re.compile(rf"[\[(]?(?:{'|'.join((*ALLOWED, *VERBS))})\b", re.IGNORECASE)
_SENTENCE = re.compile(r"(?<=[.!?;:])\s+|(?<=[.!?]\])\s+|(?<=\})\s+(?=[A-Z])")


@dataclass(frozen=True)
class Hole:
    """What a message is filled with.

    Parameters
    ----------
    words : str
        How it is shown: "{name}", "[may be absent]", "(one | other)".
    """

    words: str


Pieces = tuple[str | Hole, ...]
# The places of a message in a pipeline file, put before it when it is noted.
IN_FILE: Pieces = (Hole("{file}"), ":", Hole("{line}"), ": ")
IN_STEP: Pieces = (*IN_FILE, Hole("{step}"), ": ")


@dataclass(frozen=True)
class Message:
    """One error message.

    Parameters
    ----------
    kind : str
        Its class, one of KINDS.
    pieces : tuple of str and Hole
    raised_in : tuple of str
        "folder.module.function", sorted.
    place : str
        The module, as "folder.module".
    """

    kind: str
    pieces: Pieces
    raised_in: tuple[str, ...]
    place: str

    @property
    def text(self) -> str:
        """Return the message with its holes shown."""
        return "".join(p if isinstance(p, str) else p.words for p in self.pieces)

    @property
    def cause(self) -> str:
        """Return what is wrong, where, and what was got."""
        return split_message(self.text)[0]

    @property
    def mend(self) -> str:
        """Return what is allowed and the next step."""
        return split_message(self.text)[1]


def split_message(text: str) -> tuple[str, str]:
    """Return the part of a message that says what is wrong, and the part that says what to do.

    The second begins at the first sentence, or clause after a semicolon or colon, that opens with
    a verb of VERBS or a list of ALLOWED.

    Examples
    --------
    >>> split_message("fold 2 has 1 row. Allowed: two or more. Use fewer folds.")
    ('fold 2 has 1 row.', 'Allowed: two or more. Use fewer folds.')
    >>> split_message("the card is absent; run the step again.")
    ('the card is absent;', 'run the step again.')
    """
    for found in _SENTENCE.finditer(text):
        start = found.end()
        after_colon = text[found.start() - 1] == ":"  # of a place, unless a sentence stands before
        told = len(text[: found.start()].split(": ")[-1].split())
        if _MEND.match(text, start) and (told >= FEWEST_WORDS or not after_colon):
            return text[:start].rstrip(), text[start:]
    return text, ""


def list_messages(package: Path = PACKAGE) -> list[Message]:
    """Return every message of the source files under a folder, each wording once.

    Raises
    ------
    SyntaxError
        A file is no Python.
    """
    trees: dict[str, ast.Module] = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        if "_resources" not in parts:
            name = ".".join(parts).removesuffix(".__init__")
            trees[name] = ast.parse(path.read_text(encoding="utf-8"))
    constants = {name: _list_assigned(tree.body) for name, tree in trees.items()}
    wordings = {
        node.name: (name, node)
        for name, tree in trees.items()
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.lstrip("_").startswith("word_")
    }
    found: dict[tuple[str, str], Message] = {}
    for name, tree in trees.items():
        scope = _Scope(name, _list_imported(tree, constants) | constants[name], wordings)
        for message in _walk(tree, scope):
            key = (message.kind, message.text)
            known = found.get(key)
            raised = {*(known.raised_in if known else ()), *message.raised_in}
            found[key] = replace(known or message, raised_in=tuple(sorted(raised)))
    return list(found.values())


@dataclass(frozen=True)
class _Scope:
    """What names stand for at one place of a module."""

    module: str
    constants: dict[str, list[ast.expr]]
    wordings: dict[str, tuple[str, ast.FunctionDef]]  # functions that word a message, by name
    stage: str = ""
    function: str = ""
    local: dict[str, list[ast.expr]] = field(default_factory=dict)
    validates: bool = False
    unfolded: frozenset[str] = frozenset()

    @property
    def address(self) -> str:
        return f"{self.module}.{self.function}" if self.function else self.module


def _list_imported(
    tree: ast.Module, constants: dict[str, dict[str, list[ast.expr]]]
) -> dict[str, list[ast.expr]]:
    """Return the constants that a module takes from others of the package."""
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            given = constants.get((node.module or "").removeprefix("neurodecode."), {})
            found |= {a.name: given[a.name] for a in node.names if a.name in given}
    return found


def _walk(node: ast.AST, scope: _Scope) -> Iterator[Message]:
    for child in ast.iter_child_nodes(node):
        inner = scope
        if isinstance(child, ast.ClassDef):
            inner = replace(scope, stage=_find_stage(child))
        elif isinstance(child, ast.FunctionDef):
            marks = {ast.unparse(d).split("(")[0] for d in child.decorator_list}
            inner = replace(
                scope, function=child.name, local=_list_assigned(list(ast.walk(child))),
                validates=bool(marks & {*VALIDATORS}),
            )  # fmt: skip
        for kind, text, before in _list_texts(child, scope):
            for pieces in _read_text(text, scope)[:MOST_WORDINGS]:
                if _says_something(pieces):
                    whole = _join((*before, *pieces))
                    yield Message(kind, whole, (scope.address,), scope.module)
        yield from _walk(child, inner)


def _says_something(pieces: Pieces) -> bool:
    """Tell whether a text is a message, rather than a frame around others ("fold 2: ...")."""
    holes = [p.words for p in pieces if isinstance(p, Hole)]
    longest = max((len(p.strip(" :.")) for p in pieces if isinstance(p, str)), default=0)
    ends_in_other = (
        holes[-1:] in (["{error}"], ["{told}"]) and isinstance(pieces[-1], Hole) and longest < 8
    )
    return longest > 4 and not ends_in_other and "{errors}" not in holes


def _list_assigned(nodes: Sequence[ast.AST]) -> dict[str, list[ast.expr]]:
    """Return what names are set to; None where not by a plain assignment."""
    found: dict[str, list[ast.expr]] = {}
    for node in nodes:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    found.setdefault(target.id, []).append(node.value)
                elif isinstance(target, ast.Tuple):
                    for name in target.elts:
                        if isinstance(name, ast.Name):
                            found.setdefault(name.id, []).append(node.value)
    return found


def _find_stage(klass: ast.ClassDef) -> str:
    for node in klass.body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "stage":
            return str(node.value.value) if isinstance(node.value, ast.Constant) else ""
    return ""


def _list_texts(node: ast.AST, scope: _Scope) -> Iterator[tuple[str, ast.expr, Pieces]]:
    """Yield (class, text, what is put before it) if a node makes or notes an error."""
    if isinstance(node, ast.JoinedStr) and _is_name(node.values[:1], "ERROR"):
        yield "DataError", ast.JoinedStr(node.values[1:]), ()
    if not isinstance(node, ast.Call):
        return
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    if method == "complain":
        yield "PipelineError", node.args[1], IN_FILE
    elif method == "append" and ast.unparse(node.func).startswith("problems."):
        kind = "Damage" if scope.module in ("core.hdf5", "core.store") else "PipelineError"
        yield kind, node.args[0], ()
    elif name == "ValueError" and scope.validates:
        yield "PipelineError", node.args[0], IN_STEP
    elif name == "Outcome":
        yield from (("StepFailed", k.value, ()) for k in node.keywords if k.arg == "error")
    elif name in KINDS and node.args:
        texts = node.args[0].elts if isinstance(node.args[0], ast.List) else node.args[:1]
        yield from ((name, text, ()) for text in texts)


def _is_name(nodes: Sequence[ast.AST], name: str) -> bool:
    return any(isinstance(n, ast.FormattedValue) and ast.unparse(n.value) == name for n in nodes)


def _read_text(node: ast.expr, scope: _Scope) -> list[Pieces]:
    """Return the wordings of an expression that gives text."""
    if isinstance(node, ast.Constant):
        return [(str(node.value),)]
    if isinstance(node, ast.JoinedStr):
        parts = [_read_text(value, scope) for value in node.values]
        if len(list(itertools.product(*parts))) > MOST_WORDINGS:
            parts = [[p[0]] if len(p) == 1 else [(_choose(p),)] for p in parts]
        return [sum(wording, ()) for wording in itertools.product(*parts)]
    if isinstance(node, ast.FormattedValue):
        return _read_text(node.value, scope)
    if isinstance(node, ast.BinOp) and _is_text(node):
        pairs = itertools.product(_read_text(node.left, scope), _read_text(node.right, scope))
        return [left + right for left, right in pairs]
    if isinstance(node, ast.IfExp) and (_is_text(node.body) or _is_text(node.orelse)):
        choices = [*_read_text(node.body, scope), *_read_text(node.orelse, scope)]
        return choices if all(_says_something(c) for c in choices) else [(_choose(choices),)]
    if isinstance(node, ast.Attribute) and ast.unparse(node) == "self.stage" and scope.stage:
        return [(scope.stage,)]
    if isinstance(node, ast.Name) and node.id not in scope.unfolded:
        given = scope.local.get(node.id) or scope.constants.get(node.id) or []
        if given and all(_is_text(value) or is_nearest(value) for value in given):
            inner = replace(scope, unfolded=scope.unfolded | {node.id})
            return [pieces for value in given for pieces in _read_text(value, inner)]
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith((".rstrip", ".strip")):
        return _read_text(node.func.value, scope)  # type: ignore[attr-defined]
    called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
    if called in scope.wordings and called not in scope.unfolded:
        return _read_wordings(called, scope)
    return [(Hole(name_hole(node)),)]


def _read_wordings(name: str, scope: _Scope) -> list[Pieces]:
    """Return what a function that words a message may return."""
    module, function = scope.wordings[name]
    inner = _Scope(
        module, scope.constants, scope.wordings, function=name,
        local=_list_assigned(list(ast.walk(function))), unfolded=scope.unfolded | {name},
    )  # fmt: skip
    returned = [n.value for n in ast.walk(function) if isinstance(n, ast.Return) and n.value]
    return [pieces for value in returned for pieces in _read_text(value, inner)]


def _is_text(node: ast.expr) -> bool:
    if isinstance(node, ast.IfExp):
        return _is_text(node.body) and _is_text(node.orelse)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _is_text(node.left) or _is_text(node.right)
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def _choose(wordings: Sequence[Pieces]) -> Hole:
    shown = ["".join(p if isinstance(p, str) else p.words for p in w) for w in wordings]
    if "" in shown:
        return Hole(f"[{' | '.join(s for s in dict.fromkeys(shown) if s)}]")
    return Hole(f"({' | '.join(dict.fromkeys(shown))})")


def _join(pieces: Pieces) -> Pieces:
    """Return pieces with neighbouring literals put together."""
    joined: list[str | Hole] = []
    for piece in pieces:
        if isinstance(piece, str) and joined and isinstance(joined[-1], str):
            joined[-1] += piece
        elif piece:
            joined.append(piece)
    return tuple(joined)
