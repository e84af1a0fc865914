"""Good pipelines, and ways to spoil them: what the hand-written bad inputs are made with."""

from pathlib import Path

GOOD = """\
title: Small
seed: 0
params: {size: 6}
steps:
  digits: {stage: datasets.digits, n_items: 24}
  scan: {stage: datasets.simulated, stimuli: digits, n_vertices: 40, n_repeats: 1, n_runs: 2}
  split: {stage: evaluation.split, responses: scan, by: stimulus, n_folds: 2}
  pixels: {stage: features.pixels, stimuli: digits, size_px: "${size}"}
  decoded: {stage: decoding.ridge, responses: scan, features: pixels, split: split}
  scores: {stage: evaluation.identification, predictions: decoded, features: pixels}
"""
EACH = """\
each: {subject: ["01", "02"], model: [a, b]}
steps:
  digits: {stage: datasets.digits, n_items: 24}
  scan: {stage: datasets.simulated, stimuli: digits, subject: "${subject}", session: "${model}"}
  all: {stage: alignment.stack, responses: scan, gather: [subject, model]}
"""
DIGITS = "steps:\n  digits: {stage: datasets.digits}\n"
STAGE = '''"""A stage."""

from typing import ClassVar

from neurodecode.core.artifacts import Features
from neurodecode.core.stage import Stage


class Mine(Stage):
    """Mine."""

    stage: ClassVar[str] = "NAME:Mine"

    def run(self, features: Features) -> Features:
        return features
'''
READER = (
    STAGE.replace("features: Features", "")
    .replace("return features", "...")
    .replace("import ClassVar", "import ClassVar\nfrom pathlib import Path")
)
MINE = "steps:\n  a: {stage: 'NAME:Mine'}\n"


def write(content: str | bytes, files: dict[str, str] | None = None, name: str = "pipe.yaml"):
    """Return a function that writes a pipeline file, and others beside it."""

    def make(folder: Path) -> Path:
        for other, text in (files or {}).items():
            (folder / other).write_text(text, encoding="utf-8")
        data = content.encode() if isinstance(content, str) else content
        (folder / name).write_bytes(data)
        return folder / name

    return make


def change(old: str, new: str, text: str = GOOD):
    """Return a function that writes a good pipeline with one thing changed."""
    assert text.count(old) == 1, (text.count(old), old)
    return write(text.replace(old, new))


def make_folder(folder: Path) -> Path:
    """Make a folder where a file is meant."""
    (folder / "pipe.yaml").mkdir()
    return folder / "pipe.yaml"


def make_nothing(folder: Path) -> Path:
    """Name a file that is not there."""
    return folder / "pipe.yaml"


def make_locked(folder: Path) -> Path:
    """Write a file that may not be read."""
    path = write(GOOD)(folder)
    path.chmod(0)
    return path


def own(name: str, text: str = STAGE, pipeline: str = MINE):
    """Return a function that writes a pipeline beside a module of one's own."""
    files = {f"{name}.py": text.replace("NAME", name)}
    return write(pipeline.replace("NAME", name), files)
