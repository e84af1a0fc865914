"""How a step's lineage follows from that of its inputs and from what its stage declares to see."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from neurodecode.core.artifacts import (
    Artifact,
    Events,
    Features,
    Model,
    Predictions,
    Reconstructions,
    Responses,
    Scores,
    Split,
    Stimuli,
)
from neurodecode.core.lineage import (
    EVERY_FOLD,
    NOTHING,
    Contact,
    Lineage,
    Peers,
    collect_tokens,
    make_row_tokens,
    merge_contacts,
    mix_rows,
    name_loader,
)
from neurodecode.core.rows import find_neighbours, group_samples
from neurodecode.core.stage import Stage
from neurodecode.core.tables import Table

COARSE_UNITS = ("run", "session", "subject")
BY_ROW = ("row", "time", "run", "session", "stimulus")  # sights that an output row has of its own


def derive_lineage(
    stage: Stage,
    inputs: Mapping[str, Any],
    outputs: Mapping[str, Artifact],
    *,
    step: str,
    allow_transductive: str | None = None,
    allow_leakage: str | None = None,
) -> dict[str, Artifact]:
    """Return the outputs with their lineage.

    Parameters
    ----------
    stage : Stage
        Its ``sees()`` and ``contact_of()`` are believed; the contract test tries them out.
    inputs : mapping of input name to artifact, or list or mapping of artifacts
    outputs : mapping of name to artifact
    step : str
        Named in contacts.
    allow_transductive, allow_leakage : str or None
        Reasons in the pipeline file, which mark the contacts made here as named.
    """
    kind = stage.contact_of()
    reason = allow_transductive if kind == "transductive" else allow_leakage
    seen: dict[int, list[Contact]] = {}
    of_rows: dict[int, list[Contact]] = {}  # through inputs of which each row is only its own
    aligned: list[Aligned] = []
    splits = [a for _, a in iterate_inputs(inputs) if isinstance(a, Split)]
    split = splits[0] if splits else None
    digest, unit = (split.digest, split.unit) if split is not None else _inherit_split(inputs)
    sees = stage.sees()
    for name, artifact in iterate_inputs(inputs):
        lineage = artifact.lineage
        table = get_row_table(artifact)
        sight = sees.get(name, "all")
        by_row = sight in BY_ROW and table is not None
        _add(of_rows if by_row else seen, _pass_on(artifact, digest, step))
        if isinstance(artifact, Split) or table is None or not len(table):
            continue
        tokens = make_row_tokens(table)
        if by_row:
            mixed = sight not in ("row", "time")
            if mixed:
                lineage = mix_rows(
                    lineage, tokens, _number_mates(table, sight),
                    step=step, kind=kind, reason=reason,
                )  # fmt: skip
            aligned.append(Aligned(artifact, table, lineage.peers, True, mixed))
            continue
        aligned.append(Aligned(artifact, table, lineage.peers, False))  # for the very same rows
        folds = _list_fits(artifact, table, sight, splits, digest)
        for fold, rows in folds.items():
            made = [Contact(step, kind, reason, collect_tokens(tokens, rows))]
            made += [p.to_contact(np.unique(p.groups[rows])) for p in lineage.peers]
            made += _list_ancestors(artifact, table, fold, rows, digest, step)
            if fold != EVERY_FOLD and kind == "label" and unit not in COARSE_UNITS:
                made += _list_neighbours(artifact, table, rows, step)
            seen.setdefault(fold, []).extend(made)
    traced = {}
    for name, artifact in outputs.items():
        given = {fold: list(made) for fold, made in seen.items()}
        if not isinstance(artifact, Split):  # a split follows from the sample table alone
            _add(given, of_rows)
            _add(given, {EVERY_FOLD: _find_truth(artifact, aligned, step, allow_leakage)})
        lineage = _give(artifact, given, aligned, digest, unit, step)
        known = _name_rows(artifact, aligned, step)
        traced[name] = artifact.with_lineage(replace(lineage, peers=(*lineage.peers, *known)))
    return traced


@dataclass(frozen=True, eq=False)
class Aligned:
    """An input with rows, the peers along them, and whether outputs are made row by row.

    ``mixed`` says that the step itself lets rows see each other, within their run, say.
    """

    artifact: Artifact
    table: Table
    peers: tuple[Peers, ...]
    by_row: bool
    mixed: bool = False


def _add(into: dict[int, list[Contact]], more: Mapping[int, Iterable[Contact]]) -> None:
    for fold, contacts in more.items():
        into.setdefault(fold, []).extend(contacts)


def _pass_on(artifact: Artifact, digest: str | None, step: str) -> dict[int, list[Contact]]:
    """Return what an input has seen, per fold where it is known which fold is read.

    Folds of another split are not ours. A model that is not per fold is one thing made of all
    folds; so are scores, and the step that uses them answers for that.
    """
    lineage = artifact.lineage
    one = isinstance(artifact, Model) and artifact.n_folds == 0
    by_fold = not one and lineage.split in (None, digest)
    found: dict[int, list[Contact]] = {}
    for fold, contacts in lineage.seen.items():
        if isinstance(artifact, Scores) and fold != EVERY_FOLD:
            found.setdefault(EVERY_FOLD, []).extend(replace(c, step=step) for c in contacts)
        else:
            found.setdefault(fold if by_fold else EVERY_FOLD, []).extend(contacts)
    return found


def _list_ancestors(
    artifact: Artifact, table: Table, fold: int, rows: np.ndarray, digest: str | None, step: str
) -> list[Contact]:
    """Return what the models of other folds had seen, whose rows a fit has looked at.

    Those models kept to their folds; the fit that unites them answers for it.
    """
    lineage = artifact.lineage
    if lineage.split != digest or isinstance(artifact, Responses):
        return []  # handed on for every fold, or read as the fold itself sees them
    makers = np.unique(table["fold"][rows]) if "fold" in table else np.array([*lineage.seen])
    others = [int(maker) for maker in makers if maker not in (fold, EVERY_FOLD)]
    return [replace(c, step=step) for maker in others for c in lineage.seen.get(maker, ())]


def _list_neighbours(
    artifact: Artifact, table: Table, rows: np.ndarray, step: str
) -> list[Contact]:
    """Return a contact with the rows beside those fitted, where their order in time is known."""
    if not isinstance(artifact, Responses) or "sample_id" not in table:
        return []
    runs = _number_mates(table, "run")
    onset_s = table["onset_s"] if "onset_s" in table else np.full(len(table), np.nan)
    if artifact.t_r is None and np.isnan(onset_s).any() and not runs.any():
        return []  # one run, or none that is known, in no known order
    near = find_neighbours(runs, onset_s, rows)
    tokens = {"sample": np.unique(make_row_tokens(table)["sample"][near])}
    return [Contact(step, "neighbour", None, tokens)] if len(near) else []


def _find_truth(
    artifact: Artifact, aligned: list[Aligned], step: str, reason: str | None
) -> list[Contact]:
    """Return a contact for outputs made, row by row, of the very thing they are to predict.

    Made of decoded features instead, they are predictions still.
    """
    if isinstance(artifact, Reconstructions):
        wanted: tuple[type[Artifact], ...] = (Features, Stimuli)
    elif isinstance(artifact, Predictions):
        wanted = (Features, Stimuli) if artifact.of == "features" else (Responses,)
    else:
        return []
    found = []
    table = get_row_table(artifact)
    for given in aligned:
        if not (given.by_row and isinstance(given.artifact, wanted)) or table is None:
            continue
        rows = find_source_rows(table, given.table)
        own = make_row_tokens(table if rows is None else table.take(rows >= 0))
        tokens = {**collect_tokens(own)}
        if not isinstance(given.artifact, Responses):
            tokens |= {
                level: np.union1d(tokens.get(level, np.zeros(0, np.uint64)), more)
                for level, more in collect_tokens(make_row_tokens(given.table)).items()
            }
        elif rows is None:  # other samples' responses: no truth of these
            continue
        found.append(Contact(step, "label", reason, tokens))
    return found


def _name_rows(artifact: Artifact, aligned: list[Aligned], step: str) -> list[Peers]:
    """Return, for predicted rows, what the features looked up for them know of their stimuli.

    Samples may name a stimulus without its source or content. A crop of the same photograph that
    was trained on is then found by what the features say of both.
    """
    if not isinstance(artifact, Predictions):
        return []
    own = make_row_tokens(artifact.rows).get("stimulus", np.zeros((len(artifact.rows), 0)))
    names = []
    for given in aligned:
        if not isinstance(given.artifact, Features | Stimuli):
            continue
        rows = find_source_rows(artifact.rows, given.table)
        tokens = make_row_tokens(given.table).get("stimulus")
        if rows is None or tokens is None:
            continue
        known = np.where(rows[:, None] >= 0, tokens[rows], NOTHING)
        new = (known != NOTHING) & ~(known[:, :, None] == own[:, None]).any(axis=2)
        owner = np.broadcast_to(np.arange(len(rows))[:, None], known.shape)
        if new.any():
            members = {"stimulus": (known[new], owner[new].astype(np.int64))}
            names.append(Peers(step, "label", None, np.arange(len(rows)), members))
    return names


def get_row_table(artifact: Artifact) -> Table | None:
    """Return the table whose rows are the artifact's rows, or None if it has none."""
    if isinstance(artifact, Responses):
        return artifact.samples
    if isinstance(artifact, Predictions):
        return artifact.rows
    if isinstance(artifact, Stimuli | Features | Reconstructions):
        return artifact.items
    return artifact.items if isinstance(artifact, Scores) and artifact.over == "items" else None


