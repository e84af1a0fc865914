"""Artifacts as named arrays and one JSON value, and back: what the store writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from neurodecode.core.artifacts import (
    ARTIFACTS,
    Array,
    Artifact,
    Foldwise,
    Space,
)
from neurodecode.core.digests import digest_json
from neurodecode.core.lineage import Contact, Lineage, Peers
from neurodecode.core.tables import Table

RECORDS: dict[str, type] = {"Space": Space, "Foldwise": Foldwise}


def pack(record: Any) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return an artifact's arrays by name, and the rest as a JSON value; lineage is left out."""
    arrays: dict[str, Array] = {}
    meta: dict[str, Any] = {}
    for item in fields(record):
        value = getattr(record, item.name)
        if item.name == "lineage":
            continue
        if isinstance(value, Table):
            arrays.update({f"{item.name}/{column}": value[column] for column in value})
            meta[item.name] = {"table": list(value)}
        elif type(value).__name__ in RECORDS:
            inner, inner_meta = pack(value)
            arrays.update({f"{item.name}/{name}": array for name, array in inner.items()})
            meta[item.name] = {"record": type(value).__name__, "meta": inner_meta}
        elif value is None:
            meta[item.name] = {"json": None}
        elif "dims" in item.metadata and isinstance(value, Mapping):
            arrays.update({f"{item.name}/{i}": array for i, array in enumerate(value.values())})
            meta[item.name] = {"arrays": list(value)}
        elif "dims" in item.metadata:
            arrays[item.name] = value
            meta[item.name] = {"array": True}
        else:
            meta[item.name] = {"json": to_json(value)}
    return arrays, meta


def unpack(kind: type, arrays: Mapping[str, Array], meta: Mapping[str, Any]) -> Any:
    """Return the record that ``pack`` took apart; fields it does not know are refused."""
    values: dict[str, Any] = {}
    for name, how in meta.items():
        if "table" in how:
            values[name] = Table({c: np.asarray(arrays[f"{name}/{c}"]) for c in how["table"]})
        elif "record" in how:
            inside = {
                key[len(name) + 1 :]: array
                for key, array in arrays.items()
                if key.startswith(f"{name}/")
            }
            values[name] = unpack(RECORDS[how["record"]], inside, how["meta"])
        elif "arrays" in how:
            values[name] = {key: arrays[f"{name}/{i}"] for i, key in enumerate(how["arrays"])}
        elif "array" in how:
            values[name] = arrays[name]
        else:
            values[name] = _to_tuples(how["json"])
    return kind(**values)


def unpack_artifact(kind: str, arrays: Mapping[str, Array], meta: Mapping[str, Any]) -> Artifact:
    """Return the artifact of a kind such as "responses"."""
    return unpack(ARTIFACTS[kind], arrays, meta)


def pack_lineage(lineage: Lineage) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return a lineage's arrays, each distinct one once, and its structure as a JSON value."""
    arrays: dict[str, np.ndarray] = {}
    seen_before: dict[bytes, str] = {}

    def keep(array: np.ndarray) -> str:
        mark = array.dtype.str.encode() + array.tobytes()
        if mark not in seen_before:
            seen_before[mark] = f"a{len(arrays)}"
            arrays[seen_before[mark]] = array
        return seen_before[mark]

    def describe(item: Contact | Peers) -> dict[str, Any]:
        return {"step": item.step, "kind": item.kind, "reason": item.reason}

    meta = {
        "split": lineage.split,
        "unit": lineage.unit,
        "seen": {
            str(fold): [
                {**describe(c), "tokens": {lv: keep(t) for lv, t in sorted(c.tokens.items())}}
                for c in contacts
            ]
            for fold, contacts in sorted(lineage.seen.items())
        },
        "peers": [
            {
                **describe(p),
                "groups": keep(p.groups),
                "members": {lv: [keep(t), keep(g)] for lv, (t, g) in sorted(p.members.items())},
            }
            for p in lineage.peers
        ],
    }
    return arrays, meta


def unpack_lineage(arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> Lineage:
    """Return the lineage that ``pack_lineage`` took apart."""

    def contact(c: Mapping[str, Any]) -> Contact:
        tokens = {level: arrays[name] for level, name in c["tokens"].items()}
        return Contact(c["step"], c["kind"], c["reason"], tokens)

    def peers(p: Mapping[str, Any]) -> Peers:
        members = {level: (arrays[t], arrays[g]) for level, (t, g) in p["members"].items()}
        return Peers(p["step"], p["kind"], p["reason"], arrays[p["groups"]], members)

    return Lineage(
        seen={int(fold): tuple(map(contact, cs)) for fold, cs in meta["seen"].items()},
        peers=tuple(map(peers, meta["peers"])),
        split=meta["split"],
        unit=meta["unit"],
    )


def digest_parts(array_digests: Mapping[str, str], meta: Mapping[str, Any]) -> str:
    """Return the digest of an artifact from those of its arrays and its JSON value."""
    return digest_json({"arrays": dict(array_digests), "meta": dict(meta)})


def to_json(value: Any) -> Any:
    """Return a value made of what JSON knows; numbers of NumPy become Python's."""
    if isinstance(value, Mapping):
        return {str(k): to_json(v) for k, v in value.items()}
    if isinstance(value, tuple | list | set | frozenset):
        return [to_json(v) for v in value]
    if isinstance(value, np.ndarray):
        return to_json(value.tolist())
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value)


def _to_tuples(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_to_tuples(v) for v in value)
    if isinstance(value, dict):
        return {k: _to_tuples(v) for k, v in value.items()}
    return value
