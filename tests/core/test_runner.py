"""A run: what fails, what goes on, what is resumed, and that workers change no byte."""

import json
from pathlib import Path

import numpy as np
import pytest

from neurodecode.core.pieces import PREPARED, Pieces
from neurodecode.core.runner import run_graph
from neurodecode.core.stage import Stage
from neurodecode.core.store import verify_file
from tests.core.toy_package import Workshop, fresh_modules

BRANCHED = """\
each: {{by: ["1", "-1", "3"]}}
steps:
  data:    {{stage: "ours.data:Data", path: "{raw}"}}
  shifted: {{stage: "ours.shift:Shift", features: data, by: "${{by}}"}}
  scaled:  {{stage: "ours.scale:Scale", features: shifted}}
  joined:  {{stage: "ours.join:Join", parts: scaled, gather: by{more}}}
"""
JOIN = '''
class Join(Stage):
    """Add up."""

    stage: ClassVar[str] = "ours.join:Join"

    def run(self, parts: dict[str, Features]) -> Features:
        first = next(iter(parts.values()))
        total = sum(np.asarray(p.data) for p in parts.values())
        return replace(first, data=total, extractor={"parts": list(parts)})
'''
PIECES = """\
steps:
  data:   {{stage: "ours.data:Data", path: "{raw}"}}
  pieces: {{stage: "ours.pieces:Pieces", features: data, diary: "{folder}"}}
  after:  {{stage: "ours.shift:Shift", features: pieces}}
"""


@pytest.fixture
def shop(tmp_path):
    return Workshop(tmp_path)


@pytest.fixture
def branched(shop):
    """Three branches, the second of which fails."""
    from tests.core.toy_package import HEAD

    shop.write("join.py", HEAD + JOIN)
    shop.write_pipeline(BRANCHED.format(raw=shop.raw, more=""))
    return shop


@pytest.fixture
def in_pieces(shop):
    shop.write_pipeline(PIECES.format(raw=shop.raw, folder=shop.folder))
    return shop


def label(items):
    return sorted(f"{name}{dict(branch).get('by', '')}" for name, branch in items)


def digest_all(summary):
    return {
        key: {name: o["digest"] for name, o in card["outputs"].items()}
        for key, card in summary.cards.items()
    }


def test_values_are_right(shop):
    summary = shop.run()
    np.testing.assert_array_equal(shop.read(summary, "shifted")[:, 0], np.arange(10) * 2 + 1)


def test_a_failed_branch_leaves_the_others_finished(branched):
    summary = branched.run()
    assert label(summary.computed) == ["data", "scaled1", "scaled3", "shifted1", "shifted3"]
    assert label(summary.failed) == ["shifted-1"]
    assert label(summary.skipped) == ["joined", "scaled-1"]
    ((key, outcome),) = summary.failed.items()
    assert outcome.error.startswith("RuntimeError: cannot go down. This is a mistake in the code")
    log = summary.logs[key].read_text()
    assert "cannot go down" in log
    assert 'shift.py", line' in log, "the traceback leads to the line"
    skipped = next(news for news in branched.news if news.what == "skipped")
    assert skipped.text == "needs shifted[by=-1]"


def test_errors_are_not_cached_and_a_second_run_resumes(branched):
    branched.run()
    branched.change("shift.py", "self.by < 0", "self.by < -5")
    branched.write("shift.py", (branched.folder / "ours" / "shift.py").read_text())
    summary = branched.run()
    assert not summary.failed
    # the code of shift changed, its results for 1 and 3 did not: what follows stays
    assert label(summary.computed) == ["joined", "scaled-1", "shifted-1", "shifted1", "shifted3"]


def test_allow_missing_goes_on_with_what_there_is(branched):
    branched.write_pipeline(BRANCHED.format(raw=branched.raw, more=", allow_missing: true"))
    summary = branched.run()
    assert label(summary.failed) == ["shifted-1"]
    joined = next(c for (name, _), c in summary.cards.items() if name == "joined")
    features = branched.store.read(joined)["features"]
    assert features.extractor["parts"] == ("1", "3")
    np.testing.assert_array_equal(features.data[:, 0], np.arange(10) * 4 + 8)


def test_a_failed_step_leaves_no_file(branched):
    branched.run()
    strays = [p for p in branched.store.folder.rglob("*") if ".writing-" in p.name]
    leases = list(branched.store.folder.rglob("*.lease"))
    assert strays == leases == []


