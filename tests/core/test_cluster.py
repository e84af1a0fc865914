"""On Dask workers: the same bytes, failures that stay where they are, and workers that are lost."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from neurodecode.core.cluster_plan import ClusterPlan, Request, read_cluster
from neurodecode.core.errors import UserError
from neurodecode.core.runner import run_graph
from neurodecode.core.store import Store
from tests.attacks.five_seconds import wait_for_group
from tests.core.test_runner import BRANCHED, JOIN, digest_all, label
from tests.core.toy_package import HEAD, Workshop, fresh_modules

pytest.importorskip("distributed", reason='dask is absent: pip install "neurodecode[cluster]"')

RECORDING = '''
from typing import TypedDict

from neurodecode.core.artifacts import Responses, Split


class Outputs(TypedDict):
    responses: Responses
    features: Features
    split: Split


class Recording(Stage):
    """Make up a recording."""

    stage: ClassVar[str] = "ours.recording:Recording"

    def run(self) -> Outputs:
        rng = np.random.default_rng(0)
        n, ids = 60, np.array([f"s{i}" for i in range(60)])
        X = rng.standard_normal((n, 5)).astype(np.float32)
        data = X @ rng.standard_normal((5, 40)).astype(np.float32)
        data += rng.standard_normal(data.shape).astype(np.float32)
        samples = Table({
            "sample_id": ids, "subject": np.full(n, "01"), "session": np.full(n, "1"),
            "run": np.full(n, "1"), "onset_s": np.full(n, np.nan), "stimulus_id": ids,
            "repeat": np.zeros(n, int), "source": ids, "digest": ids,
        })
        roles = np.where(np.arange(n) % 3 == np.arange(3)[:, None], 3, 1).astype(np.int8)
        items = Table({"id": ids, "source": ids, "digest": ids})
        return {
            "responses": Responses(data=data, samples=samples),
            "features": Features(data=X, items=items),
            "split": Split(roles=roles, samples=samples),
        }
'''
FIT = """\
steps:
  recording: {stage: "ours.recording:Recording"}
  encoded:   {stage: encoding.ridge, features: recording.features, responses: recording.responses,
              split: recording.split, alphas: [1, 10, 100], n_inner_folds: 2, block_voxels: 16}
