"""fMRI of 27 people who listened to twelve minutes of Alice in Wonderland, in six regions.

Source: J. R. Brennan, E. P. Stabler, S. E. Van Wagenen, W.-M. Luh, J. T. Hale (2016), Abstract
linguistic structure correlates with temporal activity during naturalistic comprehension, Brain and
Language 157-158, 81-94. The files are those of the authors' release of June 2016.

Ten volumes (20 s of silence before the story) were dropped from the recordings, so that a scan's
``onset_s`` counts from 20 s, on the clock of the words. Word rate and sound power come without
these rows, motion and linguistic predictors with them. The predictors are convolved with SPM8's
canonical HRF already: convolving them again would delay them twice.

Of the 28 subjects in the release, ``33`` holds zeros in all regions, and its sound power is a copy
of its word rate. It is refused by what is found in its files, not by its name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Literal, Self, TypedDict

import numpy as np
from pydantic import model_validator

from neurodecode.core.artifacts import (
    Events,
    Features,
    Responses,
    Space,
    make_samples,
    make_scan_items,
)
from neurodecode.core.errors import DataError
from neurodecode.core.raw import find_raw
from neurodecode.core.stage import Stage
from neurodecode.core.tables import Table
from neurodecode.datasets.textgrid import read_textgrid

FACTS: Mapping[str, Any] = MappingProxyType(
    {
        "folder": "alice_fmri",
        "origin": "Brennan et al. 2016; release of the Computational Neurolinguistics Lab, "
        "University of Michigan (https://sites.lsa.umich.edu/cnllab)",
        "licence": "CC BY 4.0",
        "doi": "10.1016/j.bandl.2016.04.008",
        "subjects": (
            "18", "22", "23", "24", "26", "28", "30", "31", "33", "35", "36", "37", "38", "39",
            "40", "41", "42", "43", "44", "45", "46", "47", "48", "49", "50", "51", "52", "53",
        ),
        "without_data": ("33",),
        "t_r": 2.0,
        "n_dropped": 10,
        "n_scans": 362,
        "rois": ("LATL", "RATL", "LPTL", "LIPL", "LPreM", "LIFG"),
        "motion": ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z"),  # mm, rad: SPM
        "linguistic": (
            "rate_conv", "frq_conv_orth", "break_conv_orth", "tdp_conv_orth", "tdx_conv_orth",
            "bup_conv_orth", "bux_conv_orth", "cfgsurp_conv_orth", "bigramlex_conv_orth",
            "trigramlex_conv_orth", "bigrampos_conv_orth", "trigrampos_conv_orth",
        ),
        "predictors": "sept18-generic-predictors-under-hrf-with-logfrqhal.txt",
        "words": "DownTheRabbitHoleFinal_exp120_pad_1.TextGrid",
        "pause": "sp",
        "n_words": 2127,
        "units": "a.u.",
    }
)  # fmt: skip
GET = f"Get the data of {FACTS['origin']}."


class AliceOutputs(TypedDict):
    """What the dataset holds."""

    responses: Responses
    words: Events
    speech: Features
    linguistic: Features
    motion: Features


class Alice(Stage):
    """Load the time courses of six regions, one column each, with what was heard.

    What was heard during a scan is its stimulus ("alice/scan010" at 20 s), the same for all
    subjects: ``speech`` (word rate, sound power) and ``linguistic`` (12 predictors) have a row per
    stimulus, and fit single subjects and group means alike. ``motion`` has a row per scan. Words
    are events of trial_type "word", with the word in the column ``word``.

    Parameters
    ----------
    subject : str
        Two digits, such as "18", or "all" for all subjects one below the other; ``speech`` is then
        that of the first.
    exclude : tuple of str
        Subjects to leave out of all, such as ["33"], whose files hold no recording.
    radius_mm : {6, 10}
        Of the spheres over which a region's voxels were averaged.
    """

    stage: ClassVar[str] = "datasets.alice"

    subject: str = "18"
    exclude: tuple[str, ...] = ()
    radius_mm: Literal[6, 10] = 6

    @model_validator(mode="after")
    def _check_subjects(self) -> Self:
        if self.exclude and self.subject != "all":
            raise ValueError(
                f"exclude is set with one subject, '{self.subject}'. Set subject: all, or leave "
                "exclude out."
            )
        known = FACTS["subjects"]
        for subject in {self.subject, *self.exclude} - {"all", *known}:
            raise ValueError(f"there is no subject '{subject}'. Known: all, {', '.join(known)}.")
        return self

    def subjects(self) -> list[str]:
        """Return the subjects that are loaded."""
        if self.subject != "all":
            return [self.subject]
        return [s for s in FACTS["subjects"] if s not in self.exclude]

    def sources(self) -> Sequence[Path]:
        """Return the shared predictors and words, then four files for each subject."""
        shared = [self._find(FACTS["predictors"]), self._find(FACTS["words"])]
        own = []
        for subject in self.subjects():
            own.append(self._find(f"{self.radius_mm}mm/s{subject}-timecourses.txt"))
            own.append(self._find(f"s{subject}-rate.txt"))
            own.append(self._find(f"s{subject}-sndpwr.txt"))
            own.append(_find_motion(own[-1].parent, subject))
        return (*shared, *own)

    def _find(self, name: str) -> Path:
        return find_raw(f"{FACTS['folder']}/{name}", dataset=self.stage, get=GET)

    def run(self) -> AliceOutputs:
        """Return responses (n_scans, 6), words, and what describes the story and the motion.

        Raises
        ------
        DataError
            A file is not what the facts say, or holds no recording.
        """
        n, dropped = FACTS["n_scans"], FACTS["n_dropped"]
        predictors, words, *own = self.sources()
        subjects = self.subjects()
        data, speech, motion = [], [], []
        for subject, files in zip(subjects, zip(*[iter(own)] * 4, strict=True), strict=True):
            series = _read_table(files[0], (n, len(FACTS["rois"])))
            rate, power = (_read_table(path, (n, 1)) for path in files[1:3])
            _check_recorded(subject, series, rate, power)
            data.append(series)
            speech.append(np.concatenate([rate, power], axis=1))
            motion.append(_read_table(files[3], (n + dropped, 6))[dropped:])
        _check_same_story(subjects, speech)
        samples = _tabulate_scans(subjects)
        linguistic = _read_table(predictors, (n + dropped, len(FACTS["linguistic"])))[dropped:]
        story = _list_moments(subjects[0])
        return {
            "responses": Responses(
                data=np.concatenate(data),
                samples=samples,
                space=Space(
                    kind="parcels",
                    names=np.array(FACTS["rois"]),
                    rois={r: np.arange(6) == k for k, r in enumerate(FACTS["rois"])},
                ),
                units=FACTS["units"],
                t_r=FACTS["t_r"],
            ),
            "words": read_words(words, subjects),
            "speech": _make_features("speech", ("word_rate", "sound_power"), speech[0], story),
            "linguistic": _make_features("linguistic", FACTS["linguistic"], linguistic, story),
            "motion": _make_motion(np.concatenate(motion), samples),
        }


def read_words(path: Path, subjects: Sequence[str]) -> Events:
    """Return the words of the story, for each subject, without its pauses."""
    tiers = [tier for tier in read_textgrid(path) if tier.kind == "interval"]
    if len(tiers) != 1:
        raise DataError(
            f"datasets.alice: {path.name} has {len(tiers)} tiers of intervals. Allowed: one, of "
            "words. Get the original file."
        )
    spoken = [k for k, text in enumerate(tiers[0].texts) if text not in ("", FACTS["pause"])]
    n, n_subjects = len(spoken), len(subjects)
    start, end = tiers[0].start_s[spoken], tiers[0].end_s[spoken]
    columns = {
        "subject": np.repeat(list(subjects), n),
        "session": np.full(n * n_subjects, "01"),
        "run": np.full(n * n_subjects, "01"),
        "onset": np.tile(start, n_subjects),
        "duration": np.tile(end - start, n_subjects),
        "trial_type": np.full(n * n_subjects, "word"),
        "stimulus_id": np.full(n * n_subjects, ""),
        "word": np.tile(np.array([tiers[0].texts[k] for k in spoken]), n_subjects),
    }
    return Events(table=Table(columns))


def _read_table(path: Path, shape: tuple[int, int]) -> np.ndarray:
    """Return a text file of numbers, refusing any other shape."""
    rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    try:
        table = np.array(rows, np.float64)
    except ValueError as error:
        raise DataError(
            f"datasets.alice: {path.name} is no table of numbers ({error}). Get the original file."
        ) from error
    if table.shape != shape or not np.isfinite(table).all():
        raise DataError(
            f"datasets.alice: {path.name} holds {table.shape} numbers, "
            f"{int((~np.isfinite(table)).sum())} of them NaN or infinite. Allowed: finite numbers "
            f"of shape {shape}. Get the original file."
        )
    return table


def _find_motion(folder: Path, subject: str) -> Path:
    """Return the file of SPM's motion parameters, which is named after the raw scan."""
    found = sorted(folder.glob(f"s{subject}-rp_*.txt"))
    if len(found) != 1:
        raise DataError(
            f"datasets.alice: {len(found)} files 's{subject}-rp_*.txt' lie in {folder}. Allowed: "
            f"one. {GET}"
        )
    return found[0]