def test_a_killed_step_resumes_at_its_piece(in_pieces):
    (in_pieces.folder / "die").touch()
    summary = in_pieces.run()
    assert "out of memory" in next(iter(summary.failed.values())).error
    diary = in_pieces.folder / "diary"
    assert diary.read_text().split() == ["piece0", "piece1", "piece2"]
    (in_pieces.folder / "die").unlink()
    diary.unlink()
    summary = in_pieces.run()
    assert not summary.failed
    assert diary.read_text().split() == ["piece3", "piece4"]
    np.testing.assert_array_equal(in_pieces.read(summary, "pieces")[:, 0], np.arange(10.0) ** 2)
    assert not list(in_pieces.store.folder.rglob("*.blocks")), "finished pieces are cleared away"


def test_a_damaged_piece_is_done_again(in_pieces):
    (in_pieces.folder / "die").touch()
    in_pieces.run()
    (in_pieces.folder / "die").unlink()
    piece = next(in_pieces.store.folder.rglob("*.blocks/piece1.h5"))
    flip_data(piece, "arrays/0")
    for _ in range(2):  # at worst it is noticed when the pieces are put together
        summary = in_pieces.run()
    assert not summary.failed
    np.testing.assert_array_equal(in_pieces.read(summary, "pieces")[:, 0], np.arange(10.0) ** 2)


def test_a_damaged_result_upstream_is_computed_again(shop):
    summary = shop.run()
    card = next(card for (name, _), card in summary.cards.items() if name == "scaled")
    flip_data(Path(card["path"]), "outputs/features/data")
    assert shop.compute() == [], "freshness does not open files"
    summary = shop.run("shifted.by=9")
    assert not summary.failed, [o.trace for o in summary.failed.values()]
    assert [name for name, _ in summary.computed] == ["scaled", "shifted"]
    assert [n.label for n in shop.news if n.what == "damaged"] == ["scaled"]
    assert verify_file(Path(card["path"])) == []
    np.testing.assert_array_equal(shop.read(summary, "shifted")[:, 0], np.arange(10) * 2 + 9)


def test_a_truncated_result_is_computed_again(shop):
    summary = shop.run()
    path = Path(next(card for (name, _), card in summary.cards.items() if name == "data")["path"])
    path.write_bytes(path.read_bytes()[:-100])
    assert shop.compute() == ["data"]


def test_the_card_says_how_it_was_made(shop):
    summary = shop.run()
    card = next(card for (name, _), card in summary.cards.items() if name == "scaled")
    assert card["step"] == "scaled"
    assert card["settings"] == {"factor": 2.0}
    own = {name for name in card["code"] if not name.startswith("neurodecode/core/artifacts/")}
    assert own == {"ours/scale.py", "ours/numerics.py"}
    assert card["distributions"] == {"numpy": ".".join(np.__version__.split(".")[:2])}
    assert card["environment"]["packages"]["numpy"] == np.__version__
    assert card["seconds"] >= 0
    assert card["peak_mb"] > 1
    json.dumps(card)


def test_wrong_outputs_are_refused(shop):
    shop.change(
        "shift.py",
        "return replace(features, data=np.asarray(features.data) + self.by)",
        "return None",
    )
    summary = shop.run()
    assert {name for name, _ in summary.failed} == {"shifted", "aside"}


def test_any_number_of_workers_gives_the_same_digests(in_pieces, tmp_path_factory):
    here = digest_all(in_pieces.run())
    for workers in (1, 2):
        cache = tmp_path_factory.mktemp("cache")
        from neurodecode.core.store import Store

        with fresh_modules():
            summary = run_graph(in_pieces.load(), Store(cache), workers=workers)
        assert not summary.failed, [o.trace for o in summary.failed.values()]
        assert digest_all(summary) == here


def test_a_failed_branch_on_workers_leaves_the_others_finished(branched):
    summary = branched.run(workers=2)
    assert label(summary.computed) == ["data", "scaled1", "scaled3", "shifted1", "shifted3"]
    assert label(summary.failed) == ["shifted-1"]


def test_a_worker_that_dies_fails_its_step_alone(branched):
    branched.change("shift.py", 'raise RuntimeError("cannot go down")', "__import__('os')._exit(9)")
    summary = branched.run(workers=1)
    assert label(summary.failed) == ["shifted-1"]
    assert "its worker died" in next(iter(summary.failed.values())).error
    assert label(summary.computed) == ["data", "scaled1", "scaled3", "shifted1", "shifted3"]


