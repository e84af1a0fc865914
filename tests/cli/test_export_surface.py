"""Volumes in MNI space on fsaverage5, for ``neurodecode export --bids --surface``."""

from dataclasses import replace

import numpy as np
import pytest

from neurodecode.cli.export_bids import project_scores
from neurodecode.core.artifacts import Scores, Space
from neurodecode.core.errors import UserError
from neurodecode.core.tables import Table
from neurodecode.plotting.fsaverage5 import load_mesh
from tests.examples import make_summary, make_voxel_scores

AFFINE = np.diag([6.0, 6.0, 6.0, 1.0])
AFFINE[:3, 3] = (-78, -114, -78)


def make_scores():
    """A volume whose value is the place of each voxel along the front-to-back axis, mm."""
    mask = np.ones((27, 33, 27), bool)
    front_mm = AFFINE[1, 3] + 6.0 * np.argwhere(mask)[:, 1]
    return Scores(
        values=front_mm, over="voxels", items=Table({"voxel": np.arange(len(front_mm))}),
        metric="place", scale="r", summary=make_summary(), ceiling=front_mm + 1,
        p=np.zeros(len(front_mm)), q=np.zeros(len(front_mm)),
        space=Space(kind="volume", mask=mask, affine=AFFINE),
    )  # fmt: skip


def test_a_vertex_takes_the_values_of_its_place():
    made = project_scores(make_scores())
    places = np.concatenate(
        [(load_mesh(s, "white")[0] + load_mesh(s, "pial")[0]) / 2 for s in ("left", "right")]
    )
    vertices = np.asarray(made.space.vertices)
    assert len(vertices) == 20484
    assert np.abs(np.asarray(made.values) - places[vertices, 1]).max() < 4
    np.testing.assert_allclose(made.ceiling, np.asarray(made.values) + 1)
    assert made.p is None
    assert made.q is None


def test_what_lies_on_a_surface_or_elsewhere_is_refused():
    with pytest.raises(UserError, match="of a space of kind 'surface'"):
        project_scores(make_voxel_scores())
    far = np.array(AFFINE)
    far[:3, 3] += 1000
    scores = make_scores()
    moved = replace(scores, space=replace(scores.space, affine=far))
    with pytest.raises(UserError, match="no vertex of fsaverage5 meets a voxel"):
        project_scores(moved)
