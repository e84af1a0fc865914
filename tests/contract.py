"""What every stage promises, tried out: the checks behind test_stage_contract.py.

``check_sight`` believes nothing that ``sees()`` says: it changes some rows of an input and looks
at which rows of the outputs follow. ``check_company`` puts other rows beside those there are, and
looks whether these stay as they were.

A fit may look at validation rows: lineage counts them as seen, and scoring them is what is stopped.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from neurodecode.core.artifacts import (
    UNUSED,
    Artifact,
    Document,
    Features,
    Model,
    Predictions,
    Reconstructions,
    Responses,
    Scores,
    Split,
    Stimuli,
)
from neurodecode.core.digests import digest_array
from neurodecode.core.lineage import make_row_tokens
from neurodecode.core.packing import digest_parts, pack
from neurodecode.core.stage import Stage, read_outputs
from neurodecode.core.tables import Table
from neurodecode.core.trace import BY_ROW, get_row_table, iterate_inputs


class BrokenPromise(AssertionError):
    """A stage does not do what it declares."""


def digest(artifact: Artifact) -> str:
    arrays, meta = pack(artifact)
    return digest_parts({name: digest_array(array) for name, array in arrays.items()}, meta)


def run_stage(stage: Stage, inputs: Mapping[str, Any]) -> dict[str, Artifact]:
    """Run a stage and check what comes out against the annotations of ``run``."""
    made = stage.run(**inputs)
    wanted = read_outputs(type(stage))
    outputs = {next(iter(wanted)): made} if isinstance(made, Artifact) else dict(made)
    for name, spec in wanted.items():
        if name not in outputs and not spec.optional:
            raise BrokenPromise(f"{stage.stage}: run did not return '{name}'")
    for name, artifact in outputs.items():
        if name not in wanted or not isinstance(artifact, wanted[name].artifact):
            raise BrokenPromise(f"{stage.stage}: '{name}' is a {type(artifact).__name__}")
    return outputs


def check_documented(stage: type[Stage]) -> None:
    doc = stage.__doc__ or ""
    if len(doc.strip()) < 20:
        raise BrokenPromise(f"{stage.stage}: no docstring")
    for name in stage.model_fields:
        documented = re.search(rf"^\s*(\w+, )*{name}(, \w+)* : ", doc, re.MULTILINE)
        if name != "execution" and not documented:
            raise BrokenPromise(f"{stage.stage}: setting '{name}' is not in the docstring")


def check_repeatable(stage: Stage, inputs: Mapping[str, Any]) -> dict[str, Artifact]:
    """Run twice: the same bytes, and inputs as they were."""
    before = [digest(artifact) for _, artifact in iterate_inputs(inputs)]
    first = run_stage(stage, inputs)
    second = run_stage(stage, inputs)
    for name in first:
        if digest(first[name]) != digest(second[name]):
            raise BrokenPromise(f"{stage.stage}: '{name}' differs from run to run, with one seed")
    if [digest(artifact) for _, artifact in iterate_inputs(inputs)] != before:
        raise BrokenPromise(f"{stage.stage}: run changes its inputs in place")
    return first


def check_moves_rows(stage: Stage, inputs: Mapping[str, Any], made: dict[str, Artifact]) -> None:
    """Check that each row of responses goes to one row of the output, unchanged."""
    (name, given), (out, old) = next(iterate_inputs(inputs)), next(iter(made.items()))
    new = run_stage(stage, {**inputs, name: change_rows(given, np.array([0]))})[out]
    follow = np.any(np.asarray(old.data) != np.asarray(new.data), axis=-1)
    moved = {row.tobytes() for row in np.asarray(new.data)}
    if follow.sum() != 1 or len(moved) != len(given.data):
        raise BrokenPromise(f"{stage.stage}: rows of {name} are mixed, not moved")


def check_sight(
    stage: Stage, inputs: Mapping[str, Any], before: dict[str, Artifact] | None = None
) -> list[str]:
    """Change rows of each input, and raise BrokenPromise where more follows than is declared.

    Returns
    -------
    tried : list of str
        "input: sight" of every declaration that was tried out.
    """
    before = before or run_stage(stage, inputs)
    split = next((a for _, a in iterate_inputs(inputs) if isinstance(a, Split)), None)
    tried = []
    for name, sight in stage.sees().items():
        for given, put in _list_given(inputs, name):
            if isinstance(given, Split) or get_row_table(given) is None:
                continue
            if sight in BY_ROW:
                change = partial(_run_changed, stage, given, put)
                _check_rows(stage, change, before, name, given, sight)
            elif sight == "training" and split is not None:
                for fold in range(split.n_folds):
                    _check_fold(stage, put, before, name, given, split, fold)
                if isinstance(given, Responses):
                    _check_labels(stage, put, before, name, given, split)
                if not _names_split(inputs):
                    _check_unused(stage, inputs, put, name, given, split)
            else:
                continue
            tried.append(f"{name}: {sight}")
    return tried


Put = Callable[..., dict[str, Any]]
Change = Callable[[np.ndarray, str], dict[str, Artifact]]


def _list_given(inputs: Mapping[str, Any], name: str) -> list[tuple[Artifact, Put]]:
    """Return every artifact of an input, and how to put another in its place."""
    value = inputs.get(name)
    base = dict(inputs)
    if isinstance(value, Artifact):
        return [(value, lambda new, base=base: {**base, name: new})]
    if isinstance(value, Mapping):
        return [
            (v, lambda new, base=base, k=k: {**base, name: {**value, k: new}})
            for k, v in value.items()
        ]
    if isinstance(value, list | tuple):
        return [
            (v, lambda new, base=base, i=i: {**base, name: [*value[:i], new, *value[i + 1 :]]})
            for i, v in enumerate(value)
        ]
    return []


def _run_changed(
    stage: Stage, given: Artifact, put: Put, rows: np.ndarray, how: str
) -> dict[str, Artifact]:
    return run_stage(stage, put(change_rows(given, rows, how)))


def change_rows(artifact: Any, rows: np.ndarray, how: str = "noise") -> Any:
    """Return an artifact with other data in some rows, its table as it was.

    "copy" gives them the data of other rows, so that what tells copies from originals shows;
    "large" makes them outliers, so that what looks at ranks, extremes or norms does.
    """
    data = np.array(artifact.data)
    if how == "copy":
        data[rows] = data[(np.asarray(rows) + len(data) // 2 + 1) % len(data)]
    elif data.dtype.kind == "U":
        data[rows] = [text[::-1] + "x" for text in data[rows]]
    elif data.dtype == np.uint8:
        data[rows] = 255 - data[rows] if how == "noise" else np.where(data[rows] > 127, 0, 255)
    elif isinstance(artifact, Reconstructions):
        data[rows] = 1 - data[rows] if how == "noise" else np.round(data[rows])
    elif how == "large":
        data[rows] = 30 * data[rows] - 7
    else:
        # neither a shift, a scale nor a turn of signs alone: each may cancel in what follows
        noise = np.random.default_rng(7).uniform(0.2, 3.0, data[rows].shape)
        data[rows] = data[rows] * noise.astype(data.dtype) + noise[::-1].astype(data.dtype)
    return replace(artifact, data=data)


def _check_rows(
    stage: Stage,
    change: Change,
    before: dict[str, Artifact],
    name: str,
    given: Artifact,
    sight: str,
) -> None:
    table = get_row_table(given)
    every = np.arange(len(table))
    for rows, how in (
        (every[1:2], "copy"), (every[-1:], "large"),
        (every[::2], "large"), (every[1::2], "noise"),
    ):  # fmt: skip
        changed = change(rows, how)
        what = f"sees '{sight}' of {name}, rows {rows[:3].tolist()}"
        for out, old in before.items():
            new = changed[out]
            own = get_row_table(old)
            if own is None:
                if isinstance(old, Model | Split) and digest(old) != digest(new):
                    raise BrokenPromise(
                        f"{stage.stage}: {what}: '{out}', which has no rows, follows"
                    )
                continue
            if isinstance(old, Scores):
                continue
            follow = _find_kin(own, table, rows, sight)
            _compare(stage, old, new, ~follow, f"{what}: {out}")
            _compare_rest(stage, old, new, f"{what}: {out}")


def check_company(
    stage: Stage, inputs: Mapping[str, Any], before: dict[str, Artifact], n_rows: int = 200
) -> bool:
    """Give a stage that sees rows, runs or stimuli more of them; those it had must not change.

    Some promises are kept among few rows and broken among many (a batch, a cap, a threshold).

    Returns
    -------
    tried : bool
        False for stages that take a split or are not by row.
    """
    sees = stage.sees()
    given = {
        name: artifact
        for name, artifact in iterate_inputs(inputs)
        if get_row_table(artifact) is not None
    }
    others = any(isinstance(a, Split | Scores) for _, a in iterate_inputs(inputs))
    if not given or others or any(sees.get(name, "all") not in BY_ROW for name in given):
        return False

    def lengthen(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {label: lengthen(item) for label, item in value.items()}
        if isinstance(value, list | tuple):
            return [lengthen(item) for item in value]
        return value if get_row_table(value) is None else add_company(value, n_rows)

    after = run_stage(stage, {name: lengthen(value) for name, value in inputs.items()})
    for name, old in before.items():
        own, more = get_row_table(old), get_row_table(after[name])
        if own is None or more is None or isinstance(old, Scores):
            continue
        column = next(c for c in ("sample_id", "id", "stimulus_id") if c in own)
        keys = [own[column].astype(str), more[column].astype(str)]
        if "fold" in own:
            keys = [
                np.char.add(k, t["fold"].astype(str))
                for k, t in zip(keys, (own, more), strict=True)
            ]
        place = {key: row for row, key in reversed([*enumerate(keys[1].tolist())])}
        if not set(keys[0].tolist()) <= set(place):
            raise BrokenPromise(f"{stage.stage}: {name}: rows are lost in the company of others")
        first = np.asarray(old.data)
        second = np.asarray(after[name].data)[[place[key] for key in keys[0].tolist()]]
        same = first.shape == second.shape and (
            np.array_equal(first, second)
            if first.dtype.kind not in "f"
            # blocks of another size are summed in another order
            else np.allclose(first, second, rtol=1e-4, atol=1e-5 * np.abs(first).max())
        )
        if not same:
            raise BrokenPromise(f"{stage.stage}: {name}: rows follow the company they are in")
    return True


def add_company(artifact: Any, n_rows: int) -> Any:
    """Return an artifact with more rows behind its own: other data, stimuli, runs, sessions."""
    n_copies = -(-n_rows // len(artifact.data))
    table = get_row_table(artifact)
    columns: dict[str, list[np.ndarray]] = {name: [table[name]] for name in table}
    data = [np.asarray(artifact.data)]
    for copy in range(1, n_copies):
        every = np.arange(len(table))
        data.append(np.asarray(change_rows(artifact, every, "noise").data)[::-1])
        for name in table:
            values = table[name]
            if name in ("sample_id", "row"):
                values = values + values.dtype.type(copy * 100_000)
            elif name in ("stimulus_id", "id", "source", "digest", "run", "session"):
                text = values.astype(str)
                values = np.where(text == "", "", np.char.add(text, f"+{copy}"))
            columns[name].append(values)
    joined = Table({name: np.concatenate(parts) for name, parts in columns.items()})
    names = {Responses: "samples", Predictions: "rows"}
    return replace(
        artifact, data=np.concatenate(data), **{names.get(type(artifact), "items"): joined}
    )


def _check_fold(
    stage: Stage,
    put: Put,
    before: dict[str, Artifact],
    name: str,
    given: Artifact,
    split: Split,
    fold: int,
) -> None:
    """Change test rows of a fold: one stimulus, the first or the last, and all of them."""
    table = get_row_table(given)
    tested = np.unique(split.samples["stimulus_id"][split.fold(fold).test])
    column = "stimulus_id" if "stimulus_id" in table else "id"
    if isinstance(given, Predictions) and "fold" in table:
        # Predictions of another fold are another model's affair.
        choices = [(np.flatnonzero(table["fold"] != fold), np.zeros(0, tested.dtype))]
    else:
        one = tested[:1] if fold % 2 == 0 else tested[-1:]
        choices = [(np.flatnonzero(np.isin(table[column], some)), some) for some in (one, tested)]
    for rows, shown in choices:
        if not len(rows):
            continue
        how = "noise" if len(shown) == 1 else "large"
        changed = run_stage(stage, put(change_rows(given, rows, how)))
        what = f"sees the training rows of {name}, {len(rows)} test rows of fold {fold} changed: "
        for out, old in before.items():
            _compare_fold(stage, old, changed[out], given, shown, fold, what + out)


def _check_labels(
    stage: Stage,
    put: Put,
    before: dict[str, Artifact],
    name: str,
    given: Responses,
    split: Split,
) -> None:
    """Change what tables say of the category of test rows, in the split's table as well."""
    labels = [c for c in ("category", "label") if c in given.samples]
    base = put(given)
    where = next(n for n, a in base.items() if isinstance(a, Split))
    for fold in split.folds() if labels else ():
        tables = {}
        for table in (given.samples, split.samples):
            columns = {c: np.array(table[c]) for c in labels}
            for values in columns.values():
                unlike = values[values != values[fold.test][0]]
                values[fold.test] = unlike[0] if len(unlike) else values[fold.test]
            tables[id(table)] = table.with_columns(**columns)
        new = replace(given, samples=tables[id(given.samples)])
        changed = {**put(new), where: replace(split, samples=tables[id(split.samples)])}
        made = run_stage(stage, changed)
        what = f"sees the training rows of {name}, labels of test rows changed: "
        for out, old in before.items():
            if isinstance(old, Model):
                _compare_model(stage, old, made[out], fold.number, what + out)
            elif isinstance(old, Predictions) and "fold" in old.rows:
                _compare(stage, old, made[out], old.rows["fold"] == fold.number, what + out)


