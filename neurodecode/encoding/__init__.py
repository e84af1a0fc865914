"""From features to responses.

ridge.py                   voxelwise ridge, an alpha per voxel
banded_ridge.py            several feature spaces, each with a weight per voxel
stacked.py                 a ridge per feature space, combined by convex weights
kernel_ridge.py            nonlinear: polynomial, radial and cosine kernels
multiple_kernel_ridge.py   a linear kernel per feature space, by himalaya (extra: kernels)
sparse_group_lasso.py      few features of few feature spaces, by himalaya (extra: kernels)
himalaya_folds.py          what these two share
fold_inputs.py             what all share: rows read once, predictions and models of all folds
voxel_blocks.py            responses read in blocks of voxels, for ridge
"""
