"""The leakage check: may this row be scored, given all that was seen upstream?

A row is touched by a contact that shares one of its tokens at a level that counts: its sample, the
split's unit of independence, and for what a generator made the stimulus, too. A contact of items
alone (a PCA over the features of all stimuli) knows no samples and no runs; it counts where it
knows a test stimulus that no training sample shows. What the row was itself averaged from is part
of the row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from neurodecode.core.artifacts import (
    Artifact,
    Features,
    Predictions,
    Reconstructions,
    Scores,
    Stimuli,
)
from neurodecode.core.errors import LeakageError
from neurodecode.core.lineage import (
    EVERY_FOLD,
    LEVEL_OF_COLUMN,
    Contact,
    Lineage,
    Peers,
    make_row_tokens,
    rename_steps,
    split_step,
)
from neurodecode.core.stage import Stage, read_outputs
from neurodecode.core.tables import Table
from neurodecode.core.trace import iterate_inputs

NO_TOKENS = np.zeros(0, np.uint64)


def is_checked(stage: Stage) -> bool:
    """Tell whether a stage scores: it says so, or it returns Scores whatever it says."""
    given = (output.artifact for output in read_outputs(type(stage)).values())
    return stage.scores or any(issubclass(artifact, Scores) for artifact in given)


def check_scores(
    inputs: Mapping[str, Any],
    *,
    step: str,
    allow_leakage: str | None = None,
    names: Mapping[str, str] | None = None,
) -> list[str]:
    """Raise LeakageError if a scoring step is given rows that were seen upstream.

    Parameters
    ----------
    inputs : mapping of input name to artifact, or list or mapping of artifacts
    step : str
        Name of the scoring step.
    allow_leakage : str or None
        The file's reason for going on.
    names : mapping of str to str, or None
        What the file calls steps that were computed under another name.

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
            rename_steps(artifact.lineage, names or {}), table, np.asarray(folds),
            step=step, levels=levels, allow_leakage=allow_leakage,
            known_as=_find_identities(table, inputs),
        )  # fmt: skip
        notices.update(dict.fromkeys(found))
    return list(notices)


def add_notices(artifact: Artifact, notices: Sequence[str]) -> Artifact:
    """Return scores that carry further notices."""
    if isinstance(artifact, Scores) and notices:
        return replace(artifact, notices=(*artifact.notices, *notices))
    return artifact


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


