"""How a step's lineage follows from that of its inputs and from what its stage declares to see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from neurodecode.core.artifacts import (
    Artifact,
    Features,
    Predictions,
    Reconstructions,
    Responses,
    Scores,
    Split,
    Stimuli,
)
from neurodecode.core.errors import LeakageError
from neurodecode.core.lineage import (
    EVERY_FOLD,
    Contact,
    Lineage,
    Peers,
    check_scored_rows,
    collect_tokens,
    make_row_tokens,
    merge_contacts,
    mix_rows,
)
from neurodecode.core.stage import Stage
from neurodecode.core.tables import Table


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
        Its ``sees()`` and ``contact`` are believed; the contract test tries them out.
    inputs : mapping of input name to artifact, or list or mapping of artifacts
    outputs : mapping of name to artifact
    step : str
        Named in contacts.
    allow_transductive, allow_leakage : str or None
        Reasons in the pipeline file, which mark the contacts made here as named.
    """
    reason = allow_transductive if stage.contact == "transductive" else allow_leakage
    seen: dict[int, list[Contact]] = {}
    aligned: list[tuple[Table, tuple[Peers, ...], bool]] = []
    truth: list[Contact] = []
    split = next((a for _, a in iterate_inputs(inputs) if isinstance(a, Split)), None)
    digest, unit = (split.digest, split.unit) if split is not None else _inherit_split(inputs)
    sees = stage.sees()
    for name, artifact in iterate_inputs(inputs):
        lineage = artifact.lineage
        for fold, contacts in lineage.seen.items():
            same = lineage.split is None or lineage.split == digest
            seen.setdefault(fold if same else EVERY_FOLD, []).extend(contacts)
        table = get_row_table(artifact)
        if isinstance(artifact, Split) or table is None or not len(table):
            continue
        sight = sees.get(name, "all")
        if sight in ("row", "run"):
            if sight == "run":
                groups = _number_runs(table)
                lineage = mix_rows(
                    lineage, make_row_tokens(table), groups,
                    step=step, kind=stage.contact, reason=reason,
                )  # fmt: skip
            aligned.append((table, lineage.peers, True))
            if isinstance(artifact, Features | Stimuli):
                tokens = make_row_tokens(table)
                truth.append(Contact(step, "label", allow_leakage, collect_tokens(tokens)))
            continue
        aligned.append((table, lineage.peers, False))  # for an output with the very same rows
        folds = _list_fits(artifact, table, sight, split, digest)
        tokens = make_row_tokens(table)
        for fold, rows in folds.items():
            made = [Contact(step, stage.contact, reason, collect_tokens(tokens, rows))]
            made += [p.to_contact(np.unique(p.groups[rows])) for p in lineage.peers]
            seen.setdefault(fold, []).extend(made)
    traced = {}
    for name, artifact in outputs.items():
        given = dict(seen)
        if truth and _stands_for_truth(artifact):
            given[EVERY_FOLD] = [*given.get(EVERY_FOLD, []), *truth]
        traced[name] = artifact.with_lineage(_give(artifact, given, aligned, digest, unit))
    return traced


def _stands_for_truth(artifact: Artifact) -> bool:
    """Tell whether an output is to be like the features or stimuli it was made from.

    Made row by row from true ones, rather than from decoded ones, it is the truth handed in.
    """
    if isinstance(artifact, Predictions):
        return artifact.of == "features"
    return isinstance(artifact, Reconstructions)


def check_scores(
    inputs: Mapping[str, Any], *, step: str, allow_leakage: str | None = None
) -> list[str]:
    """Raise LeakageError if a scoring step is given rows that were seen upstream.

    Returns
    -------
    notices : list of str
        What the scores must carry to the report.
    """
    notices: dict[str, None] = {}
    for name, artifact in iterate_inputs(inputs):
        if not isinstance(artifact, Predictions | Reconstructions):
            continue
        if isinstance(artifact, Predictions) and artifact.role == "training":
            raise LeakageError(
                f"{step}: {name}: these are predictions of training rows, made for a fit at a "
                "second level. Score the step's 'predictions' instead."
            )
        table = artifact.rows if isinstance(artifact, Predictions) else artifact.items
        folds = table["fold"] if "fold" in table else np.full(len(table), EVERY_FOLD)
        levels = ["sample", artifact.unit]
        if isinstance(artifact, Reconstructions):
            # A generator sees stimuli, whatever the unit in which the brain data were split.
            levels.append("stimulus")
        found = check_scored_rows(
            artifact.lineage, table, np.asarray(folds),
            step=step, levels=levels, allow_leakage=allow_leakage,
            known_as=_find_identities(table, inputs),
        )  # fmt: skip
        notices.update(dict.fromkeys(found))
    return list(notices)


