"""From features to responses.

ridge.py             voxelwise ridge, an alpha per voxel
voxel_blocks.py      data of per-voxel fits, read in blocks of voxels
banded_ridge.py      several feature spaces, each with a weight per voxel
stacked.py           a ridge per feature space, combined by convex weights
kernel_ridge.py      nonlinear: polynomial, radial and cosine kernels
multiple_kernel_ridge.py, sparse_group_lasso.py   himalaya's (extra: kernels)
himalaya_folds.py    what these two share
fold_inputs.py       what they share: rows read once, predictions and models of all folds
"""
