"""What can be wrong with a dataset before anything is fitted: a dry run over ids and numbers.

The check for shifted trials fits a kernel ridge from responses to stimuli with each trial left
out in turn (closed form: Hastie, Tibshirani, Friedman 2009, eq. 7.64), once for every lag between
the two. Trials that belong together are predicted best at lag 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from neurodecode.core.artifacts import Responses, Stimuli
from neurodecode.core.checks import list_names
from neurodecode.core.digests import digest_array
from neurodecode.core.errors import DataError

ERROR, NOTE = "error: ", "note: "
LAGS = (-2, -1, 0, 1, 2)
MOST_TRIALS = 400
FEWEST_TRIALS = 30
MOST_AXES = 10
# Without any relation, r scatters by about 1.4 / sqrt(n_trials * n_axes) (measured on noise); the
# best of eight wrong lags exceeds lag 0 by four times that in less than 1 of 100 datasets.
CLEARLY_BETTER = 6.0


def check_dataset(responses: Responses, stimuli: Stimuli | None = None) -> list[str]:
    """Return what is wrong ("error: ...") or worth knowing ("note: ...") about a dataset."""
    samples = responses.samples
    runs = [samples[name] for name in ("subject", "session", "run") if name in samples]
    return check_arrays(
        np.asarray(responses.data),
        samples["stimulus_id"],
        None if stimuli is None else stimuli.items["id"],
        None if stimuli is None or stimuli.of != "image" else np.asarray(stimuli.data),
        ["/".join(names) for names in zip(*runs, strict=True)] if runs else None,
    )


def check_arrays(
    responses: np.ndarray,
    stimulus_ids: Sequence[str] | np.ndarray,
    item_ids: Sequence[str] | np.ndarray | None = None,
    images: np.ndarray | None = None,
    runs: Sequence[str] | np.ndarray | None = None,
) -> list[str]:
    """Return what is wrong or worth knowing, one sentence or two each.

    Parameters
    ----------
    responses : array, shape (n_samples, n_voxels) or (n_samples, n_channels, n_times)
    stimulus_ids : sequence of str, n_samples
        What was shown in each sample.
    item_ids : sequence of str, n_items, or None
        Ids of the stimuli that there are.
    images : array, shape (n_items, ...), or None
    runs : sequence of str, n_samples, or None
        Lags are not taken over the edges of runs.

    Returns
    -------
    findings : list of str
        Each starts with "error: " or "note: "; errors first.
    """
    flat = responses.reshape(len(responses), -1)
    ids = np.asarray(stimulus_ids).astype(str)
    runs = np.zeros(len(ids), int) if runs is None else np.asarray(runs)
    lengths = {"responses": len(flat), "stimulus ids": len(ids), "runs": len(runs)}
    if len(set(lengths.values())) > 1:
        got = ", ".join(f"{name} {n}" for name, n in lengths.items())
        return [f"{ERROR}lengths differ: {got}. Check which arrays belong together."]
    findings = _check_columns(flat)
    if item_ids is None:
        return sorted(findings)
    items = np.asarray(item_ids).astype(str)
    if images is not None and len(images) != len(items):
        return [
            f"{ERROR}lengths differ: stimuli {len(images)}, their ids {len(items)}. "
            "Check which arrays belong together.",
            *findings,
        ]
    findings += _check_ids(ids, items)
    if images is not None:
        findings += _check_images(items, images)
        if not any(finding.startswith(ERROR) for finding in findings):
            findings += _check_shift(flat, ids, items, images, runs)
    return sorted(findings)


def refuse_errors(findings: Sequence[str], *, keep_nan: bool, where: str) -> None:
    """Raise DataError that tells all errors among the findings."""
    errors = [finding.removeprefix(ERROR) for finding in findings if finding.startswith(ERROR)]
    if keep_nan:
        errors = [error for error in errors if "NaN or infinite" not in error]
    if errors:
        raise DataError(f"{where}: {' '.join(errors)}")


def format_findings(findings: Sequence[str]) -> str:
    """Return findings as an HTML list."""
    lines = "".join(f"<li>{escape(finding)}</li>" for finding in findings)
    return f"<ul>{lines}</ul>" if lines else "<p>Nothing to report.</p>"


def _check_columns(flat: np.ndarray) -> list[str]:
    finite = np.isfinite(flat)
    findings = []
    if not finite.all():
        columns, rows = np.flatnonzero(~finite.all(0)), np.flatnonzero(~finite.all(1))
        all_rows = (~finite).all(0).sum() == len(columns)
        where = "all" if all_rows else f"{len(rows)} ({_list(rows)}) of the {len(flat)}"
        them = "voxels" if all_rows else "voxels or samples"
        findings.append(
            f"{ERROR}{len(columns)} of {flat.shape[1]} voxels (counted from 0: {_list(columns)}) "
            f"are NaN or infinite, in {where} samples. Remove those {them} from the file "
            "(numpy.delete), and from all that goes with them. Or set keep_nan: true, if a stage "
            "of your own removes them: no other takes NaN."
        )
    with np.errstate(invalid="ignore"):
        constant = np.flatnonzero((flat == flat[:1]).all(0)) if len(flat) > 1 else np.zeros(0, int)
    if len(constant):
        findings.append(
            f"{NOTE}{len(constant)} of {flat.shape[1]} response columns never change "
            f"({_list(constant)}). Mask them before they are standardised."
        )
    digests: dict[str, int] = {}
    twins = []
    for row, values in enumerate(flat):
        first = digests.setdefault(digest_array(values), row)
        if first != row:
            twins.append(f"{first} and {row}")
    if twins:
        findings.append(
            f"{NOTE}{len(twins)} samples repeat the responses of an earlier one to the last digit "
            f"({list_names(twins, 5)})."
        )
    return findings


def _check_ids(ids: np.ndarray, items: np.ndarray) -> list[str]:
    findings = []
    names, counts = np.unique(items, return_counts=True)
    if (counts > 1).any():
        findings.append(
            f"{ERROR}{int((counts > 1).sum())} stimulus ids are given to several stimuli "
            f"({list_names(list(names[counts > 1]), 5)}). Give each stimulus an id of its own."
        )
    missing = np.flatnonzero(~np.isin(ids, items) | (ids == ""))
    if len(missing):
        findings.append(ERROR + _explain_missing(ids, items, missing))
    unused = names[~np.isin(names, ids)]
    if len(unused):
        findings.append(f"{NOTE}{len(unused)} stimuli were never shown ({list_names(unused, 5)}).")
    shown_names, shown_counts = np.unique(ids, return_counts=True)
    repeated = shown_names[shown_counts > 1]
    if len(repeated):
        findings.append(
            f"{NOTE}{len(repeated)} stimuli were shown more than once, up to "
            f"{int(shown_counts.max())} times ({list_names(repeated, 5)})."
        )
    return findings


def _explain_missing(ids: np.ndarray, items: np.ndarray, missing: np.ndarray) -> str:
    """Tell which samples name no stimulus, and whether they only count from another number."""
    shown = ", ".join(f"row {row} '{ids[row]}'" for row in missing[:6])
    more = f" and {len(missing) - 6} more" if len(missing) > 6 else ""
    which = (
        f"of {len(ids)} samples, {len(missing)} name a stimulus that is not there ({shown}{more})"
    )
    try:
        asked, there = {int(i) for i in ids}, {int(i) for i in items}
    except ValueError:
        asked, there = set(), set()
    for step in (-1, 1):
        if asked and {i + step for i in asked} <= there:
            return (
                f"the samples' stimulus ids run from {min(asked)} to {max(asked)}, but the stimuli "
                f"are numbered {min(there)} to {max(there)}: {which}. Set count_from: "
                f"{int(step < 0)}, if the ids count the stimuli from {int(step < 0)}; otherwise "
                "correct the ids."
            )
    return f"{which}. Correct the samples' ids, or add the missing stimuli."


def _check_images(items: np.ndarray, images: np.ndarray) -> list[str]:
    first: dict[str, str] = {}
    twins = []
    for name, image in zip(items, images, strict=True):
        earlier = first.setdefault(digest_array(image), str(name))
        if earlier != name:
            twins.append(f"{earlier} = {name}")
    if not twins:
        return []
    return [f"{NOTE}{len(twins)} stimuli have the content of another ({list_names(twins, 5)})."]


def _check_shift(
    flat: np.ndarray, ids: np.ndarray, items: np.ndarray, images: np.ndarray, runs: np.ndarray
) -> list[str]:
    order = np.argsort(items, kind="stable")
    item = order[np.searchsorted(items[order], ids)][:MOST_TRIALS]
    flat, runs = flat[:MOST_TRIALS], runs[:MOST_TRIALS]
    # Only the pictures that a lag can reach are read: there may be many thousands.
    reached = np.unique(item[:, None] + np.array(LAGS))
    reached = reached[(reached >= 0) & (reached < len(items))]
    small = _shrink(np.asarray(images[reached]))

    def pictures(rows: np.ndarray) -> np.ndarray:
        return small[np.searchsorted(reached, rows)]

    trials, by_trial, by_item = np.arange(len(item)), {}, {}
    for lag in LAGS:
        at = trials + lag
        valid = (at >= 0) & (at < len(item))
        valid[valid] = runs[trials[valid]] == runs[at[valid]]
        by_trial[lag] = score_pairs(flat[valid], pictures(item[at[valid]]))
        at = item + lag
        valid = (at >= 0) & (at < len(items))
        by_item[lag] = score_pairs(flat[valid], pictures(at[valid]))
    margin = CLEARLY_BETTER / np.sqrt(len(item) * _count_axes(pictures(item)))
    for scores, what in ((by_trial, "the trials"), (by_item, "the list of stimuli")):
        best = max(LAGS, key=lambda lag: scores[lag])
        if scores[best] > max(scores[0], 0.0) + margin:
            found = (
                f"{NOTE}stimuli look shifted by {best:+d} along {what}: responses predict the "
                f"stimulus there (left-out r {scores[best]:.2f}) better than their own "
                f"({scores[0]:.2f}). Check the ids before anything else."
            )
            return [found]
    return []


def score_pairs(responses: np.ndarray, targets: np.ndarray) -> float:
    """Return how well targets are predicted from responses, each trial left out in turn.

    Parameters
    ----------
    responses : array, shape (n_trials, n_voxels)
    targets : array, shape (n_trials, n_dims)

    Returns
    -------
    r : float
        Correlation over trials and the targets' ten first principal components, in their own
        scale; 0 where there are fewer than 30 trials or nothing varies.
    """
    n = len(responses)
    if n < FEWEST_TRIALS:
        return 0.0
    X = responses.astype(np.float64) - responses.mean(0)
    scale = X.std(0)
    X, Y = X[:, scale > 0] / scale[scale > 0], targets.astype(np.float64) - targets.mean(0)
    if not X.size or not Y.any():
        return 0.0
    kernel = X @ X.T
    hat = np.linalg.solve(kernel + np.eye(n) * np.trace(kernel) / n, kernel).T
    leverage = np.diag(hat)[:, None]
    left_out = (hat @ Y - leverage * Y) / (1 - leverage)  # eq. 7.64
    axes = np.linalg.svd(Y, full_matrices=False)[2][:MOST_AXES].T
    return float(np.corrcoef((left_out @ axes).ravel(), (Y @ axes).ravel())[0, 1])


def _count_axes(targets: np.ndarray) -> float:
    """Return how many principal components share the variance (participation ratio)."""
    variances = np.linalg.svd(targets - targets.mean(0), compute_uv=False)[:MOST_AXES] ** 2
    return float(variances.sum() ** 2 / (variances**2).sum()) if variances.any() else 1.0


def _shrink(images: np.ndarray, size: int = 16) -> np.ndarray:
    """Return images as flat rows of about 16 x 16 block means over the colours."""
    grey = images.reshape(*images.shape[:3], -1).mean(3)
    n, height, width = grey.shape
    step = (max(1, height // size), max(1, width // size))
    grey = grey[:, : height // step[0] * step[0], : width // step[1] * step[1]]
    blocks = grey.reshape(n, height // step[0], step[0], width // step[1], step[1])
    return blocks.mean((2, 4)).reshape(n, -1)


def _list(numbers: np.ndarray, most: int = 12) -> str:
    more = f" and {len(numbers) - most} more" if len(numbers) > most else ""
    return ", ".join(str(n) for n in numbers[:most]) + more