def flip_data(path: Path, name: str) -> None:
    """Flip a bit of a dataset's bytes on disk."""
    import h5py

    with h5py.File(path, "r") as file:
        chunk = file[name].id.get_chunk_info(0)
    with path.open("r+b") as stream:
        stream.seek(chunk.byte_offset + chunk.size // 2)
        byte = stream.read(1)[0]
        stream.seek(chunk.byte_offset + chunk.size // 2)
        stream.write(bytes([byte ^ 4]))


SHARING = '''
class Shared(Stage):
    """Work in three pieces that share something; each leaves a line in a diary."""

    stage: ClassVar[str] = "ours.shared:Shared"
    diary: str

    def note(self, what):
        folder = Path(self.diary)
        if (folder / f"die-{what}").exists():
            raise MemoryError(f"struck at {what}")
        with (folder / "diary").open("a") as stream:
            stream.write(what + " ")

    def prepare(self, *, features):
        self.note("prepared")
        yield "total", np.asarray(features.data).sum(axis=0)
        yield "names", np.array(["a", "b"])

    def blocks(self, **inputs):
        return ["0", "1", "2"]

    def run_block(self, block, *, features, prepared):
        self.note(block)
        assert np.asarray(prepared["names"]).tolist() == ["a", "b"]
        return {"part": np.asarray(prepared["total"]) * int(block)}

    def assemble(self, parts, *, features, prepared):
        data = np.stack([np.asarray(p["part"]) for p in parts.values()])
        items = features.items.take([0, 1, 2])
        return replace(features, data=data + prepared["total"][0], items=items)

    def run(self, features: Features) -> Features:
        return self.run_in_blocks(features=features)
'''


@pytest.fixture
def sharing(shop):
    from tests.core.toy_package import HEAD

    shop.write("shared.py", HEAD + SHARING)
    shop.write_pipeline(
        PIECES.format(raw=shop.raw, folder=shop.folder).replace(
            "ours.pieces:Pieces", "ours.shared:Shared"
        )
    )
    return shop


def read_diary(shop):
    return (shop.folder / "diary").read_text().split()


@pytest.mark.parametrize("workers", [0, 2])
def test_what_blocks_share_is_made_once(sharing, workers):
    summary = sharing.run(workers=workers)
    assert not summary.failed, [o.trace for o in summary.failed.values()]
    assert sorted(read_diary(sharing)) == ["0", "1", "2", "prepared"]
    assert read_diary(sharing)[0] == "prepared"
    assert {n.progress.total for n in sharing.news if n.what == "progress"} == {3}, "of blocks"
    np.testing.assert_array_equal(sharing.read(summary, "pieces")[:, 0], [45.0, 90.0, 135.0])
    assert not list(sharing.store.folder.rglob("*.blocks"))


@pytest.mark.parametrize("struck", ["prepared", "1"])
def test_a_killed_step_keeps_what_blocks_share(sharing, struck):
    (sharing.folder / f"die-{struck}").touch()
    assert sharing.run().failed
    (sharing.folder / f"die-{struck}").unlink()
    assert not sharing.run().failed
    assert read_diary(sharing) == ["prepared", "0", "1", "2"]


@pytest.mark.parametrize("workers", [0, 1])
def test_what_blocks_share_is_made_again_if_damaged(sharing, workers):
    (sharing.folder / "die-1").touch()
    sharing.run()
    (sharing.folder / "die-1").unlink()
    flip_data(next(sharing.store.folder.rglob("*.blocks/prepared.h5")), "arrays/0")
    summary = sharing.run(workers=workers)
    assert not summary.failed, [o.trace for o in summary.failed.values()]
    assert read_diary(sharing) == ["prepared", "0", "prepared", "1", "2"]
    np.testing.assert_array_equal(sharing.read(summary, "pieces")[:, 0], [45.0, 90.0, 135.0])


def test_what_blocks_share_comes_first_then_the_blocks(store):
    class Sharing(Stage):
        def prepare(self, **inputs):
            return {"x": np.zeros(1)}

        def blocks(self, **inputs):
            return ["a", "b"]

        def run_block(self, block, *, prepared):
            return {"y": np.asarray(prepared["x"])}

    pieces = Pieces("step", "ours.sharing:Sharing", "key", Sharing(), store, {})
    assert pieces.list_unfinished() == (PREPARED,)
    pieces.do(PREPARED)
    assert pieces.list_unfinished() == ("a", "b")
    pieces.do("b")
    assert pieces.list_unfinished() == ("a",)
    store.block_path("ours.sharing:Sharing", "key", PREPARED).unlink()
    pieces.do("a")
    assert pieces.list_unfinished() == ()


def test_blocks_are_named_apart_from_what_they_share(sharing):
    sharing.change("shared.py", '["0", "1", "2"]', '["0", "prepared"]')
    (outcome,) = (o for o in sharing.run().failed.values())
    assert "Give each block a name of its own" in outcome.error
