"""Which rows and stimuli a result has seen, and whether a scored row is among them.

Every row of data has *tokens*: 64-bit names of the sample itself, its stimulus (by source item and
by content, so that neither a second name nor a crop hides it), its category, run, session and
subject. A *contact* is the set of tokens that a step saw, per fold:

label          stimuli, features or scores of the rows were used: scoring such a row raises
transductive   their responses (or their features) were used alone, unsupervised: allowed when the
               pipeline file names it, and printed
unknown        an imported model that does not say what it was trained on: printed
neighbour      not the rows themselves, but those just before or after them in their run were
               used with labels: printed

Mixing without a fold (z-scoring within a run, averaging the repeats of a stimulus) is kept as
*peers*: groups of rows that have seen each other. A fit on some rows then inherits their peers.
What is done with all this when a row is scored lies in leakage.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from neurodecode.core.digests import make_tokens
from neurodecode.core.tables import Table

ContactKind = Literal["label", "transductive", "unknown", "neighbour"]
Tokens = Mapping[str, np.ndarray]

EVERY_FOLD = -1
TRAINED_BEFORE = "training of "  # begins the name of a step that trained an imported model
NOTHING = np.uint64(0)
NAMED_COLUMNS = (
    "sample_id", "source", "digest", "id", "stimulus_id", "category", "subject", "session", "run",
    "row", "fold", "onset_s",
)  # fmt: skip
# A split by one of these columns keeps together what the level does.
LEVEL_OF_COLUMN = {
    "column:stimulus_id": "stimulus", "column:source": "stimulus", "column:digest": "stimulus",
    "column:sample_id": "sample", "column:category": "category", "column:subject": "subject",
    "column:session": "session", "column:run": "run", "time_block": "sample",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Contact:
    """What one step saw.

    Parameters
    ----------
    step : str
        Name of the step in its pipeline file.
    kind : {"label", "transductive", "unknown", "neighbour"}
    reason : str or None
        The file's own words where it names or allows the contact.
    tokens : mapping of level to sorted unique array of uint64
    """

    step: str
    kind: ContactKind
    reason: str | None
    tokens: Tokens


@dataclass(frozen=True, eq=False)
class Peers:
    """Groups of rows that have seen each other in one step.

    Parameters
    ----------
    step, kind, reason
        As in Contact.
    groups : array of int, shape (n_rows,)
    members : mapping of level to (tokens, group of each token)
    """

    step: str
    kind: ContactKind
    reason: str | None
    groups: np.ndarray
    members: Mapping[str, tuple[np.ndarray, np.ndarray]]

    def to_contact(self, groups: np.ndarray) -> Contact:
        """Return what the rows of these groups have seen."""
        tokens = {
            level: _drop_nothing(np.unique(values[np.isin(owner, groups)]))
            for level, (values, owner) in self.members.items()
        }
        return Contact(self.step, self.kind, self.reason, tokens)


@dataclass(frozen=True, eq=False)
class Lineage:
    """What an artifact has seen.

    Parameters
    ----------
    seen : mapping of fold to contacts
        Key ``EVERY_FOLD`` holds what every fold has seen.
    peers : sequence of Peers
        Along the artifact's own rows.
    split : str or None
        Digest of the split whose folds ``seen`` counts.
    unit : str or None
        That split's unit of independence.
    """

    seen: Mapping[int, tuple[Contact, ...]] = field(default_factory=dict)
    peers: tuple[Peers, ...] = ()
    split: str | None = None
    unit: str | None = None

    def contacts(self, fold: int | None = None) -> tuple[Contact, ...]:
        """Return what one fold has seen, or with None what any fold has."""
        if fold is None:
            return merge_contacts(c for contacts in self.seen.values() for c in contacts)
        return merge_contacts((*self.seen.get(EVERY_FOLD, ()), *self.seen.get(fold, ())))

    def take(self, rows: Any) -> Lineage:
        """Return the lineage of some of the rows."""
        return replace(self, peers=tuple(replace(p, groups=p.groups[rows]) for p in self.peers))


def split_step(name: str) -> tuple[str, str]:
    """Return the step of this file that a contact is of, and the model's training ("" if none)."""
    own, _, training = name.partition(f": {TRAINED_BEFORE}")
    return own, training


def name_loader(seen: Mapping[int, Iterable[Contact]], step: str) -> dict[int, list[Contact]]:
    """Say of a model's training, before this file, which step of the file brought the model in."""
    return {
        fold: [
            replace(c, step=f"{step}: {c.step}") if c.step.startswith(TRAINED_BEFORE) else c
            for c in contacts
        ]
        for fold, contacts in seen.items()
    }


def rename_steps(lineage: Lineage, names: Mapping[str, str]) -> Lineage:
    """Return a lineage whose contacts go by other names of their steps, where there are any."""

    def rename(item: Any) -> Any:
        own, _ = split_step(item.step)
        return replace(item, step=names.get(own, own) + item.step[len(own) :])

    return replace(
        lineage,
        seen={fold: tuple(map(rename, contacts)) for fold, contacts in lineage.seen.items()},
        peers=tuple(map(rename, lineage.peers)),
    )


