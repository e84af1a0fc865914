"""Progress of long work, with the time that remains.

A stage wraps its loop in ``track``; who runs the stage decides where the news goes (a bar, plain
lines, another process), by opening ``reporting``. Without a listener nothing is printed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
MIN_INTERVAL_S = 0.25


@dataclass(frozen=True)
class Progress:
    """Where a loop stands.

    Parameters
    ----------
    label : str
    done, total : int
    elapsed_s : float
    """

    label: str
    done: int
    total: int
    elapsed_s: float

    @property
    def remaining_s(self) -> float:
        """Seconds to go at the pace so far; NaN before the first item."""
        return self.elapsed_s / self.done * (self.total - self.done) if self.done else float("nan")


@dataclass(frozen=True)
class Waiting:
    """Work that is held up; the text says by whom."""

    text: str


@dataclass(frozen=True)
class Remark:
    """What who runs a step should know of it, such as how much memory it takes."""

    text: str


Told = Progress | Waiting | Remark
Listener = Callable[[Told], None]
_listener: ContextVar[Listener | None] = ContextVar("progress_listener", default=None)


@contextmanager
def reporting(listener: Listener | None) -> Iterator[None]:
    """Send the progress of everything inside to a listener."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def report_wait(text: str) -> None:
    """Tell the listener, if there is one, what the work waits for."""
    listener = _listener.get()
    if listener is not None:
        listener(Waiting(text))


def remark(text: str) -> None:
    """Tell the listener, if there is one, what is worth knowing of the work."""
    listener = _listener.get()
    if listener is not None:
        listener(Remark(text))


def track(items: Sequence[T] | Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
    """Yield the items, reporting after each.

    Examples
    --------
    >>> news = []
    >>> with reporting(news.append):
    ...     squares = [i * i for i in track(range(2), "squares")]
    >>> squares, news[-1].done, news[-1].total
    ([0, 1], 2, 2)
    """
    listener = _listener.get()
    if listener is None:
        yield from items
        return
    n = total if total is not None else len(items)  # type: ignore[arg-type]
    start = last = time.monotonic()
    for done, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if done == n or now - last > MIN_INTERVAL_S:
            listener(Progress(label, done, n, now - start))
            last = now
