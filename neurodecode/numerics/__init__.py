"""Mathematics that stages share, on plain arrays; imports no stage and reads no file.

ridge.py             ridge by one eigendecomposition; its parts: moments.py, ridge_basis.py,
                     ridge_problem.py, ridge_grid.py
banded_ridge.py      a weight per feature space; its parts: band_weights.py, banded_ridge_*.py
stacking.py          a ridge per feature space, and their shares
himalaya_solvers.py  multiple kernels and the sparse group lasso, by himalaya
kernel_ridge.py      nonlinear kernels, an alpha and a gamma per target
ridge_folds.py       outer folds, and nested predictions; inner_folds.py; ridge_estimator.py
statistics.py        bootstrap, permutations, corrections; voxel_scores.py, voxel_selection.py
variance_partitioning.py   product measure, unique and shared variance
pca.py               principal components; covariance.py: with shrinkage, and whitening by it
identification.py    n-way identification from ranks
image_metrics.py     PixCorr, SSIM, sharpness; images.py: resizing
simulation.py        receptive fields, tuning, noise; simulation_subject.py, simulation_time.py
gabor.py             a pyramid of Gabor filters
training.py          the training loop; hooks.py, golden.py: inside and outside of frozen networks
"""
