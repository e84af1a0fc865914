"""Objects made of arrays, taken apart into named arrays and put together again.

What a solver has worked out can so be kept in a file and handed to other processes without
pickling: the file holds arrays, and a JSON text of how they belong together.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import numpy as np

from neurodecode.core.artifacts import Array

T = TypeVar("T")
STRUCTURE = "structure"


def take_apart(record: Any, leave: Collection[str] = ()) -> dict[str, np.ndarray]:
    """Return the attributes of an object as named arrays.

    Parameters
    ----------
    record : object
        Its attributes are arrays, numbers, text, None, dtypes, and tuples, lists or dataclasses
        of these.
    leave : collection of str
        Attributes that are left out.

    Returns
    -------
    arrays : dict of str to array
        Under "structure", how they belong together, as bytes.

    Raises
    ------
    TypeError
        An attribute is something else.
    """
    arrays: dict[str, np.ndarray] = {}

    def walk(value: Any, name: str) -> Any:
        if isinstance(value, np.ndarray):
            arrays[name] = value
            order = "F" if value.flags.f_contiguous and not value.flags.c_contiguous else "C"
            return {"array": name, "order": order}
        if isinstance(value, np.dtype):
            return {"dtype": value.str}
        if isinstance(value, np.generic):
            return {"value": value.item()}
        if isinstance(value, tuple | list):
            items = [walk(item, f"{name}/{i}") for i, item in enumerate(value)]
            return {type(value).__name__: items}
        if is_dataclass(value) and not isinstance(value, type):
            inside = {
                f.name: walk(getattr(value, f.name), f"{name}/{f.name}") for f in fields(value)
            }
            return {"record": type(value).__name__, "fields": inside}
        if value is None or isinstance(value, bool | int | float | str):
            return {"value": value}
        raise TypeError(f"{name} is of {type(value).__name__}. Leave it out, or make it of arrays.")

    structure = {n: walk(v, n) for n, v in vars(record).items() if n not in leave}
    text = np.frombuffer(json.dumps(structure).encode(), np.uint8)
    return {**arrays, STRUCTURE: text}


def put_together(
    kind: type[T], arrays: Mapping[str, Array], classes: Sequence[type], **rest: Any
) -> T:
    """Return the object that was taken apart.

    Parameters
    ----------
    kind : type
        Its class; ``__init__`` is not called.
    arrays : mapping of str to array
        Possibly unread.
    classes : sequence of type
        Dataclasses that may occur inside.
    rest
        Attributes that were left out.
    """
    known = {cls.__name__: cls for cls in classes}

    def walk(how: Mapping[str, Any]) -> Any:
        if "array" in how:
            return np.asarray(np.asarray(arrays[how["array"]]), order=how["order"])
        if "dtype" in how:
            return np.dtype(how["dtype"])
        if "tuple" in how:
            return tuple(walk(item) for item in how["tuple"])
        if "list" in how:
            return [walk(item) for item in how["list"]]
        if "record" in how:
            return known[how["record"]](**{n: walk(v) for n, v in how["fields"].items()})
        return how["value"]

    structure = json.loads(np.asarray(arrays[STRUCTURE]).tobytes())
    record = kind.__new__(kind)
    for name, how in structure.items():
        setattr(record, name, walk(how))
    for name, value in rest.items():
        setattr(record, name, value)
    return record