def _check_unused(
    stage: Stage,
    inputs: Mapping[str, Any],
    put: Put,
    name: str,
    given: Artifact,
    split: Split,
) -> None:
    """Leave a training stimulus unused, and change its rows: no fold's fit may follow."""
    table = get_row_table(given)
    column = "stimulus_id" if "stimulus_id" in table else "id"
    samples = split.samples["stimulus_id"]
    left_out = np.unique(samples)[-1:]
    roles = np.array(split.roles)
    roles[:, np.isin(samples, left_out)] = UNUSED
    where = next(n for n, a in inputs.items() if isinstance(a, Split))
    unused = replace(split, roles=roles)
    before = run_stage(stage, {**put(given), where: unused})
    rows = np.flatnonzero(np.isin(table[column], left_out))
    changed = run_stage(stage, {**put(change_rows(given, rows)), where: unused})
    what = f"sees the training rows of {name}, unused rows changed: "
    for fold in range(split.n_folds):
        for out, old in before.items():
            _compare_fold(stage, old, changed[out], given, left_out, fold, what + out)


def _names_split(inputs: Mapping[str, Any]) -> bool:
    """Tell whether an input was itself made with the split, and so goes with no other."""
    return any(
        getattr(a, "split", "") for _, a in iterate_inputs(inputs) if not isinstance(a, Split)
    )


