"""Mathematics that stages share, on plain arrays; imports no stage and reads no file.

ridge.py             ridge with alphas per target. Its parts: moments.py (sums of squares by part),
                     ridge_basis.py (eigenbases and scores), ridge_skeleton.py, ridge_problem.py and
                     ridge_kernel.py (the two forms), ridge_torch.py, ridge_grid.py (which alpha),
                     ridge_prepared.py (many blocks of targets), ridge_checks.py
ridge_plan.py        memory of a ridge fit, and targets per block
ridge_folds.py       outer folds, and nested predictions; inner_folds.py; ridge_estimator.py
statistics.py        bootstrap, permutations, corrections; voxel_scores.py, voxel_selection.py
pca.py               principal components; covariance.py: with shrinkage, and whitening by it
identification.py    n-way identification from ranks
image_metrics.py     PixCorr, SSIM, sharpness; images.py: resizing
simulation.py        receptive fields, tuning, noise; simulation_subject.py, simulation_time.py
gabor.py             a pyramid of Gabor filters
training.py          the training loop; hooks.py, golden.py: inside and outside of frozen networks
"""