def make_row_tokens(table: Table, where: str = "") -> dict[str, np.ndarray]:
    """Return the tokens of each row, by level; a level may have several tokens a row.

    Parameters
    ----------
    table : Table
        A sample table (``sample_id``, ``subject``, ``session``, ``run``, ``stimulus_id``, …) or an
        item table (``id``, ``source``, ``digest``, ``category``).

    Returns
    -------
    tokens : mapping of level to array of uint64, shape (n_rows, n_tokens_of_a_row)
    """
    found: dict[str, list[np.ndarray]] = {}
    if "sample_id" in table:
        found["sample"] = [make_tokens(table["sample_id"], "sample")]
    stimulus = [
        _make_tokens_of(table[column], prefix)
        for column, prefix in (("source", "source"), ("digest", "content"))
        if column in table and (table[column] != "").any()
    ]
    name = next((column for column in ("stimulus_id", "id") if column in table), None)
    if name is not None:  # what names neither source nor content goes by its id
        by_name = _make_tokens_of(table[name], "source")
        nameless = np.all([tokens == NOTHING for tokens in stimulus], axis=0)
        stimulus = (
            [np.where(nameless, by_name, stimulus[0]), *stimulus[1:]] if stimulus else [by_name]
        )
    if stimulus:
        found["stimulus"] = stimulus
    if "category" in table:
        found["category"] = [_make_tokens_of(table["category"], "category")]
    for column in table:  # what a split may keep together as column:NAME
        if column not in NAMED_COLUMNS and table[column].dtype.kind in "Uib":
            found[f"column:{column}"] = [_make_tokens_of(table[column], f"column:{column}")]
    place: list[np.ndarray] = []
    for level in ("subject", "session", "run"):
        if level in table:
            place.append(table[level].astype(str))
            names = ["/".join(parts) for parts in zip(*place, strict=True)]
            found[level] = [make_tokens(names, level)]
    return {level: np.stack(columns, axis=1) for level, columns in found.items()}


def collect_tokens(tokens: Mapping[str, np.ndarray], rows: Any = slice(None)) -> Tokens:
    """Return the sorted unique tokens of some rows, by level."""
    return {level: _drop_nothing(np.unique(values[rows])) for level, values in tokens.items()}


def _make_tokens_of(values: np.ndarray, prefix: str) -> np.ndarray:
    """Return tokens, NOTHING where nothing was shown: blank rows do not share a stimulus."""
    tokens = make_tokens(values, prefix)
    tokens[np.asarray(values).astype(str) == ""] = NOTHING
    return tokens


def _drop_nothing(tokens: np.ndarray) -> np.ndarray:
    return tokens[tokens != NOTHING]


def merge_contacts(contacts: Iterable[Contact]) -> tuple[Contact, ...]:
    """Unite the tokens of contacts of one step and kind."""
    merged: dict[tuple[str, str, str | None], Contact] = {}
    for contact in contacts:
        key = (contact.step, contact.kind, contact.reason)
        if key in merged:
            before = merged[key].tokens
            levels = {**before, **contact.tokens}
            tokens = {
                level: np.union1d(
                    before.get(level, np.zeros(0, np.uint64)),
                    contact.tokens.get(level, np.zeros(0, np.uint64)),
                )
                for level in levels
            }
            merged[key] = replace(contact, tokens=tokens)
        else:
            merged[key] = contact
    return tuple(merged[key] for key in sorted(merged, key=str))


def mix_rows(
    lineage: Lineage,
    tokens: Mapping[str, np.ndarray],
    groups: np.ndarray,
    *,
    step: str,
    kind: ContactKind,
    reason: str | None,
) -> Lineage:
    """Return the lineage after a step in which the rows of each group saw each other.

    What a row's earlier peers were becomes known to its whole new group.

    Parameters
    ----------
    tokens : mapping of level to array, shape (n_rows, n_tokens_of_a_row)
    groups : array of int, shape (n_rows,)
    """
    members = {}
    for level, values in tokens.items():
        owners = np.repeat(groups, values.shape[1])
        pairs = np.unique(np.stack([values.ravel(), owners.astype(np.uint64)]), axis=1)
        members[level] = (pairs[0], pairs[1].astype(np.int64))
    earlier = tuple(_widen(peers, groups) for peers in lineage.peers)
    new = Peers(step, kind, reason, np.asarray(groups, np.int64), members)
    return replace(lineage, peers=(*earlier, new))


def _widen(peers: Peers, groups: np.ndarray) -> Peers:
    """Re-express earlier peers in new groups: each holds all that its rows had seen."""
    links = np.unique(np.stack([np.asarray(groups, np.int64), peers.groups]), axis=1)
    members = {}
    for level, (values, owner) in peers.members.items():
        found = [np.zeros((2, 0), np.uint64)]
        for new in np.unique(links[0]):
            inside = np.unique(values[np.isin(owner, links[1][links[0] == new])])
            found.append(np.stack([inside, np.full(len(inside), new, np.uint64)]))
        pairs = np.concatenate(found, axis=1)
        members[level] = (pairs[0], pairs[1].astype(np.int64))
    return replace(peers, groups=np.asarray(groups, np.int64), members=members)
