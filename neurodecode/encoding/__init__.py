"""From features to responses.

ridge.py             voxelwise ridge, an alpha per voxel
voxel_blocks.py      data of per-voxel fits, read in blocks of voxels
banded_ridge.py      several feature spaces, each with a weight per voxel
columns.py           which voxels all folds predict
"""
