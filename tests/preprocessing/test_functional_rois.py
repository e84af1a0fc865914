from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from neurodecode.core.errors import DataError
from neurodecode.preprocessing.functional_rois import FunctionalRois
from tests.examples import make_responses, make_voxel_scores


def find(**settings):
    made = FunctionalRois(name="new", **settings).run(make_responses(), make_voxel_scores())
    assert set(made.space.rois) == {"V1", "FFA", "new"}
    return np.flatnonzero(np.asarray(made.space.rois["new"])).tolist()


def test_the_highest_scores_make_the_region():
    assert find(n_voxels=2) == [6, 7]
    assert find(n_voxels=2, within="V1") == [2, 3]
    assert find(value_threshold=0.35) == [5, 6, 7]
    assert find(q_threshold=0.2) == [6, 7]


def test_what_finds_nothing_is_refused():
    with pytest.raises(DataError, match="no voxel passes for 'new'"):
        find(value_threshold=5.0)
    with pytest.raises(DataError, match="2 voxels pass for 'new', fewer than n_voxels 3"):
        find(n_voxels=3, q_threshold=0.2)
    with pytest.raises(DataError, match="Unknown region 'V2'"):
        find(n_voxels=3, within="V2")
    with pytest.raises(ValidationError, match="nothing says which voxels"):
        FunctionalRois(name="new")
    bare = replace(make_voxel_scores(), q=None)
    with pytest.raises(DataError, match="no corrected p"):
        FunctionalRois(name="new", q_threshold=0.1).run(make_responses(), bare)
    fewer = replace(make_voxel_scores(), values=np.zeros(3))
    with pytest.raises(DataError, match="3 values over voxels, the responses 8"):
        FunctionalRois(name="new", n_voxels=1).run(make_responses(), fewer)
