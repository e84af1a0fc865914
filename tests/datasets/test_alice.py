import numpy as np
import pytest

from neurodecode.core.errors import DataError
from neurodecode.datasets.alice import FACTS, Alice

N, DROPPED = FACTS["n_scans"], FACTS["n_dropped"]


def write_twin(root, subjects=("18", "22")):
    """Write files of the published layout; region k of subject s at scan t holds s + k + t/1000."""
    folder = root / FACTS["folder"]
    (folder / "6mm").mkdir(parents=True)
    rng = np.random.default_rng(0)
    speech = rng.normal(size=(N, 2))
    scans = np.arange(N + DROPPED, dtype=float)
    for subject in subjects:
        series = int(subject) + np.arange(6) + scans[:N, None] / 1000
        np.savetxt(folder / f"6mm/s{subject}-timecourses.txt", series)
        np.savetxt(folder / f"s{subject}-rate.txt", speech[:, 0] + 1e-6 * int(subject))
        np.savetxt(folder / f"s{subject}-sndpwr.txt", speech[:, 1])
        np.savetxt(folder / f"s{subject}-rp_scan.txt", scans[:, None] + np.arange(6))
    np.savetxt(folder / FACTS["predictors"], scans[:, None] + np.arange(12), delimiter="\t")
    words = [(12, 20.5, "sp"), (20.5, 21, "Alice"), (21, 21.25, "was"), (21.25, 22, "sp")]
    rows = "\n".join(f'{a}\n{b}\n"{text}"' for a, b, text in words)
    grid = (
        f'"ooTextFile"\n"TextGrid"\n12\n22\n<exists>\n1\n"IntervalTier"\n"word"\n12\n22\n4\n{rows}'
    )
    (folder / FACTS["words"]).write_text(grid)
    return folder


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEURODECODE_DATA", str(tmp_path))
    return write_twin(tmp_path)


def test_scans_words_and_predictors_share_one_clock(folder):
    out = Alice(subject="22").run()
    responses = out["responses"]
    np.testing.assert_allclose(responses.data[5], 22 + np.arange(6) + 0.005)
    assert responses.space.names.tolist() == list(FACTS["rois"])
    assert responses.space.rois["LIPL"].tolist() == [k == 3 for k in range(6)]
    # ten volumes of two seconds were dropped: the first scan is that of 20 s
    np.testing.assert_array_equal(responses.samples["onset_s"], 20 + 2 * np.arange(N))
    words = out["words"].table
    assert words["word"].tolist() == ["Alice", "was"]
    assert words["onset"].tolist() == [20.5, 21]
    assert words["duration"].tolist() == [0.5, 0.25]
    # rows of 372 start at row 10
    ids = responses.samples["stimulus_id"]
    np.testing.assert_array_equal(out["linguistic"].read_for(ids[:2])[:, 0], [10, 11])
    assert len(out["linguistic"].data) == N
    motion = out["motion"]
    np.testing.assert_array_equal(motion.data[0], 10 + np.arange(6))
    np.testing.assert_array_equal(motion.items["sample_id"], responses.samples["sample_id"])
    assert motion.extractor["columns"][:3] == ["trans_x", "trans_y", "trans_z"]
    assert out["speech"].bands == {"word_rate": (0, 1), "sound_power": (1, 2)}


def test_all_subjects_come_one_below_the_other_and_heard_the_same(folder, monkeypatch):
    left_out = [s for s in FACTS["subjects"] if s not in ("18", "22")]
    out = Alice(subject="all", exclude=left_out).run()
    samples = out["responses"].samples
    assert out["responses"].data.shape == (2 * N, 6)
    assert (samples["subject"][[0, N - 1, N]] == ["18", "18", "22"]).all()
    np.testing.assert_array_equal(samples["stimulus_id"][:N], samples["stimulus_id"][N:])
    assert len(set(samples["sample_id"])) == 2 * N
    assert len(out["speech"].data) == N, "one row per moment of the story"
    assert len(out["motion"].data) == 2 * N, "one row per scan"
    assert out["words"].table["subject"].tolist() == ["18", "18", "22", "22"]
    power = np.loadtxt(folder / "s22-sndpwr.txt")
    np.savetxt(folder / "s22-sndpwr.txt", power[::-1])
    with pytest.raises(DataError, match="sound power of subject 22 correlates"):
        Alice(subject="all", exclude=left_out).run()


def test_a_recording_of_zeros_is_refused_and_can_be_left_out(folder):
    np.savetxt(folder / "6mm/s22-timecourses.txt", np.zeros((N, 6)))
    rate = (folder / "s22-rate.txt").read_text()
    (folder / "s22-sndpwr.txt").write_text(rate)
    message = r'subject 22: the time courses of LATL, .* are 0 .*copy.*exclude: \["22"\]'
    with pytest.raises(DataError, match=message):
        Alice(subject="22").run()
    left_out = [s for s in FACTS["subjects"] if s != "18"]
    assert len(Alice(subject="all", exclude=left_out).run()["responses"].data) == N


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("6mm/s18-timecourses.txt", "1 2 3\n", r"holds \(1, 3\) numbers"),
        ("s18-rate.txt", "one\n", "s18-rate.txt is no table of numbers"),
        ("s18-sndpwr.txt", "nan\n" * N, f"{N} of them NaN"),
        ("s18-rp_other.txt", "", "2 files 's18-rp_"),
        (FACTS["words"], '"ooTextFile"', "line 1: the file ends here"),
    ],
)
def test_another_file_is_refused(folder, name, content, message):
    (folder / name).write_text(content)
    with pytest.raises(DataError, match=message):
        Alice(subject="18").run()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"subject": "19"}, "no subject '19'"),
        ({"subject": "all", "exclude": ["1"]}, "no subject '1'"),
        ({"subject": "18", "exclude": ["33"]}, "exclude is set with one subject"),
    ],
)
def test_unknown_subjects_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Alice(**settings)


@pytest.mark.real_data
def test_the_recordings_are_what_the_facts_say(find_data):
    folder = find_data(f"{FACTS['folder']}/{FACTS['words']}").parent
    for subject in FACTS["without_data"]:
        with pytest.raises(
            DataError, match=r"are 0 at all 362 scans and the sound power is a copy"
        ):
            Alice(subject=subject).run()
    out = Alice(subject="all", exclude=FACTS["without_data"]).run()
    assert out["responses"].data.shape == (27 * N, 6)
    assert len(out["words"].table) == 27 * FACTS["n_words"]
    assert out["words"].table["onset"].min() == pytest.approx(20.06, abs=0.01)
    # of all rows that the 372 could start at, row 10 fits the subject's own word rate best
    rate = out["speech"].data[:, 0]
    whole = np.loadtxt(folder / FACTS["predictors"])[:, 0]
    r = [np.corrcoef(rate, whole[start : start + N])[0, 1] for start in range(DROPPED + 1)]
    assert int(np.argmax(r)) == DROPPED
    assert max(r) > 0.97
