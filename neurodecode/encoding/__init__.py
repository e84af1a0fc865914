"""From features to responses.

ridge.py             voxelwise ridge, an alpha per voxel
voxel_blocks.py      data of per-voxel fits, read in blocks of voxels
banded_ridge.py      several feature spaces, each with a weight per voxel
kernel_ridge.py      nonlinear: polynomial, radial and cosine kernels
fold_inputs.py       what they share: rows read once, predictions and models of all folds
"""