def _find_identities(table: Table, inputs: Mapping[str, Any]) -> list[Table]:
    """Return what the stimuli or features scored against know of the scored items.

    Samples may name their stimuli without saying their source or content; a generator or a
    gallery, which has seen the stimuli themselves, knows them by just these.
    """
    wanted = np.asarray(table["stimulus_id" if "stimulus_id" in table else "id"]).astype(str)
    found = []
    for _, artifact in iterate_inputs(inputs):
        if not isinstance(artifact, Stimuli | Features):
            continue
        ids = np.asarray(artifact.items["id"]).astype(str)
        order = np.argsort(ids, kind="stable")
        at = np.minimum(np.searchsorted(ids[order], wanted), len(ids) - 1)
        if len(ids) and np.array_equal(ids[order][at], wanted):
            found.append(artifact.items.take(order[at]))
    return found


def add_notices(artifact: Artifact, notices: list[str]) -> Artifact:
    """Return scores that carry further notices."""
    if isinstance(artifact, Scores) and notices:
        return replace(artifact, notices=(*artifact.notices, *notices))
    return artifact


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
    artifact: Artifact, table: Table, sight: str, split: Split | None, digest: str | None
) -> dict[int, np.ndarray]:
    """Return, for each fold, the rows of an input that a fit has looked at."""
    everything = np.arange(len(table))
    if sight != "training" or split is None:
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
            ids = split.samples["stimulus_id"][fitted]
            rows = np.flatnonzero(np.isin(table["id"], ids))
        folds[fold.number] = rows
    return folds


def _number_runs(table: Table) -> np.ndarray:
    columns = [table[c].astype(str) for c in ("subject", "session", "run") if c in table]
    names = ["/".join(parts) for parts in zip(*columns, strict=True)]
    return np.unique(names, return_inverse=True)[1]


def _give(
    artifact: Artifact,
    seen: Mapping[int, list[Contact]],
    aligned: list[tuple[Table, tuple[Peers, ...], bool]],
    digest: str | None,
    unit: str | None,
) -> Lineage:
    """Return one output's lineage: what it declares itself, and what came through the inputs."""
    own = artifact.lineage
    contacts = {fold: list(made) for fold, made in seen.items()}
    for fold, made in own.seen.items():
        contacts.setdefault(fold, []).extend(made)
    table = get_row_table(artifact)
    peers, left_over = _align_peers(artifact, table, aligned)
    for p in left_over:
        contacts.setdefault(EVERY_FOLD, []).append(p.to_contact(np.unique(p.groups)))
    return Lineage(
        seen={fold: merge_contacts(made) for fold, made in sorted(contacts.items())},
        peers=(*own.peers, *peers),
        split=own.split or digest,
        unit=own.unit or unit,
    )


def _align_peers(
    artifact: Artifact, table: Table | None, aligned: list[tuple[Table, tuple[Peers, ...], bool]]
) -> tuple[list[Peers], list[Peers]]:
    """Return the peers along an output's rows, and those whose rows it does not keep."""
    if isinstance(artifact, Split):  # a split follows from the table alone
        return [], []
    peers: list[Peers] = []
    left_over: list[Peers] = []
    for source, given, row_wise in aligned:
        known = table is not None and not isinstance(artifact, Scores)
        rows = _find_source_rows(table, source) if known and table is not None else None
        if rows is not None:
            peers += [_follow_rows(p, rows) for p in given]
        elif row_wise:
            left_over += given
    return peers, left_over


def _find_source_rows(table: Table, source: Table) -> np.ndarray | None:
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


def _follow_rows(peers: Peers, rows: np.ndarray) -> Peers:
    """Return peers along other rows; those that come from none of its rows have no peers."""
    return replace(peers, groups=np.where(rows >= 0, peers.groups[rows], -1))
