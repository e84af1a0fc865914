"""How often a test set was scored, by what, and with which result.

    <cache>/looks/<test set>/items.json    which rows were scored
    <cache>/looks/<test set>/<look>.json   what was scored, when, and the first claim's value

A *look* is one recipe of scoring applied to one thing scored: the scoring stage with its settings,
and the content of what it was given. The same predictions made again, by other code or after a
cleaning of the cache, are the same look; controls and copies that ``accept`` signs are none.

Test sets that share more than half of their rows, counted on the smaller, are taken together:
scoring a part of a test set, or a larger one, starts no new count. Of large sets a sample of the
rows is kept: those whose tokens, which are hashes, are smallest, so that samples of two sets are of
the same rows (Broder 1997, On the resemblance and containment of documents; bottom-k).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from neurodecode.core.artifacts import Artifact, Predictions, Reconstructions, Scores
from neurodecode.core.digests import digest_json, dump_json
from neurodecode.core.files import MARK, write_text
from neurodecode.core.lineage import make_row_tokens
from neurodecode.core.trace import get_row_table, iterate_inputs

ITEMS = "items.json"
N_KEPT = 512  # 5.5 KB; an overlap of a half is then known to about 2 % (binomial)
LARGEST = np.iinfo(np.uint64).max
SHARED = 0.5
# A 95 % interval spans 3.92 standard errors of a normal score.
SE_PER_INTERVAL = 1 / 3.92


@dataclass(frozen=True)
class Look:
    """One recipe scored on a test set.

    Parameters
    ----------
    name : str
        Digest of the scoring stage, its settings and the content of its inputs.
    scored : str
        Digest of the content of the predictions or reconstructions.
    pipeline, step, branch, stage : str
    settings : str
        Digest of the scoring stage's settings.
    when : float
        Seconds since 1970.
    claim : str
        Metric and first claim, such as "identification by correlation: pairwise".
    value, se, chance : float or None
        Of the first claim; ``se`` follows from its interval.
    scale : str
    """

    name: str
    scored: str = ""
    pipeline: str = ""
    step: str = ""
    branch: str = ""
    stage: str = ""
    settings: str = ""
    when: float = 0.0
    claim: str = ""
    value: float | None = None
    se: float | None = None
    chance: float | None = None
    scale: str = ""


@dataclass(frozen=True)
class Rows:
    """The rows of a test set: all of their tokens, or the smallest ones.

    Parameters
    ----------
    n : int
    tokens : array of uint64, ascending
    """

    n: int
    tokens: np.ndarray

    @classmethod
    def of(cls, tokens: np.ndarray) -> Rows:
        """Keep what is needed of the tokens of all rows."""
        unique = np.unique(tokens)
        return cls(len(unique), unique[:N_KEPT])

    @property
    def bound(self) -> np.uint64:
        """Up to which token all are kept."""
        return np.uint64(LARGEST) if len(self.tokens) == self.n else self.tokens[-1]

    def dump(self) -> str:
        """Return the rows as JSON text."""
        kept = base64.b64encode(self.tokens.astype("<u8").tobytes()).decode()
        return dump_json({"n": self.n, "tokens": kept})

    @classmethod
    def load(cls, path: Path) -> Rows:
        """Read what ``dump`` wrote; none where the file is absent or damaged."""
        try:
            held = json.loads(path.read_text(encoding="utf-8"))
            tokens = np.frombuffer(base64.b64decode(held["tokens"]), "<u8").astype(np.uint64)
            return cls(max(int(held["n"]), len(tokens)), tokens)
        except (OSError, ValueError, KeyError, TypeError):
            return cls(0, np.zeros(0, np.uint64))


@dataclass
class Looks:
    """All looks that caches hold, to be asked about many test sets.

    Parameters
    ----------
    folders : sequence of Path
        Caches.
    """

    folders: tuple[Path, ...]
    _places: dict[str, list[Path]] = field(default_factory=dict)
    _rows: dict[str, Rows] = field(default_factory=dict)
    _found: dict[str, list[Look]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for root in self.folders:
            for folder in _list_folder(root / "looks"):
                self._places.setdefault(folder.name, []).append(folder)
        for name, places in self._places.items():
            held = [Rows.load(folder / ITEMS) for folder in places]
            self._rows[name] = max(held, key=lambda rows: rows.n)
        names = list(self._rows)
        sizes = [len(self._rows[name].tokens) for name in names]
        tokens = [self._rows[name].tokens for name in names] or [np.zeros(0, np.uint64)]
        joined, owners = np.concatenate(tokens), np.repeat(np.arange(len(names)), sizes)
        order = np.argsort(joined, kind="stable")
        self._index = (names, joined[order], owners[order])

    def count(self, test_set: str) -> int:
        """Return how many recipes were scored on a test set, or on one that shares its rows."""
        return len(self.find(test_set))

    def find(self, test_set: str) -> list[Look]:
        """Return the looks at a test set and at those that share its rows, the oldest first."""
        if test_set not in self._found:
            found: dict[str, Look] = {}
            for name in dict.fromkeys([test_set, *self.find_sharing(test_set)]):
                for folder in self._places.get(name, ()):
                    for path in _list_folder(folder):
                        if path.name != ITEMS and not path.name.startswith(MARK):
                            look = _load_look(path)
                            found.setdefault(look.name, look)
            self._found[test_set] = sorted(found.values(), key=lambda look: (look.when, look.name))
        return self._found[test_set]

    def find_sharing(self, test_set: str) -> list[str]:
        """Return the test sets that share more than half of the smaller one's rows."""
        mine = self._rows.get(test_set)
        if mine is None or not len(mine.tokens):
            return []
        names, joined, owners = self._index
        start = np.searchsorted(joined, mine.tokens, "left")
        stop = np.searchsorted(joined, mine.tokens, "right")
        met = {int(o) for a, b in zip(start, stop, strict=True) for o in owners[a:b]}
        return [names[o] for o in sorted(met) if _share(mine, self._rows[names[o]]) > SHARED]


