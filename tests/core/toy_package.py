"""A tiny package of stages, written to a folder, changed there, and run as a user's would be."""

import importlib
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

import numpy as np

from neurodecode.core.fingerprint import Memory
from neurodecode.core.pipeline import load_pipeline
from neurodecode.core.planner import Planner
from neurodecode.core.runner import News, Summary, run_graph
from neurodecode.core.store import Store

HEAD = '''\
"""A stage of one's own."""

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from neurodecode.core.artifacts import Features
from neurodecode.core.stage import Stage
from neurodecode.core.tables import Table

'''
FILES = {
    "__init__.py": '"""Ours."""\n',
    "numerics.py": '"""Ours."""\n\n\ndef multiply(values, factor):\n    return values * factor\n',
    "data.py": HEAD + dedent('''
        class Data(Stage):
            """Read a file."""

            stage: ClassVar[str] = "ours.data:Data"
            path: str

            def sources(self):
                return (Path(self.path),)

            def run(self) -> Features:
                values = np.load(self.path)
                ids = [f"s{i}" for i in range(len(values))]
                return Features(data=values, items=Table({"id": ids}))
        '''),
    "scale.py": HEAD + "from ours.numerics import multiply\n\n" + dedent('''
        class Scale(Stage):
            """Multiply."""

            stage: ClassVar[str] = "ours.scale:Scale"
            factor: float = 2.0

            def sees(self):
                return {"features": "row"}

            def run(self, features: Features) -> Features:
                return replace(features, data=multiply(np.asarray(features.data), self.factor))
        '''),
    "shift.py": HEAD + dedent('''
        class Shift(Stage):
            """Add."""

            stage: ClassVar[str] = "ours.shift:Shift"
            by: float = 1.0

            def sees(self):
                return {"features": "row"}

            def run(self, features: Features) -> Features:
                if self.by < 0:
                    raise RuntimeError("cannot go down")
                return replace(features, data=np.asarray(features.data) + self.by)
        '''),
    "pieces.py": HEAD + dedent('''
        class Pieces(Stage):
            """Work in five pieces; each leaves a line in a diary."""

            stage: ClassVar[str] = "ours.pieces:Pieces"
            diary: str

            def blocks(self, **inputs):
                return [f"piece{i}" for i in range(5)]

            def run_block(self, block, *, features):
                folder = Path(self.diary)
                if block == "piece3" and (folder / "die").exists():
                    raise MemoryError("struck at piece 3")
                with (folder / "diary").open("a") as stream:
                    stream.write(block + " ")
                i = int(block[-1])
                return {"part": np.asarray(features.data[2 * i : 2 * i + 2]) ** 2}

            def assemble(self, parts, *, features):
                data = np.concatenate([np.asarray(p["part"]) for p in parts.values()])
                return replace(features, data=data)

            def run(self, features: Features) -> Features:
                return self.run_in_blocks(features=features)
        '''),
}  # fmt: skip
STEPS = """\
steps:
  data:    {{stage: "ours.data:Data", path: "{raw}"}}
  scaled:  {{stage: "ours.scale:Scale", features: data, factor: 2}}
  shifted: {{stage: "ours.shift:Shift", features: scaled, by: 1}}
  aside:   {{stage: "ours.shift:Shift", features: data, by: 5}}
"""


@dataclass
class Workshop:
    """A folder with a package, a raw file, a pipeline file and a cache."""

    folder: Path
    news: list[News] = field(default_factory=list)

    def __post_init__(self):
        for name, text in FILES.items():
            self.write(name, text)
        np.save(self.raw, np.arange(10.0).reshape(10, 1))
        self.write_pipeline(STEPS.format(raw=self.raw))

    @property
    def raw(self) -> Path:
        return self.folder / "raw.npy"

    @property
    def store(self) -> Store:
        return Store(self.folder / "cache")

    def write(self, name: str, text: str) -> None:
        path = self.folder / "ours" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def change(self, name: str, old: str, new: str) -> None:
        path = self.folder / "ours" / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def write_pipeline(self, text: str) -> None:
        (self.folder / "pipe.yaml").write_text(text)

    def load(self, *overrides: str, **branches):
        return load_pipeline(self.folder / "pipe.yaml", overrides, branches)

    def run(self, *overrides: str, workers: int = 0) -> Summary:
        with fresh_modules():
            return run_graph(
                self.load(*overrides), self.store, workers=workers, listener=self.news.append
            )

    def compute(self, *overrides: str) -> list[str]:
        """Run, and return the names of the steps that were computed."""
        summary = self.run(*overrides)
        assert not summary.failed, [o.trace for o in summary.failed.values()]
        return [name for name, _ in summary.computed]

    def plan(self, *overrides: str) -> dict[str, tuple[str, str]]:
        """Return the state of each step, and the reasons in one line."""
        with fresh_modules():
            memory = Memory.load(self.store.folder / "memory.json")
            plans = Planner(self.load(*overrides), self.store, memory).plan()
        return {p.instance.label: (p.state, "; ".join(p.reasons)) for p in plans}

    def read(self, summary: Summary, step: str) -> np.ndarray:
        card = next(card for (name, _), card in summary.cards.items() if name == step)
        return np.asarray(self.store.read(card)["features"].data)


@contextmanager
def fresh_modules():
    """Import the package anew, as another process would."""
    before = sys.dont_write_bytecode
    sys.dont_write_bytecode = True  # a file changed within a second keeps its date
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.dont_write_bytecode = before
        for name in [n for n in sys.modules if n.split(".")[0] == "ours"]:
            del sys.modules[name]
