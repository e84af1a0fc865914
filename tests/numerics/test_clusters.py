import numpy as np
import pytest
from nilearn.mass_univariate._utils import calculate_cluster_measures, calculate_tfce
from scipy.ndimage import gaussian_filter, generate_binary_structure

from neurodecode.numerics.clusters import (
    correct_by_clusters,
    enhance_clusters,
    link_vertices,
    link_voxels,
    make_statistic,
    measure_clusters,
)

FACES = generate_binary_structure(3, 1)  # neighbours share a face


def make_volume(seed=0, shape=(9, 10, 11)):
    rng = np.random.default_rng(seed)
    smooth = gaussian_filter(rng.normal(size=shape), 1.0)
    return smooth / smooth.std()


@pytest.mark.parametrize("seed", range(3))
def test_enhancement_equals_nilearns_on_a_volume(seed):
    volume = make_volume(seed)
    step = volume.max() / 100  # what nilearn takes; it leaves the step out of the sum
    theirs = calculate_tfce(volume[..., None], FACES, two_sided_test=False)[..., 0]
    edges = link_voxels(np.ones(volume.shape, bool))
    ours = enhance_clusters(volume.ravel(), edges, step=step) / step
    np.testing.assert_allclose(ours, theirs.ravel(), rtol=1e-6, atol=1e-8)


def test_clusters_equal_nilearns_on_a_volume():
    volume = make_volume()
    sizes, masses = calculate_cluster_measures(volume[..., None], 1.0, FACES)
    size, mass = measure_clusters(volume.ravel(), link_voxels(np.ones(volume.shape, bool)), 1.0)
    assert size.max() == sizes[0]
    assert mass.max() == pytest.approx(masses[0])
    assert ((size > 0) == (volume.ravel() > 1.0)).all()


def test_a_mask_keeps_apart_what_it_divides():
    mask = np.ones((5, 1, 1), bool)
    mask[2] = False
    edges = link_voxels(mask)
    assert edges.tolist() == [[0, 1], [2, 3]]
    size, mass = measure_clusters(np.array([2.0, 2, 3, np.nan]), edges, 1.0)
    assert size.tolist() == [2, 2, 1, 0]
    assert mass.tolist() == [2, 2, 2, 0]


def test_nothing_above_is_no_cluster():
    edges = link_voxels(np.ones((2, 2, 1), bool))
    assert measure_clusters(np.zeros(4), edges, 1.0)[0].tolist() == [0] * 4
    for values in (np.zeros(4), np.full(4, np.nan), np.full(4, -3.0)):
        assert enhance_clusters(values, edges).tolist() == [0] * 4


def test_neighbours_on_a_mesh_equal_those_of_a_volume():
    # a flat sheet as a mesh whose squares are cut in two, along one diagonal
    sheet = make_volume(3, (12, 13, 1))
    number = np.arange(12 * 13).reshape(12, 13)
    a, b, c, d = (
        number[i : 11 + i, j : 12 + j].ravel() for i, j in ((0, 0), (0, 1), (1, 0), (1, 1))
    )
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([b, c, d], 1)])
    edges = {tuple(e) for e in link_vertices(faces, number.ravel()).tolist()}
    squares = {tuple(sorted(e)) for e in link_voxels(np.ones((12, 13, 1), bool)).tolist()}
    assert squares < edges
    assert len(edges - squares) == 11 * 12  # the diagonals
    # on a surface the extent counts in full: one vertex alone, of height 1, gives sum h² dh
    alone = enhance_clusters(np.eye(1, 4).ravel(), np.empty((0, 2), int), extent=1.0, step=0.5)
    np.testing.assert_allclose(alone, [0.5 * (0.25 + 1), 0, 0, 0])
    assert enhance_clusters(sheet.ravel(), link_vertices(faces, number.ravel())).max() > 0


@pytest.mark.parametrize("kind", ["cluster_size", "cluster_mass", "tfce"])
def test_a_planted_blob_is_found_and_the_family_is_held(kind):
    mask = np.ones((10, 10, 6), bool)
    edges = link_voxels(mask)
    statistic = make_statistic(kind, edges, threshold=2.0, extent=0.5)
    maps = [make_volume(1000 + i, mask.shape).ravel() for i in range(99)]
    blob = make_volume(7, mask.shape)
    blob[3:7, 3:7, 2:5] += 5
    p = correct_by_clusters(blob.ravel(), maps, statistic)
    assert (p.reshape(mask.shape)[4:6, 4:6, 3:4] <= 0.02).all()
    largest = np.sort([statistic(values).max() for values in maps])
    others = [statistic(make_volume(s, mask.shape).ravel()).max() for s in range(100)]
    wrong = np.mean(np.array(others) >= largest[-5])  # those with p <= 0.05 + 0.01
    assert wrong <= 0.13  # 5 expected; three standard errors, and those of the 99 maps
    blob[0, 0, 0] = np.nan
    assert np.isnan(correct_by_clusters(blob.ravel(), maps[:5], statistic)[0])