def iterate_inputs(inputs: Mapping[str, Any]) -> Iterator[tuple[str, Artifact]]:
    """Yield (input name, artifact) for every artifact handed in, whatever the form."""
    for name, value in inputs.items():
        if isinstance(value, Artifact):
            yield name, value
        elif isinstance(value, Mapping):
            yield from ((name, item) for item in value.values())
        elif isinstance(value, list | tuple):
            yield from ((name, item) for item in value)


def _inherit_split(inputs: Mapping[str, Any]) -> tuple[str | None, str | None]:
    for _, artifact in iterate_inputs(inputs):
        if artifact.lineage.split is not None:
            return artifact.lineage.split, artifact.lineage.unit
    return None, None


def _list_fits(
    artifact: Artifact, table: Table, sight: str, splits: list[Split], digest: str | None
) -> dict[int, np.ndarray]:
    """Return, for each fold, the rows of an input that a fit has looked at."""
    everything = np.arange(len(table))
    if sight != "training" or len({s.digest for s in splits}) != 1:
        return {EVERY_FOLD: everything}  # of several splits, nothing says whose fold is meant
    split = splits[0]
    if isinstance(artifact, Responses) and not _covers(split, table):
        return {EVERY_FOLD: everything}
    folds = {}
    for fold in split.folds():
        fitted = np.concatenate([fold.train, fold.validation])
        if isinstance(artifact, Responses):
            rows = fitted
        elif isinstance(artifact, Predictions):
            same = artifact.split == digest and "fold" in table
            rows = np.flatnonzero(table["fold"] == fold.number) if same else everything
        else:
            ours, theirs = ("sample_id",) * 2 if "sample_id" in table else ("id", "stimulus_id")
            rows = np.flatnonzero(np.isin(table[ours], split.samples[theirs][fitted]))
        folds[fold.number] = rows
    return folds