"""
SLOW = '''
import os
import signal
import time


class Slow(Stage):
    """Work in pieces that take a while, and say who does them."""

    stage: ClassVar[str] = "ours.slow:Slow"
    diary: str
    seconds: float = 0.3

    def note(self, what):
        with Path(self.diary).open("a") as stream:
            stream.write(f"{what} {os.getpid()}\\n")

    def prepare(self):
        self.note("prepared")
        return {"start": np.array([10.0])}

    def blocks(self):
        return [f"piece{i}" for i in range(6)]

    def run_block(self, block, *, prepared):
        self.note(block)
        time.sleep(self.seconds)
        strike = Path(self.diary).with_name("strike")
        if block == "piece2" and strike.exists():
            strike.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return {"part": np.asarray(prepared["start"]) + int(block[-1])}

    def assemble(self, parts, *, prepared):
        data = np.stack([np.asarray(p["part"]) for p in parts.values()])
        return Features(data=data, items=Table({"id": list(parts)}))

    def run(self) -> Features:
        return self.run_in_blocks()
'''
SLOW_PIPELINE = (
    'steps:\n  slow: {{stage: "ours.slow:Slow", diary: "{diary}", seconds: {seconds}}}\n'
)


@pytest.fixture
def shop(tmp_path):
    return Workshop(tmp_path)


def run_on(shop, plan, cache="cache"):
    store = Store(shop.folder / cache)
    with fresh_modules():
        return run_graph(shop.load(), store, cluster=plan, listener=shop.news.append)


def read_diary(path):
    """Return (what, process) of each line."""
    return [tuple(line.split()) for line in path.read_text().splitlines()]


def test_one_and_two_workers_give_the_digests_of_a_run_in_process(shop):
    shop.write("recording.py", HEAD + RECORDING)
    shop.write_pipeline(FIT)
    here = shop.run()
    assert not here.failed, [o.trace for o in here.failed.values()]
    for n in (1, 2):
        there = run_on(shop, ClusterPlan("local", n), cache=f"cache{n}")
        assert not there.failed, [o.trace for o in there.failed.values()]
        assert digest_all(there) == digest_all(here)
        assert not list((shop.folder / f"cache{n}").rglob("*.blocks"))
        assert not list((shop.folder / f"cache{n}").rglob("*.lease"))
    told = [news.text for news in shop.news if news.what == "remark"]
    assert told == ["40 voxels in 3 blocks of 16, about 0.3 GB of memory per worker"] * 3


def test_a_worker_that_is_killed_is_replaced_and_its_piece_done_again(shop):
    diary = shop.folder / "diary"
    shop.write("slow.py", HEAD + SLOW)
    shop.write_pipeline(SLOW_PIPELINE.format(diary=diary, seconds=0.2))
    (shop.folder / "strike").touch()
    summary = run_on(shop, ClusterPlan("local", 2))
    assert not summary.failed, [o.error for o in summary.failed.values()]
    done = [what for what, _ in read_diary(diary)]
    wanted = {"prepared": 1, **{f"piece{i}": 1 for i in range(6)}}
    assert {what: done.count(what) for what in wanted} == {**wanted, "piece2": 2}
    assert len({pid for what, pid in read_diary(diary) if what == "piece2"}) == 2
    assert shop.read(summary, "slow")[:, 0].tolist() == [10.0 + i for i in range(6)]
    left = [p.name for p in shop.store.folder.rglob("*") if ".writing-" in p.name]
    assert left == []


def test_a_failed_branch_leaves_the_others_finished(shop):
    shop.write("join.py", HEAD + JOIN)
    shop.write_pipeline(BRANCHED.format(raw=shop.raw, more=""))
    summary = run_on(shop, ClusterPlan("local", 1))
    assert label(summary.computed) == ["data", "scaled1", "scaled3", "shifted1", "shifted3"]
    assert label(summary.failed) == ["shifted-1"]
    assert label(summary.skipped) == ["joined", "scaled-1"]
    assert "cannot go down" in next(iter(summary.logs.values())).read_text()


def test_a_running_scheduler_is_used_and_its_workers_are_looked_at(shop):
    from distributed import LocalCluster

    how = {"n_workers": 1, "dashboard_address": None, "memory_limit": 0}
    with LocalCluster(threads_per_worker=1, **how) as cluster:
        summary = run_on(shop, read_cluster(cluster.scheduler_address))
        assert sorted(name for name, _ in summary.computed) == [
            "aside", "data", "scaled", "shifted",
        ]  # fmt: skip
    with (
        LocalCluster(threads_per_worker=2, processes=False, protocol="tcp://", **how) as cluster,
        pytest.raises(UserError, match=r"does 2 jobs at a time.*Start workers with --nthreads 1"),
    ):
        run_on(shop, read_cluster(cluster.scheduler_address), cache="other")


def test_a_scheduler_that_does_not_answer_is_told(shop, monkeypatch):
    monkeypatch.setattr("neurodecode.core.cluster.ANSWER_S", 0.5)
    with pytest.raises(UserError, match=r"tcp://127.0.0.1:9: no scheduler answers there"):
        run_on(shop, read_cluster("tcp://127.0.0.1:9"))


def test_dask_that_is_absent_is_told_with_the_line_to_write(shop, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UserError, match=r'pip install "neurodecode\[cluster\]"'):
        run_on(shop, ClusterPlan("local", 1))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a half-made one
def test_each_step_asks_the_queue_for_what_it_needs():
    pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is absent")
    from neurodecode.core.cluster import start_queue

    request = Request(memory_gb=8.5, hours=2.5, threads=4)
    plan = read_cluster("slurm", 3, ["queue=short", 'job_script_prologue=["module load x"]'])
    cluster = start_queue(plan, request)
    try:
        script = cluster.job_script()
    finally:
        cluster.close()
    for line in ("#SBATCH -p short", "#SBATCH --cpus-per-task=4", "#SBATCH -t 02:30:00"):
        assert line in script
    assert "module load x" in script
    assert "--nthreads 1" in script.split("--nthreads 4")[1], "the last one counts"
    with pytest.raises(UserError, match="did not take the options"):
        start_queue(read_cluster("slurm", 3, ["no_such_thing=1"]), request)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("locale",), "Did you mean 'local'?"),
        (("node1:8786",), "such as tcp://node1:8786"),
        (("slurm",), "Add --workers"),
        (("tcp://node1:8786", 2), "its workers run already"),
        (("slurm", 2, ["queue"]), "Write key=value"),
    ],
)
def test_what_makes_no_sense_is_refused(given, message):
    with pytest.raises(UserError) as told:
        read_cluster(*given)
    assert message in str(told.value)


def test_ctrl_c_ends_the_workers_too(shop):
    diary = shop.folder / "diary"
    shop.write("slow.py", HEAD + SLOW)
    shop.write_pipeline(SLOW_PIPELINE.format(diary=diary, seconds=30))
    command = [
        sys.executable, "-m", "neurodecode", "run", str(shop.folder / "pipe.yaml"),
        "--cache", str(shop.store.folder), "--cluster", "local", "--workers", "1",
    ]  # fmt: skip
    process = subprocess.Popen(
        command, cwd=shop.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not (diary.exists() and "piece0" in diary.read_text()):
        assert time.monotonic() < deadline, process.stderr.read()
        time.sleep(0.05)
    start = time.monotonic()
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert time.monotonic() - start < 5
    assert process.returncode == 130
    assert "stopped by Ctrl-C" in err
    assert len(err.splitlines()) == 1, err
    wait_for_group(process.pid, 10)
    assert not list(shop.store.folder.rglob("*.writing-*"))


SBATCH = """\
#!/bin/sh
# A queue of one machine: runs what it is given at once, in the background.
for script; do :; done
cp "$script" "$FAKE_QUEUE/$$.sh"
setsid sh "$FAKE_QUEUE/$$.sh" > "$FAKE_QUEUE/$$.log" 2>&1 &
echo $! >> "$FAKE_QUEUE/jobs"
echo "Submitted batch job $!"
"""
SCANCEL = """\
#!/bin/sh
echo "$@" >> "$FAKE_QUEUE/cancelled"
for job; do kill -TERM -- "-$job" 2> /dev/null; done
"""


@pytest.mark.slow
def test_jobs_of_a_queue_do_the_steps(shop, monkeypatch):
    """dask-jobqueue as it is, on commands that stand in for SLURM's."""
    pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is absent")
    queue = shop.folder / "queue"
    queue.mkdir()
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        (queue / name).write_text(text)
        (queue / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{queue}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_QUEUE", str(queue))
    diary = shop.folder / "diary"
    shop.write("slow.py", HEAD + SLOW)
    asked = "execution: {memory_gb: 2, hours: 0.5}}"
    shop.write_pipeline(SLOW_PIPELINE.format(diary=diary, seconds=2.0).replace("}", f", {asked}"))
    summary = run_on(shop, read_cluster("slurm", 2, ["interface=lo"]))
    assert not summary.failed, [o.error for o in summary.failed.values()]
    assert sorted(what for what, _ in read_diary(diary)) == sorted(
        ["prepared", *(f"piece{i}" for i in range(6))]
    )
    assert len({pid for _, pid in read_diary(diary)}) == 2, "two jobs shared the pieces"
    jobs = (queue / "jobs").read_text().split()
    assert len(jobs) >= 2
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for _, pid in read_diary(diary)):
        assert time.monotonic() < deadline, "jobs go on after the run"
        time.sleep(0.1)
