"""The repetition time of a run, from everything that states one."""

from __future__ import annotations

from collections.abc import Mapping

from neurodecode.core.errors import DataError

TOLERANCE_S = 1e-3  # headers hold single precision, sidecars are rounded
LONGEST_S = 100.0  # a larger number is in milliseconds, whatever the unit says


def read_header_t_r(value: float, unit: str) -> float | None:
    """Return the repetition time of a header in seconds, None where it states none.

    Parameters
    ----------
    value : float
        As it is written.
    unit : str
        "sec", "msec", "usec", or "unknown", which many programs write and mean seconds.

    Examples
    --------
    >>> read_header_t_r(2400.0, "msec"), read_header_t_r(2.5, "unknown"), read_header_t_r(0, "sec")
    (2.4, 2.5, None)
    """
    if not 0 < value < float("inf"):
        return None
    seconds = float(value) / {"msec": 1e3, "usec": 1e6}.get(unit, 1.0)
    return seconds / 1e3 if seconds > LONGEST_S else seconds


def settle_t_r(
    stated: float | None,
    sidecars: Mapping[str, float | None],
    header: float | None,
    *,
    ignore_header: bool,
    where: str,
) -> float:
    """Return the one repetition time that all sources agree on, seconds.

    Parameters
    ----------
    stated : float or None
        By the setting ``t_r``.
    sidecars : mapping of str to float or None
        By metadata files, by what they are called.
    header : float or None
        By the image's header.
    ignore_header : bool
        The header is known to be wrong.
    where : str
        Names the run.

    Raises
    ------
    DataError
        Nothing states it, or two differ.

    Examples
    --------
    >>> settle_t_r(2.4, {}, 1.0, ignore_header=True, where="run-1")
    2.4
    """
    found = {"t_r in the pipeline": stated, **sidecars}
    if not ignore_header:
        found["the image's header"] = header
    known = {source: value for source, value in found.items() if value is not None}
    if not known:
        told = (
            "Nothing but a header that is to be ignored states it"
            if ignore_header
            else "Neither header nor sidecar states it"
        )
        raise DataError(f"{where}: the repetition time is not known. {told}. Set t_r, in seconds.")
    first = next(iter(known.values()))
    if all(abs(value - first) <= TOLERANCE_S for value in known.values()):
        return first
    said = ", ".join(f"{value:g} s by {source}" for source, value in known.items())
    others = [v for s, v in known.items() if s != "the image's header"]
    only_header = others and max(others) - min(others) <= TOLERANCE_S
    if only_header:
        state = "" if stated is not None else f" and t_r: {others[0]:g}"
        raise DataError(
            f"{where}: the repetition time is {said}. Scans would be laid beside the wrong "
            f"events. Set header_t_r: ignore{state} if the header is what is wrong (converters "
            "often write 1); if it is right, correct the other."
        )
    raise DataError(
        f"{where}: the repetition time is {said}. Scans would be laid beside the wrong events. "
        "Correct what is wrong: t_r, or the sidecar's RepetitionTime."
    )