def _covers(split: Split, table: Table) -> bool:
    """Tell whether a split's row numbers are those of a table."""
    ours, theirs = split.samples, table
    if len(ours) != len(theirs) or ("sample_id" in ours) != ("sample_id" in theirs):
        return False
    return "sample_id" not in ours or np.array_equal(ours["sample_id"], theirs["sample_id"])


def _number_mates(table: Table, sight: str) -> np.ndarray:
    """Return the group of each row: its run or session, or the repeats of its stimulus."""
    if sight == "stimulus":
        return group_samples(table, "stimulus", "lineage")
    places = ("subject", "session", "run")[: 2 if sight == "session" else 3]
    columns = [table[c].astype(str) for c in places if c in table]
    if not columns:  # items without a run: nothing says that they are apart
        return np.zeros(len(table), np.int64)
    names = ["/".join(parts) for parts in zip(*columns, strict=True)]
    return np.unique(names, return_inverse=True)[1].ravel()


def _give(
    artifact: Artifact,
    seen: Mapping[int, list[Contact]],
    aligned: list[Aligned],
    digest: str | None,
    unit: str | None,
    step: str,
) -> Lineage:
    """Return one output's lineage: what it declares itself, and what came through the inputs."""
    own = artifact.lineage
    contacts = {fold: list(made) for fold, made in seen.items()}
    _add(contacts, name_loader(own.seen, step))
    peers, left_over = _align_peers(artifact, get_row_table(artifact), aligned)
    _add(contacts, {EVERY_FOLD: [p.to_contact(np.unique(p.groups)) for p in left_over]})
    return Lineage(
        seen={fold: merge_contacts(made) for fold, made in sorted(contacts.items()) if made},
        peers=(*own.peers, *peers),
        split=own.split or digest,
        unit=own.unit or unit,
    )


