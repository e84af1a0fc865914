"""Mathematics that stages share, on plain arrays; imports no stage and reads no file.

Ridge
ridge.py                    alphas per target, and predictions
moments.py                  sums of squares and products of rows, by part
ridge_basis.py              one eigendecomposition per training set; all alphas scored in it
ridge_skeleton.py           scores at all alphas from a few
ridge_problem.py            the primal form, for more rows than features
ridge_kernel.py             the kernel form, for more features than rows
ridge_torch.py              the products on torch tensors
ridge_grid.py               which alpha, and a grid that grows at its edge
ridge_checks.py             what is refused
ridge_prepared.py           features made ready once for many blocks of targets
ridge_plan.py               memory of a fit, and targets at a time
ridge_blocks.py             blocks of targets; what they share is made once and kept
ridge_block_fit.py          one such block
block_plan.py               how many voxels fit a limit of memory
records.py                  objects kept as named arrays
inner_folds.py              training rows held out together while alphas are chosen
ridge_folds.py              outer folds, and nested predictions
ridge_estimator.py          the scikit-learn estimator
fractional_ridge.py         ridge by the length of its solution

Several feature spaces, and kernels
banded_ridge.py             a weight per feature space and target
band_weights.py             candidate weights
banded_ridge_problem.py     primal and kernel form under weights
banded_ridge_search.py      every candidate and alpha, the best so far kept
banded_ridge_screen.py      a bound that spares most of them
banded_ridge_refine.py      weights moved along the gradient
banded_ridge_checks.py      what banded and kernel ridge ask of their inputs
banded_ridge_folds.py       outer folds
banded_ridge_estimator.py   the scikit-learn estimator
stacking.py                 a ridge per feature space, and their shares
stacking_estimator.py       the scikit-learn estimator
kernel_ridge.py             nonlinear kernels, an alpha and a gamma per target
kernel_ridge_estimator.py   the scikit-learn estimator
himalaya_solvers.py         multiple kernels and the sparse group lasso, by himalaya
estimator_inputs.py         what these estimators do alike before a fit
variance_partitioning.py    product measure, unique and shared variance

Scores, ceilings and tests
statistics.py               correlations, bootstrap, permutations, corrections
voxel_scores.py             r and R² per voxel
voxel_test.py               p of voxels that come in blocks
voxel_bootstrap.py          intervals over voxels and regions
voxel_selection.py          reliability, and how well features predict, on training rows
nulls.py                    permutations in time by matrix products
nulls_refit.py              the same with ridge fitted anew
null_limits.py              where each null holds
autocorrelation.py          how many independent samples a run holds
tails.py                    small p from a fitted tail
clusters.py                 clusters and threshold-free enhancement
group_tests.py              tests across subjects
encoder_comparison.py       two encoders, swapped in blocks
noise_ceilings.py           the reliability of one presentation
ceiling_intervals.py        ceilings from it, and their intervals
repeat_planning.py          repeats that a target ceiling takes
inter_subject.py            each subject against the mean of the others
identification.py           n-way identification from ranks
classification.py           accuracy and its null
image_metrics.py            PixCorr, SSIM, sharpness

Time and space
hrf.py                      the response to events, a difference of two gamma densities
hrf_library.py              a library of such responses, by peak and width
single_trial.py             single-trial betas
single_trial_design.py      the design of one run
drift.py                    polynomials and cosines of a run, and their removal
confounds.py                confounds and drift out of a run, in one projection
lag.py                      at which lag events explain responses
resampling.py               values at some times carried to other times
quality.py                  framewise displacement, DVARS, outliers, tSNR
smoothing.py                Gaussian kernels in volumes, averaging on meshes
volume_projection.py        voxels of a volume carried to vertices of a surface

Features, images and simulation
pca.py                      principal components
covariance.py               with shrinkage, and whitening by it
images.py                   resizing, luminance, pixels as rows
gabor.py                    a pyramid of Gabor wavelets
hooks.py                    what a network computes on its way
golden.py                   what an extractor makes of one fixed input
training.py                 the training loop of small networks
simulation.py               receptive fields, oriented energy, an object code
simulation_subject.py       what simulated subjects share, and where they differ
simulation_time.py          their order of presentations, BOLD, noise and drift
"""
