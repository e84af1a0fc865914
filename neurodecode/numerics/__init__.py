"""Mathematics that stages share, on plain arrays; imports no stage and reads no file.

ridge.py             ridge by one eigendecomposition; its parts: moments.py, ridge_basis.py,
                     ridge_problem.py, ridge_grid.py; ridge_plan.py: memory, and blocks of targets
                     ridge_problem.py, ridge_grid.py
banded_ridge.py      a weight per feature space; its parts: band_weights.py, banded_ridge_*.py
stacking.py          a ridge per feature space, and their shares
himalaya_solvers.py  multiple kernels and the sparse group lasso, by himalaya
kernel_ridge.py      nonlinear kernels, an alpha and a gamma per target
ridge.py             ridge with alphas per target. Its parts: moments.py (sums of squares by part),
                     ridge_basis.py (eigenbases and scores), ridge_skeleton.py, ridge_problem.py and
                     ridge_kernel.py (the two forms), ridge_torch.py, ridge_grid.py (which alpha),
                     ridge_prepared.py (many blocks of targets), ridge_checks.py
ridge_plan.py        memory of a ridge fit, and targets per block
ridge_blocks.py      ridge in blocks of targets, what they share made once; ridge_block_fit.py one
                     block; block_plan.py: how many targets fit the memory; records.py: objects
                     kept as arrays
ridge_folds.py       outer folds, and nested predictions; inner_folds.py; ridge_estimator.py
statistics.py        bootstrap, permutations, corrections; voxel_scores.py, voxel_selection.py
noise_ceilings.py    reliability of one presentation; ceiling_intervals.py: ceilings, intervals;
                     inter_subject.py; repeat_planning.py
confounds.py         confounds, drift and fast cosines out of a run, in one projection
drift.py             polynomials and cosines of a run, and their removal
drift.py             polynomials and cosines of a run, and their removal; lag.py: shifted events
statistics.py        bootstrap, permutations, corrections; voxel_selection.py
voxel_scores.py      r and R² per voxel; voxel_test.py, voxel_bootstrap.py: with p and intervals
nulls.py             permutations in time by matrix products; autocorrelation.py, null_limits.py:
                     where they hold; nulls_refit.py: with ridge fitted anew
tails.py             small p from a fitted tail; clusters.py: clusters and TFCE
group_tests.py       tests across subjects; encoder_comparison.py: two encoders, swapped in blocks
quality.py           framewise displacement, DVARS, outliers, tSNR
smoothing.py         Gaussian kernels in volumes, averaging on meshes
variance_partitioning.py   product measure, unique and shared variance
pca.py               principal components; covariance.py: with shrinkage, and whitening by it
identification.py    n-way identification from ranks; classification.py: accuracy and its null
image_metrics.py     PixCorr, SSIM, sharpness; images.py: resizing
simulation.py        receptive fields, tuning, noise; simulation_subject.py, simulation_time.py
single_trial.py      single-trial betas; single_trial_design.py, hrf_library.py,
                     fractional_ridge.py
gabor.py             a pyramid of Gabor filters
training.py          the training loop; hooks.py, golden.py: inside and outside of frozen networks
"""
