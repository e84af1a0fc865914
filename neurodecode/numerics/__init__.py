"""Mathematics that stages share, on plain arrays; imports no stage and reads no file.

ridge.py             ridge by one eigendecomposition; its parts: moments.py, ridge_basis.py,
                     ridge_problem.py, ridge_grid.py
ridge_blocks.py      ridge in blocks of targets, what they share made once; ridge_block_fit.py one
                     block; block_plan.py: how many targets fit the memory; records.py: objects
                     kept as arrays
ridge_folds.py       outer folds, and nested predictions; inner_folds.py; ridge_estimator.py
statistics.py        bootstrap, permutations, corrections; voxel_scores.py, voxel_selection.py
pca.py               principal components; covariance.py: with shrinkage, and whitening by it
identification.py    n-way identification from ranks
image_metrics.py     PixCorr, SSIM, sharpness; images.py: resizing
simulation.py        receptive fields, tuning, noise; simulation_subject.py, simulation_time.py
gabor.py             a pyramid of Gabor filters
training.py          the training loop; hooks.py, golden.py: inside and outside of frozen networks
"""