@dataclass(frozen=True, eq=False)
class ScoredRows:
    """The rows that are scored, by all the names they go by.

    Parameters
    ----------
    tokens : mapping of level to array of uint64, shape (n_rows, n_tokens_of_a_row)
    parts : sequence of Peers
        What each row was made of, beside itself.
    """

    tokens: Mapping[str, np.ndarray]
    parts: Sequence[Peers]

    def find_touched(self, level: str, seen: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return which of some rows share a token with those seen, shape (n,) of bool."""
        touched = np.zeros(len(rows), bool)
        if level in self.tokens:
            touched |= np.isin(self.tokens[level][rows], seen).any(axis=1)
        for part in self.parts:
            values, owner = part.members.get(level, (NO_TOKENS, NO_TOKENS))
            touched |= np.isin(part.groups[rows], owner[np.isin(values, seen)])
        return touched


def check_scored_rows(
    lineage: Lineage,
    table: Table,
    folds: np.ndarray,
    *,
    step: str,
    levels: Iterable[str],
    allow_leakage: str | None = None,
    known_as: Iterable[Table] = (),
) -> list[str]:
    """Raise LeakageError if a scored row was seen upstream; return what must be printed.

    Parameters
    ----------
    lineage : Lineage
        Of the predictions or reconstructions that are scored.
    table : Table, n_rows
        Their sample or item table.
    folds : array of int, shape (n_rows,)
        The fold whose model made each row; -1 where there is none.
    step : str
        Name of the scoring step.
    levels : iterable of str
        Levels at which a shared token is a contact, the split's unit among them.
    allow_leakage : str or None
        The file's reason for going on.
    known_as : iterable of Table, n_rows each
        Further item tables of the same rows, whose names of the stimuli count as well.

    Returns
    -------
    notices : list of str
        Contacts that the file names or allows, neighbours, and lineages that are unknown.

    Raises
    ------
    LeakageError
        A row was seen, or the split's unit is one that cannot be followed.
    """
    tokens = make_row_tokens(table)
    for other in known_as:
        tokens = _join_tokens(tokens, make_row_tokens(other))
    scored = ScoredRows(tokens, [p for p in lineage.peers if p.kind == "label"])
    wanted = _choose_levels(levels, tokens, step)
    notices: dict[str, None] = {}
    named: dict[tuple[str, str, str, str], list[tuple[Contact, int, int, int]]] = {}
    beside: dict[str, int] = {}
    every_fold = np.unique(folds)
    for fold in every_fold:
        rows = np.flatnonzero(folds == fold)
        # A row without a fold was made by no fold's model: whatever any fold saw counts.
        contacts = lineage.contacts(None if fold == EVERY_FOLD else int(fold))
        shown = _collect_trained_stimuli(contacts)
        refused: list[tuple[int, Contact, str]] = []
        for contact in contacts:
            name = split_step(contact.step)[0]
            if contact.kind == "unknown":
                text = f"'{name}' uses a model whose training data are unknown"
                notices[f"unknown lineage: {text} ({contact.reason})."] = None
                continue
            if contact.kind == "neighbour":
                near = scored.find_touched("sample", contact.tokens["sample"], rows)
                beside[name] = beside.get(name, 0) + int(near.sum())
                continue
            level, n_touched = _find_level(contact, scored, rows, wanted, shown)
            if n_touched:
                text = _describe(contact, level, n_touched, len(rows), [int(fold)])
                reason = contact.reason if contact.reason is not None else allow_leakage
                if contact.kind == "transductive" and contact.reason is not None:
                    found = "Transductive contact, named by the file"
                else:  # of labels, or allowed where the rows are scored
                    found = "LEAKAGE, allowed by the file"
                if reason is not None:
                    met = named.setdefault((found, level, contact.step, reason), [])
                    met.append((contact, n_touched, len(rows), int(fold)))
                else:
                    refused.append((n_touched, contact, text))
            if contact.kind == "label" and "stimulus" not in wanted:
                seen = contact.tokens.get("stimulus", NO_TOKENS)
                if scored.find_touched("stimulus", seen, rows).any():
                    notices[
                        f"The split does not keep stimuli apart: '{name}' was trained on "
                        "stimuli that test rows show again. This is no test of new stimuli."
                    ] = None
        if refused:
            refused.sort(key=lambda found: -found[0])  # what has seen most comes first
            rest = " Later folds were not checked." if fold != every_fold[-1] else ""
            raise LeakageError(_word_refusal(step, [found[1:] for found in refused], rest))
    texts = []
    for (found, level, _, reason), met in named.items():
        contacts_met, touched, rows_tested, in_folds = zip(*met, strict=True)
        text = _describe(contacts_met[0], level, sum(touched), sum(rows_tested), in_folds)
        texts.append(f"{found}: {text} Reason given: {reason}")
    told = {name: n for name, n in beside.items() if n}
    return [*texts, *notices, *([_word_neighbours(told, len(table))] if told else [])]


def _find_level(
    contact: Contact,
    scored: ScoredRows,
    rows: np.ndarray,
    wanted: Sequence[str],
    shown: np.ndarray,
) -> tuple[str, int]:
    """Return the first level at which a contact touches some rows, and how many; else 0.

    Parameters
    ----------
    shown : array of uint64
        Stimuli that training samples show.
    """
    of_items = "sample" not in contact.tokens and "stimulus" not in wanted
    for level in [*wanted, "stimulus"] if of_items else wanted:
        touched = scored.find_touched(level, contact.tokens.get(level, NO_TOKENS), rows)
        if level not in wanted:  # a stimulus that training shows anyway gives nothing away
            touched &= ~scored.find_touched(level, shown, rows)
        if touched.any():
            return level, int(touched.sum())
    return "", 0


def _choose_levels(levels: Iterable[str], tokens: Mapping[str, np.ndarray], step: str) -> list[str]:
    """Return the levels to look at; a unit that the rows do not name must not be passed over."""
    named = list(dict.fromkeys(LEVEL_OF_COLUMN.get(level, level) for level in levels))
    lost = [level for level in named if level not in (*tokens, "sample", "stimulus")]
    if lost:
        raise LeakageError(
            f"{step}: the split keeps each {lost[0]} together, but the rows that are scored do not "
            f"name theirs as text or whole numbers. They name: {', '.join(tokens)}. Split by one "
            "of these, or by a column of text or whole numbers."
        )
    return [level for level in named if level in tokens]


def _collect_trained_stimuli(contacts: Iterable[Contact]) -> np.ndarray:
    """Return the stimuli of the samples that were fitted with labels."""
    found = [
        contact.tokens.get("stimulus", NO_TOKENS)
        for contact in contacts
        if contact.kind == "label" and "sample" in contact.tokens
    ]
    return np.unique(np.concatenate([NO_TOKENS, *found]))


def _join_tokens(
    tokens: Mapping[str, np.ndarray], more: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return the tokens of rows under both tables' names."""
    return {
        level: np.concatenate([t[level] for t in (tokens, more) if level in t], axis=1)
        for level in dict.fromkeys((*tokens, *more))
    }


def _describe(
    contact: Contact, level: str, n_touched: int, n_rows: int, folds: Sequence[int]
) -> str:
    where = f" of fold {folds[0]}" if folds[0] != EVERY_FOLD else ""
    if len(folds) > 1:
        where = f" of {len(folds)} folds"
    own, training = split_step(contact.step)
    what = "" if level == "sample" else f"the {level} of "
    when = f", in the training of {training}" if training else ""
    return f"step '{own}' has seen {what}{n_touched} of the {n_rows} test samples{where}{when}."


def _word_neighbours(beside: Mapping[str, int], n_rows: int) -> str:
    steps = " and ".join(f"'{name}'" for name in beside)
    return (
        f"Neighbours in one run: {steps} {'was' if len(beside) == 1 else 'were'} trained on rows "
        f"just before or after {max(beside.values())} of the {n_rows} test rows. What changes "
        "slowly in a run (drift, overlapping responses, arousal) is then no news in the test rows: "
        "little in single-trial estimates of events in random order, much in time series and "
        "blocks. Split by run to rule it out."
    )


def _word_refusal(step: str, refused: Sequence[tuple[Contact, str]], rest: str) -> str:
    contact, text = refused[0]
    own, training = split_step(contact.step)
    if contact.kind == "transductive":
        mend = (
            "It used them without labels (transductive). Give it the split (and "
            "preprocessing.zscore per: training), made from what comes before that step. Or, "
            "where it is right all the same, write why, for the report to print: "
            f"allow_transductive: \"the reason, in words\" in step '{own}'."
        )
    elif training:
        mend = (
            "That was before, outside this file, and no split here changes it. Choose stimuli in "
            "the dataset's step that it has not seen, or train a model with this split. To go on "
            "all the same, with a red note on every figure: allow_leakage: "
            f"\"the reason, in words\" in step '{step}'."
        )
    else:
        mend = (
            f"Give '{own}' the split, so that it sees training rows only, or split by a "
            "coarser unit. To go on all the same, with a red note on every figure: "
            f"allow_leakage: \"the reason, in words\" in step '{own}' or '{step}'."
        )
    others = sorted({f"'{split_step(c.step)[0]}'" for c, _ in refused[1:]} - {f"'{own}'"})
    also = f" So have {', '.join(others)}." if others else ""
    return f"{step}: {text}{also}{rest} {mend}"