def _check_recorded(subject: str, series: np.ndarray, rate: np.ndarray, power: np.ndarray) -> None:
    """Raise DataError where files hold no recording."""
    found = []
    constant = np.flatnonzero(np.ptp(series, axis=0) == 0)
    if len(constant):
        names = ", ".join(FACTS["rois"][k] for k in constant)
        found.append(
            f"the time courses of {names} are {series[0, constant[0]]:g} at all {len(series)} scans"
        )
    if np.array_equal(rate, power):
        found.append("the sound power is a copy of the word rate")
    if found:
        raise DataError(
            f"datasets.alice: subject {subject}: {' and '.join(found)}: this is no recording. "
            f'Leave the subject out: exclude: ["{subject}"] with subject: all, or drop it from the '
            "values of each."
        )


def _check_same_story(subjects: Sequence[str], speech: Sequence[np.ndarray]) -> None:
    for subject, values in zip(subjects[1:], speech[1:], strict=True):
        for column, name in enumerate(("word rate", "sound power")):
            r = np.corrcoef(speech[0][:, column], values[:, column])[0, 1]
            if not r > 0.999:
                raise DataError(
                    f"datasets.alice: the {name} of subject {subject} correlates {r:.3f} with that "
                    f"of subject {subjects[0]}, who heard the same story. Allowed: above 0.999. "
                    f'Leave it out: exclude: ["{subject}"].'
                )


