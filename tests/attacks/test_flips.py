"""One flipped byte at random places of everything that a cache holds.

By default 30 places are tried and one in three is run on; ``pytest -m slow`` tries FLIPS = 500,
and runs on every one of them. Places are drawn over the bytes of all files, so that the largest
are hit most, and again with every file as likely as any other.
"""

import json
import os
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from neurodecode.cli.verify import command as verify
from neurodecode.cli.verify import verify_folder
from neurodecode.core import digests, fingerprint
from neurodecode.core.fingerprint import Memory
from neurodecode.core.planner import Planner
from neurodecode.core.runner import Run, run_graph
from neurodecode.core.store import Store
from neurodecode.core.tasks import Outcome
from tests.attacks.five_seconds import FiveSeconds, read_digests
from tests.core.toy_package import HEAD, Workshop, fresh_modules

FLIPS = [pytest.param(30, 3, id="30"), pytest.param(500, 1, id="500", marks=pytest.mark.slow)]
PIPELINE = """\
each: {{by: ["1", "2"]}}
steps:
  data:    {{stage: "ours.data:Data", path: "{raw}"}}
  shifted: {{stage: "ours.shift:Shift", features: data, by: "${{by}}"}}
  pieces:  {{stage: "ours.pieces:Pieces", features: data, diary: "{folder}"}}
  scaled:  {{stage: "ours.scale:Scale", features: pieces}}
  joined:  {{stage: "ours.join:Join", parts: shifted, gather: by}}
  last:    {{stage: "ours.add:Add", parts: [scaled, joined, data]}}
"""
JOIN = (
    HEAD
    + '''
class {name}(Stage):
    """Add up."""

    stage: ClassVar[str] = "ours.{file}:{name}"
    times: float = 1.0

    def run(self, parts: {kind}) -> Features:
        parts = {values}
        return replace(parts[0], data=self.times * sum(np.asarray(p.data) for p in parts))
'''
)
# Everything below is changed, so that every result that was kept is read again.
CHANGED = ("joined.times=2", "last.times=3", "scaled.factor=5")


