"""Mathematics that stages share, on plain arrays; imports no stage and reads no file.

ridge.py             ridge by one eigendecomposition; its parts: moments.py, ridge_basis.py,
                     ridge_problem.py, ridge_grid.py
ridge_folds.py       outer folds, and nested predictions; inner_folds.py; ridge_estimator.py
statistics.py        bootstrap, permutations, corrections; voxel_selection.py
voxel_scores.py      r and R² per voxel; voxel_test.py, voxel_bootstrap.py: with p and intervals
nulls.py             permutations in time by matrix products; autocorrelation.py, null_limits.py:
                     where they hold; nulls_refit.py: with ridge fitted anew
tails.py             small p from a fitted tail; clusters.py: clusters and TFCE
group_tests.py       tests across subjects; encoder_comparison.py: two encoders, swapped in blocks
pca.py               principal components; covariance.py: with shrinkage, and whitening by it
identification.py    n-way identification from ranks
image_metrics.py     PixCorr, SSIM, sharpness; images.py: resizing
simulation.py        receptive fields, tuning, noise; simulation_subject.py, simulation_time.py
gabor.py             a pyramid of Gabor filters
training.py          the training loop; hooks.py, golden.py: inside and outside of frozen networks
"""
