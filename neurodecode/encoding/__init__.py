"""From features to responses.

ridge.py             voxelwise ridge, an alpha per voxel
banded_ridge.py      several feature spaces, each with a weight per voxel
columns.py           which voxels all folds predict
"""