class Flipped:
    """A cache with finished results, unfinished pieces, memory, a lease and a log, kept aside.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self.shop = Workshop(folder)
        join = {"name": "Join", "file": "join", "kind": "dict[str, Features]"}
        add = {"name": "Add", "file": "add", "kind": "list[Features]", "values": "parts"}
        self.shop.write("join.py", JOIN.format(values="list(parts.values())", **join))
        self.shop.write("add.py", JOIN.format(**add))
        self.shop.write_pipeline(PIPELINE.format(raw=self.shop.raw, folder=folder))
        self.clean = self.run_changed(self.cache)  # what a run without damage gives
        shutil.rmtree(self.cache)
        assert not self.shop.run().failed
        (folder / "die").touch()  # leaves three pieces of a second recipe, and a log
        self.shop.change("pieces.py", "** 2", "** 2.0")
        assert self.shop.run().failed
        (folder / "die").unlink()
        lease = next(self.cache.glob("ours.data*/*.h5")).with_suffix(".lease")
        lease.write_text(json.dumps({"host": "elsewhere", "pid": 1}))
        os.utime(lease, (0, 0))
        self.aside = folder / "aside"
        shutil.copytree(self.cache, self.aside)
        self.files = sorted(p for p in self.aside.rglob("*") if p.stat().st_size and p.is_file())

    @property
    def cache(self) -> Path:
        return self.shop.store.folder

    def restore(self) -> None:
        """Bring the cache back as it was."""
        shutil.rmtree(self.cache)
        shutil.copytree(self.aside, self.cache)

    def flip(self, rng: random.Random, by_size: bool) -> Path:
        """Flip one byte at a random place; return the file it is in."""
        sizes = [p.stat().st_size for p in self.files]
        (aside,) = rng.choices(self.files, sizes if by_size else None)
        path = self.cache / aside.relative_to(self.aside)
        damaged = bytearray(path.read_bytes())
        damaged[rng.randrange(len(damaged))] ^= rng.randrange(1, 256)
        times = path.stat()
        path.write_bytes(damaged)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # as decay on a disk leaves it
        return path

    def run_changed(self, cache: Path, behind: tuple[Path, ...] = ()) -> dict:
        """Run with other settings below; return the digests of all outputs."""
        self.shop.news.clear()
        with fresh_modules():
            graph = self.shop.load(*CHANGED)
            summary = run_graph(graph, Store(cache, behind), listener=self.shop.news.append)
        assert not summary.failed, [(o.error, o.trace) for o in summary.failed.values()]
        return {
            (*key, name): (output["digest"], output["lineage"])
            for key, card in summary.cards.items()
            for name, output in card["outputs"].items()
        }

    def list_damage(self) -> list[str]:
        """Return what the run said of damage."""
        return [news.text for news in self.shop.news if news.what == "damaged"]


@pytest.fixture(scope="module")
def flipped(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fingerprint, "SETTLED_S", -1.0)  # files made just now are remembered
        yield Flipped(tmp_path_factory.mktemp("flipped"))


def find_damage(cache: Path) -> list[Path]:
    return [path for _, path, problems in verify_folder(cache) if problems]


@pytest.mark.parametrize(("n_flips", "every"), FLIPS)
def test_a_flipped_byte_is_found_and_what_it_spoils_is_computed_again(flipped, n_flips, every):
    rng = random.Random(n_flips)
    assert find_damage(flipped.aside) == [], "nothing is wrong with what was written"
    counts = {"found": 0, "harmless": 0, "run": 0, "told": 0}
    for number in range(n_flips):
        flipped.restore()
        path = flipped.flip(rng, by_size=number % 2 == 0)
        found = [p.with_suffix("") for p in find_damage(flipped.cache)]
        if path.suffix in (".lease", ".log"):  # tell of processes, not of results
            assert found == []
            counts["harmless"] += 1
        else:
            assert found == [path.with_suffix("")]
            counts["found"] += 1
        if number % every == 0:
            assert flipped.run_changed(flipped.cache) == flipped.clean, path
            told = flipped.list_damage()
            counts["run"] += 1
            counts["told"] += bool(told)
            assert bool(told) == is_read(path), (path, told)
            assert all(path.stem in text for text in told)
            left = [] if told or path.suffix in (".lease", ".log") else [path.with_suffix(".h5")]
            assert find_damage(flipped.cache) == left, "what was read was mended"
    print(f"\n{n_flips} flipped bytes: {counts}")
    assert counts["found"] > n_flips // 2
    assert counts["told"] > counts["run"] // 4


def is_read(path: Path) -> bool:
    """Tell whether the changed run reads a file: what its changed steps stand on."""
    return path.name == "memory.json" or (
        path.suffix in (".h5", ".json")
        and (path.parent.name in ("ours.data.Data", "ours.shift.Shift") or "blocks" in str(path))
    )


def test_the_command_exits_with_1_and_clears_away(flipped, capsys):
    flipped.restore()
    verify(cache=flipped.cache)
    assert "7 results read, 0 damaged, 0 of 3 pieces" in capsys.readouterr().out
    for path in [next(flipped.cache.glob("ours.scale*/*.h5")), *flipped.cache.rglob("piece1.h5")]:
        path.write_bytes(path.read_bytes()[:-1] + b"\x07")
    with pytest.raises(SystemExit):
        verify(cache=flipped.cache, delete=True)
    printed = capsys.readouterr().out
    assert "1 damaged, 1 of 3 pieces, removed" in printed
    assert printed.count("bytes differ") == 2
    verify(cache=flipped.cache)
    assert "6 results read, 0 damaged, 0 of 2 pieces" in capsys.readouterr().out


@pytest.mark.parametrize("suffix", [".h5", ".json"])
def test_a_damaged_shared_cache_is_passed_over_and_left_as_it_is(flipped, suffix, tmp_path):
    flipped.restore()
    shared = tmp_path / "shared"
    shutil.copytree(flipped.aside, shared)
    for path in [*shared.glob(f"ours.data*/*{suffix}"), *shared.glob(f"ours.shift*/*{suffix}")]:
        damaged = bytearray(path.read_bytes())
        damaged[len(damaged) // 2] ^= 1
        path.write_bytes(damaged)
    before = {p: p.read_bytes() for p in shared.rglob("*") if p.is_file()}
    front = tmp_path / "front"
    assert flipped.run_changed(front, (shared,)) == flipped.clean
    assert len(flipped.list_damage()) == 3
    assert {p: p.read_bytes() for p in shared.rglob("*") if p.is_file()} == before
    assert find_damage(front) == []
    assert len(list(front.glob("ours.data*/*.h5"))) == 1


def test_damage_met_by_two_steps_at_once_is_mended_once(flipped):
    """Workers may both be reading a damaged result; the second is told after it was removed."""
    flipped.restore()
    (path,) = flipped.cache.glob("ours.data*/*.h5")
    path.write_bytes(path.read_bytes()[:-9] + bytes(9))
    news, store = [], Store(flipped.cache)
    with fresh_modules():
        graph = flipped.shop.load("shifted.by=${by}0")
        run = Run(graph, store, Planner(graph, store, Memory(None)), news.append)
        first, second, *_ = [p for p in run.find_ready(()) if p.instance.name == "shifted"]
        damage = Outcome(error=f"{path} is damaged", kind="store")
        for plan in (first, second):
            run.finish(plan, damage)
            assert not run.summary.failed
        assert not path.exists()
        summary = run_graph(graph, Store(flipped.cache), workers=2, listener=news.append)
        run.summary.cards.update(summary.cards)
        run.finish(first, damage)  # what one step meets again and again is no bad luck
    assert list(run.summary.failed) == [first.instance.id]
    assert [n.label for n in news if n.what == "damaged"] == ["data"]
    assert not summary.failed
    assert find_damage(flipped.cache) == []


def test_a_user_with_a_damaged_cache_gets_the_same_report(tmp_path):
    """The command line, every result of the pipeline damaged at once, and the report gone."""
    five = FiveSeconds(tmp_path, megabytes=1)
    cache, quick = tmp_path / "cache", {"FIVE_SECONDS_SLEEP": "0"}
    first = five.run(cache, env=quick)
    assert first.code == 0, first.out + first.err
    clean = read_digests(cache)
    rng = random.Random(0)
    for path in cache.glob("*/*.h5"):
        damaged = bytearray(path.read_bytes())
        damaged[rng.randrange(len(damaged))] ^= rng.randrange(1, 256)
        path.write_bytes(damaged)
    again = five.run(cache, env=quick)
    assert "0 computed" in again.out, "the report is written, and nothing reads a result"
    shutil.rmtree(tmp_path / "results")
    again = five.run(cache, env=quick)
    assert again.code == 0, again.out + again.err
    assert "damaged   report:" in again.out
    assert "damaged   scores" in again.out, "to make the report again, its inputs are made again"
    assert "Traceback" not in again.out + again.err
    assert (tmp_path / "results" / "five_seconds_report.html").is_file()
    assert read_digests(cache) == clean
    # The report needs neither the large result nor its pieces; those are found, and cleared away.
    stages = {path.parent.name for path in find_damage(cache)}
    assert stages == {"five.large.Large", "five.pieces.Pieces", "five.picture.Picture"}


def test_a_wrong_memory_of_a_raw_file_never_makes_a_stale_result_fresh(flipped):
    """Someone's bytes of memory.json still parse: the digest of the raw file in it is another's."""
    flipped.restore()
    path = flipped.cache / "memory.json"
    raw = f"raw:{flipped.shop.raw}"
    digest = Memory.load(path).known[raw][1]
    path.write_text(path.read_text().replace(digest, digest[:-1] + "01"[digest[-1] == "0"]))
    assert flipped.run_changed(flipped.cache) == flipped.clean
    assert ["memory.json" in text for text in flipped.list_damage()] == [True]
    assert Memory.load(path).known[raw][1] == digest


def test_freshness_reads_no_result(flipped, monkeypatch):
    """Damage of a result costs nothing where nothing reads it."""
    flipped.restore()
    flipped.run_changed(flipped.cache)
    monkeypatch.setattr(digests, "digest_file", None)
    assert flipped.run_changed(flipped.cache) == flipped.clean
    assert {news.what for news in flipped.shop.news} == {"fresh"}


def test_an_array_that_was_opened_is_not_read_over_and_over(flipped, monkeypatch):
    """The bytes of a file are compared once per process, as long as the file stays as it is."""
    flipped.restore()
    path = next(flipped.cache.glob("ours.scale*/*.h5"))
    store = Store(flipped.cache)
    (card,) = store.iterate_cards("ours.scale:Scale")
    first = np.asarray(store.read(card)["features"].data)
    monkeypatch.setattr(digests, "SETTLED_S", -1.0)
    store.read(card)
    reads = []
    original = digests.digest_file
    monkeypatch.setattr(digests, "digest_file", lambda p, start: reads.append(p) or original(p))
    np.testing.assert_array_equal(np.asarray(store.read(card)["features"].data), first)
    assert reads == []
    os.utime(path)
    store.read(card)
    assert reads == [path]
