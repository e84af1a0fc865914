"""Short names for what the messages in the code are filled with."""

from __future__ import annotations

import ast
import re

# Names in the code whose plain name is another.
PLAIN = {
    "spec": "step", "instance": "step", "contact": "step", "task": "step", "ref": "step",
    "i": "step", "giver": "other step", "refs": "branches", "model_fields": "settings",
    "kinds": "known", "klass": "class", "cls": "class",
}  # fmt: skip
MEASURES = {
    "sum": "number of", "len": "number of", "min": "smallest", "max": "largest",
    "nanmin": "smallest", "nanmax": "largest",
}  # fmt: skip
UNNAMED = ("flatnonzero", "isfinite", "isin", "count_nonzero")


def name_hole(node: ast.expr) -> str:
    """Return how an expression in a message is shown, such as "{number of rows}"."""
    if isinstance(node, ast.Call) and is_nearest(node):
        return f" [Did you mean '{{a known {_name_value(node.args[0])}}}'?]"
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "name_known":
        given = (str(a.value) for a in node.args[2:3] if isinstance(a, ast.Constant))
        label = next(given, "Known")
        near = f"Did you mean '{{a known {_name_value(node.args[0])}}}'?"
        return f" ({near} | {label}: {{{_name_value(node.args[1])}}}.)"
    return f"{{{_name_value(node)}}}"


def is_nearest(node: ast.expr) -> bool:
    """Tell whether an expression names the nearest known name, or nothing."""
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "name_nearest"


def _name_value(node: ast.expr) -> str:
    """Return a short name for what an expression gives."""
    if isinstance(node, ast.Name):
        name = node.id.strip("_").lower()
        return PLAIN.get(name, name)
    if isinstance(node, ast.Attribute):
        return _name_attribute(node)
    if isinstance(node, ast.Subscript):
        if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
            return node.slice.value
        return _name_value(node.value).replace("shape of", "size of")
    if isinstance(node, ast.Call):
        return _name_call(node)
    if isinstance(node, ast.BinOp | ast.UnaryOp):
        text = ast.unparse(node)
        left = node.operand if isinstance(node, ast.UnaryOp) else node.left
        return text.lower() if re.fullmatch(r"[\w -]{1,16}", text) else _name_value(left)
    if isinstance(node, ast.IfExp | ast.BoolOp):
        return _name_value(node.body if isinstance(node, ast.IfExp) else node.values[0])
    if isinstance(node, ast.GeneratorExp | ast.ListComp):
        of_all = node.elt if not isinstance(node.elt, ast.Name) else node.generators[0].iter
        return _name_value(of_all)
    if isinstance(node, ast.Starred):
        return _name_value(node.value)
    if isinstance(node, ast.List | ast.Tuple) and node.elts:
        return _name_value(node.elts[0])
    return "number" if isinstance(node, ast.Compare) else "value"


def _name_attribute(node: ast.Attribute) -> str:
    own = isinstance(node.value, ast.Name) and node.value.id == "self"
    if node.attr == "shape":
        owner = node.value
        while isinstance(owner, ast.Attribute) and owner.attr in ("data", "values"):
            owner = owner.value
        return f"shape of {_name_value(owner)}"
    if node.attr in ("name", "label", "words", "step", "__name__") and not own:
        return _name_value(node.value)
    return PLAIN.get(node.attr, node.attr.strip("_").lower())


def _name_call(node: ast.Call) -> str:
    name = ast.unparse(node.func).split(".")[-1].strip("_")
    inside = node.args
    if name == "type" and inside:
        return f"class of {_name_value(inside[0])}"
    if name == "get" and inside and isinstance(inside[0], ast.Constant):
        return str(inside[0].value)
    owner = node.func.value if isinstance(node.func, ast.Attribute) else None
    if owner is not None and not inside and ast.unparse(owner) != "np":
        inside = [owner]
    if name in UNNAMED or not inside:
        return "number" if name in UNNAMED else PLAIN.get(name, name)
    value = _name_value(inside[0])
    if name in MEASURES:
        return value if value.startswith("number") else f"{MEASURES[name]} {value}"
    return value