def _compare_fold(
    stage: Stage, old: Any, new: Any, given: Artifact, shown: np.ndarray, fold: int, what: str
) -> None:
    """Compare an output as one fold sees it; rows of the stimuli shown may follow."""
    if isinstance(old, Model):
        _compare_model(stage, old, new, fold, what)
        return
    own = get_row_table(old)
    if own is None or isinstance(old, Scores | Document):
        return
    follow = np.isin(own["stimulus_id" if "stimulus_id" in own else "id"], shown)
    if "fold" in own:
        inside = own["fold"] == fold
        _compare(stage, old, new, inside & (~follow | _is_target(given, old)), what)
    elif isinstance(old, Responses) and old.foldwise is not None:
        rows_left = np.flatnonzero(~follow)
        first, second = (one.read(rows_left, fold=fold) for one in (old, new))
        if not np.array_equal(first, second):
            raise BrokenPromise(f"{stage.stage}: {what} as fold {fold} reads it follows")
    else:
        _compare(stage, old, new, ~follow, what)
    _compare_rest(stage, old, new, what, but="foldwise/")


def _is_target(given: Artifact, output: Artifact) -> bool:
    """Tell whether a row of the input is the truth that the output's row is to predict."""
    if isinstance(output, Predictions):
        wanted = Features if output.of == "features" else Responses
        return type(given) is wanted
    return isinstance(output, Reconstructions) and isinstance(given, Stimuli)