def _name_moments() -> np.ndarray:
    first = FACTS["n_dropped"]
    return np.array([f"alice/scan{k:03d}" for k in range(first, first + FACTS["n_scans"])])


def _list_times() -> np.ndarray:
    return (FACTS["n_dropped"] + np.arange(FACTS["n_scans"])) * FACTS["t_r"]


def _tabulate_scans(subjects: Sequence[str]) -> Table:
    moments = np.tile(_name_moments(), len(subjects))
    return make_samples(
        dataset="alice",
        subject=np.repeat(list(subjects), FACTS["n_scans"]),
        stimulus_id=moments,
        onset_s=np.tile(_list_times(), len(subjects)),
        source=moments,
        digest=moments,
    )


def _list_moments(subject: str) -> Table:
    ids = _name_moments()
    n = len(ids)
    places = {"subject": np.full(n, subject), "session": np.full(n, "01"), "run": np.full(n, "01")}
    return Table({"id": ids, "source": ids, "digest": ids, **places, "onset_s": _list_times()})


def _make_features(name: str, columns: Sequence[str], data: np.ndarray, items: Table) -> Features:
    return Features(
        data=data,
        items=items,
        extractor={"name": name, "columns": list(columns), "hrf": "SPM8 canonical, as shipped"},
        bands={column: (k, k + 1) for k, column in enumerate(columns)},
    )


def _make_motion(data: np.ndarray, samples: Table) -> Features:
    return Features(
        data=data,
        items=make_scan_items(samples),
        extractor={"name": "motion", "columns": list(FACTS["motion"]), "from": "SPM8 realignment"},
        bands={"motion": (0, data.shape[1])},
    )