def _share(one: Rows, other: Rows) -> float:
    """Return the share of the smaller set that both have."""
    bound = min(one.bound, other.bound)
    here, there = (rows.tokens[rows.tokens <= bound] for rows in (one, other))
    smaller = min(len(here), len(there))
    return len(np.intersect1d(here, there, assume_unique=True)) / smaller if smaller else 0.0


def describe_look(
    card: Mapping[str, Any], inputs: Mapping[str, Any], scores: Scores
) -> tuple[Look, Rows]:
    """Return the look that a scoring step took, and the rows it looked at.

    Parameters
    ----------
    card : mapping
        Of the stored scores.
    inputs : mapping of name to artifact
        Of the step.
    scores : Scores
    """
    scored = [(n, a) for n, a in iterate_inputs(inputs) if isinstance(a, _SCORED)]
    summary = scores.summary
    content = _list_content(card)
    low, high = float(summary["low"][0]), float(summary["high"][0])
    look = Look(
        name=name_look(card),
        scored=digest_json([content[name] for name in dict.fromkeys(n for n, _ in scored)]),
        pipeline=str(card.get("pipeline", "")),
        step=str(card.get("step", "")),
        branch=", ".join(f"{k}={v}" for k, v in dict(card.get("branch", {})).items()),
        stage=str(card["stage"]),
        settings=digest_json(card["settings"]),
        when=float(card.get("started", 0.0)),
        claim=f"{scores.metric}: {summary['name'][0]}",
        value=_to_number(summary["value"][0]),
        se=_to_number((high - low) * SE_PER_INTERVAL),
        chance=_to_number(summary["chance"][0]),
        scale=scores.scale,
    )
    return look, Rows.of(np.concatenate([_name_rows(a) for _, a in scored] or [_NONE]))


def name_look(card: Mapping[str, Any]) -> str:
    """Return the name of the look that a scoring step's card tells of."""
    return digest_json([card["stage"], card["settings"], _list_content(card)])


def write_look(folder: Path, test_set: str, look: Look, rows: Rows) -> bool:
    """Keep a look in a cache; tell whether it could be written.

    The first time counts: a look that is there already is left as it is.
    """
    place = folder / "looks" / test_set
    try:
        if rows.n and not (place / ITEMS).exists():
            write_text(place / ITEMS, rows.dump())
        if not (place / f"{look.name}.json").exists():
            write_text(place / f"{look.name}.json", dump_json(asdict(look)))
    except OSError:  # a full or read-only disk must not cost the result
        return False
    return True


_SCORED = (Predictions, Reconstructions)
_NONE = np.zeros(0, np.uint64)
_FIELDS = {item.name for item in fields(Look)}


def _name_rows(artifact: Artifact) -> np.ndarray:
    table = get_row_table(artifact)
    tokens = make_row_tokens(table) if table is not None else {}
    found = tokens.get("sample", tokens.get("stimulus"))
    return _NONE if found is None else found[:, 0]


def _list_content(card: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _drop_lineage(given) for name, given in card["inputs"].items()}


def _drop_lineage(given: Any) -> Any:
    if isinstance(given, Mapping) and "digest" in given:
        return given["digest"]
    if isinstance(given, Mapping):
        return {label: _drop_lineage(item) for label, item in given.items()}
    return [_drop_lineage(item) for item in given]


def _to_number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def _list_folder(folder: Path) -> Iterable[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:  # absent, or a file where a folder belongs
        return []


def _load_look(path: Path) -> Look:
    """Read a look; one that says nothing of itself still counts."""
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        return Look(**{k: v for k, v in held.items() if k in _FIELDS})
    except (OSError, ValueError, TypeError, AttributeError):
        return Look(name=path.name.removesuffix(".json"))