def _find_kin(own: Table, table: Table, rows: np.ndarray, sight: str) -> np.ndarray:
    """Return which rows of an output may follow some rows of an input."""
    if sight == "time" and "run" not in table:  # what is shown may be shown in any run
        return np.ones(len(own), bool)
    if sight in ("time", "run", "session"):
        places = ("subject", "session", "run")[: 2 if sight == "session" else 3]
        columns = [c for c in places if c in table and c in own]
        names = ["/".join(parts) for parts in zip(*(table[c][rows] for c in columns), strict=True)]
        ours = ["/".join(parts) for parts in zip(*(own[c] for c in columns), strict=True)]
        return np.isin(ours, names)
    if sight == "stimulus":
        return np.isin(
            make_row_tokens(own)["stimulus"], make_row_tokens(table)["stimulus"][rows]
        ).any(axis=1)
    for mine, theirs in (("sample_id", "sample_id"), ("id", "id"), ("stimulus_id", "id")):
        if mine in own and theirs in table:
            ours, names = own[mine].astype(str), table[theirs][rows].astype(str)
            if "fold" in own and "fold" in table:
                ours = np.char.add(ours, own["fold"].astype(str))
                names = np.char.add(names, table["fold"][rows].astype(str))
            return np.isin(ours, names)
    raise BrokenPromise(f"rows of {list(own)} cannot be told to be those of {list(table)}")


