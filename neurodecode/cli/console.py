"""What the command line prints: tables, lines, and the progress of a run."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import textwrap
import threading
import time
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from neurodecode.core.visible import escape

if TYPE_CHECKING:
    from neurodecode.core.runner import News

BAR_AFTER_S = 2.0
LINE_EVERY_S = 10.0


def say(text: str = "") -> None:
    """Print a line, or several."""
    print(_make_visible(text), flush=True)


def say_error(text: str) -> None:
    """Print a line for the user to act on."""
    _print_fitted(f"neurodecode: {text}", sys.stderr)


def say_problems(problems: Sequence[str]) -> None:
    """Print mistakes, a line each; several stand under their number."""
    if len(problems) == 1:
        say_error(problems[0])
        return
    say_error(f"{len(problems)} mistakes:")
    for problem in problems:
        _print_fitted(f"  {problem}", sys.stderr)


def say_failure(label: str, error: str, log: Path | None) -> None:
    """Print why a step failed, and where its traceback lies if that is of use."""
    say(f"\nFAILED {label}")
    for line in error.removeprefix(f"{label}: ").splitlines():
        _print_fitted(f"  {line}", sys.stdout)
    if log is not None:
        say(f"  traceback: {log}")


def say_crash(error: Exception) -> None:
    """Print one line on an exception that nobody expected, and keep its traceback in a file.

    With NEURODECODE_DEBUG set to 1, the traceback is printed.
    """
    if os.environ.get("NEURODECODE_DEBUG") == "1":
        traceback.print_exception(error)
        return
    what = f"{type(error).__name__}: {' '.join(str(error).split())}"
    if isinstance(error, OSError):
        mend = "Check the path, its permissions and the free space."
    else:
        mend = "This is a mistake of neurodecode. Please report it, with the traceback."
    path = _keep_traceback(error)
    kept = f" Traceback: {path}" if path else " NEURODECODE_DEBUG=1 shows the traceback."
    say_error(f"{what.rstrip('.')}. {mend}{kept}")


def _keep_traceback(error: Exception) -> Path | None:
    cache = Path(os.environ.get("NEURODECODE_CACHE") or "data/cache")
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}-neurodecode.log"
    text = " ".join(sys.argv) + "\n\n" + "".join(traceback.format_exception(error))
    for folder in (cache / "logs", Path(tempfile.gettempdir())):
        try:
            if folder.parent.is_dir():
                folder.mkdir(exist_ok=True)
                (folder / name).write_text(text, encoding="utf-8")
                return folder / name
        except OSError:  # not writable: the next one
            continue
    return None


def _print_fitted(line: str, stream: TextIO) -> None:
    """Print a line; on a terminal broken between words, else whole, for grep and for logs."""
    line = _make_visible(line)
    if stream.isatty():
        indent = " " * (len(line) - len(line.lstrip()) + 4)
        line = textwrap.fill(
            line, max(40, shutil.get_terminal_size().columns), subsequent_indent=indent,
            break_long_words=False, break_on_hyphens=False, replace_whitespace=False,
        )  # fmt: skip
    print(line, file=stream, flush=True)


def _make_visible(text: str) -> str:
    """Escape what a terminal would obey; names may come from a file or folder of anyone's."""
    return "\n".join(escape(line) for line in text.split("\n"))


def print_table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print columns, as wide as they need to be; the last one is never cut."""
    cells = [[str(c) for c in row] for row in rows]
    if not cells:
        return
    widths = [max(len(row[i]) for row in [list(header), *cells]) for i in range(len(header))]
    for row in [list(header), *cells]:
        line = "  ".join(c.ljust(w) for c, w in zip(row[:-1], widths, strict=False))
        say(f"{line}  {row[-1]}".rstrip())


def format_seconds(seconds: float) -> str:
    """Return a duration for people.

    Examples
    --------
    >>> [format_seconds(s) for s in (0.234, 12.3, 95, 7300)]
    ['0.23 s', '12 s', '1 min 35 s', '2 h 01 min']
    """
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60):02d} min"


def format_bytes(size: float) -> str:
    """Return a size for people.

    Examples
    --------
    >>> format_bytes(1536), format_bytes(3_200_000)
    ('1.5 KB', '3.1 MB')
    """
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1024 or unit == "GB":
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return ""


class RunPrinter:
    """Prints the news of a run: a bar on a terminal, plain lines elsewhere.

    Branches of controls are counted rather than listed.
    """

    def __init__(self, total: int, verbose: bool) -> None:
        self.total, self.verbose = total, verbose
        self.done = 0
        self.terminal = sys.stderr.isatty()
        self.last_line: dict[str, float] = {}
        self.lock = threading.Lock()

    def __call__(self, news: News) -> None:
        """Print one piece of news."""
        with self.lock:
            getattr(self, f"_say_{news.what}")(news)

    def _say_started(self, news: News) -> None:
        if self.terminal:
            self._show(f"{news.label} …")

    def _say_waiting(self, news: News) -> None:
        self._line(f"waiting   {news.label}: {news.text}")

    def _say_remark(self, news: News) -> None:
        if self.verbose or "shuffle=" not in news.label:
            self._line(f"          {news.label}: {news.text}")

    def _say_progress(self, news: News) -> None:
        p = news.progress
        if p is None or p.elapsed_s < BAR_AFTER_S:
            return
        text = f"{news.label}: {p.label} {p.done}/{p.total}, {format_seconds(p.remaining_s)} to go"
        if p.label == news.label:
            text = f"{news.label}: {p.done}/{p.total}, {format_seconds(p.remaining_s)} to go"
        if self.terminal:
            self._show(text)
        elif time.monotonic() - self.last_line.get(news.label, 0) > LINE_EVERY_S:
            self.last_line[news.label] = time.monotonic()
            say(f"  {text}")

    def _say_fresh(self, news: News) -> None:
        self.done += 1
        if self.verbose:
            self._line(f"fresh     {news.label}")

    def _say_done(self, news: News) -> None:
        self.done += 1
        if self.verbose or "shuffle=" not in news.label:
            self._line(f"done      {news.label}  {format_seconds(news.seconds)}")
        elif self.terminal:
            self._show(f"{self.done}/{self.total} steps")
        elif time.monotonic() - self.last_line.get("", 0) > LINE_EVERY_S:
            self.last_line[""] = time.monotonic()
            say(f"  {self.done}/{self.total} steps")

    def _say_failed(self, news: News) -> None:
        self._line(f"FAILED    {news.label}")  # why is told when the run has ended

    def _say_skipped(self, news: News) -> None:
        self._line(f"skipped   {news.label}: {news.text}")

    def _say_damaged(self, news: News) -> None:
        self._line(f"damaged   {news.label}: {news.text} It is computed again.")

    def _show(self, text: str) -> None:
        print(
            f"\r\033[K[{self.done}/{self.total}] {text}"[:200], end="", file=sys.stderr, flush=True
        )

    def _line(self, text: str) -> None:
        if self.terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
        say(text)
