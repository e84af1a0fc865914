"""From recorded responses to responses that can be fitted.

quality_gate.py          motion, DVARS, outliers, tSNR, reliability; bad scans and runs left out
quality_report.py        what it found, as a table and a figure
smooth.py                in space: in the volume, or along the surface
volume_to_surface.py     responses of voxels at the vertices of a cortical surface
confounds.py             confounds and drift out of each run, in one projection
detrend.py               slow drift alone out of each run, by polynomials or cosines
zscore.py                per run or session, or by the training part; percent signal change
single_trial_betas.py    a response per trial from time series
trial_runs.py            its scans, events and confounds of each run
trial_designs.py         its designs of all runs, checked
trial_outputs.py         its tables
average_repeats.py       one mean per stimulus, or per block of a block design
average_subjects.py      the mean of a group, scan by scan or stimulus by stimulus
noise_normalization.py   whitened by the covariance of the noise between repeats
functional_rois.py       a region of the voxels that a localizer finds
select_voxels.py         by reliability, variance, encoding score or region, on the training part
"""