def _compare(stage: Stage, old: Any, new: Any, rows: np.ndarray | bool, what: str) -> None:
    if np.shape(old.data) != np.shape(new.data):
        raise BrokenPromise(f"{stage.stage}: {what}: the number of rows follows")
    rows = np.flatnonzero(np.broadcast_to(rows, len(old.data)))
    first, second = np.asarray(old.data)[rows], np.asarray(new.data)[rows]
    if first.tobytes() != second.tobytes():
        raise BrokenPromise(f"{stage.stage}: {what}: other rows follow, too")


def _compare_rest(stage: Stage, old: Artifact, new: Artifact, what: str, but: str = "-") -> None:
    """Compare all that is not the rows' data: tables, spaces, and what describes them."""
    (first, about), (second, told) = pack(old), pack(new)
    for name in first:
        if name == old.rows_field or name.startswith(but):
            continue
        if digest_array(first[name]) != digest_array(second[name]):
            raise BrokenPromise(f"{stage.stage}: {what}: {name} follows")
    if about != told:
        raise BrokenPromise(f"{stage.stage}: {what}: what describes it follows")


def _compare_model(stage: Stage, old: Model, new: Model, fold: int, what: str) -> None:
    """Compare the arrays of one fold, and those that every fold shares."""
    for mine, theirs in ((old.arrays, new.arrays), (old.curve, new.curve)):
        for name in mine:
            if re.match(r"fold\d+/", name) and not name.startswith(f"fold{fold}/"):
                continue
            if digest_array(np.asarray(mine[name])) != digest_array(np.asarray(theirs[name])):
                raise BrokenPromise(f"{stage.stage}: {what}: {name} follows")