def _align_peers(
    artifact: Artifact, table: Table | None, aligned: list[Aligned]
) -> tuple[list[Peers], list[Peers]]:
    """Return the peers along an output's rows, and those whose rows it does not keep."""
    if isinstance(artifact, Split):  # a split follows from the table alone
        return [], []
    peers: list[Peers] = []
    left_over: list[Peers] = []
    for given in aligned:
        if table is None or isinstance(artifact, Scores):
            # Events that a step hands on row by row are none of what its responses were made of.
            handed_on = isinstance(artifact, Events) and not given.mixed
            left_over += given.peers if given.by_row and not handed_on else ()
            continue
        rows = find_source_rows(table, given.table)
        for p in given.peers:
            followed = _follow_stimuli(p, table, given.table) if rows is None else _follow(p, rows)
            if followed is not None:
                peers.append(followed)
            elif given.by_row:
                left_over.append(p)
    return peers, left_over


def find_source_rows(table: Table, source: Table) -> np.ndarray | None:
    """Return the row of an input that each row of an output comes from; -1 for none.

    None where the tables have no identity in common. Rows are told by identity, since
    predictions, say, come in the order of folds, and stacked subjects one below the other.
    """
    names = [("sample_id", "sample_id"), ("id", "id"), ("stimulus_id", "id"), ("id", "stimulus_id")]
    common = [(table[a], source[b]) for a, b in names if a in table and b in source]
    if not common:
        return np.arange(len(table)) if len(table) == len(source) else None
    ours, theirs = common[0]
    if np.array_equal(ours, theirs):
        return np.arange(len(table))
    order = np.argsort(theirs, kind="stable")
    ordered = theirs[order]
    if not len(ordered) or (ordered[1:] == ordered[:-1]).any():
        return None
    at = np.minimum(np.searchsorted(ordered, ours), len(ordered) - 1)
    rows = np.where(ordered[at] == ours, order[at], -1)
    return rows if (rows >= 0).any() else None


def _follow(peers: Peers, rows: np.ndarray) -> Peers:
    """Return peers along other rows; those that come from none of its rows have no peers."""
    return replace(peers, groups=np.where(rows >= 0, peers.groups[rows], -1))


def _follow_stimuli(peers: Peers, table: Table, source: Table) -> Peers | None:
    """Return peers along rows that only share stimuli with the input, as averages of repeats do.

    None unless all rows of a stimulus lie in one group.
    """
    if "stimulus_id" not in table or "stimulus_id" not in source:
        return None
    names, first, code = np.unique(source["stimulus_id"], return_index=True, return_inverse=True)
    if not np.array_equal(peers.groups[first][code.ravel()], peers.groups):
        return None
    at = np.minimum(np.searchsorted(names, table["stimulus_id"]), len(names) - 1)
    known = names[at] == table["stimulus_id"]
    return (
        replace(peers, groups=np.where(known, peers.groups[first][at], -1)) if known.all() else None
    )
