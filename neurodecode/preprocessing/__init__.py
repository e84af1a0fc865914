"""From recorded responses to responses that can be fitted.

zscore.py                per run, or with the training part's mean and deviation
noise_normalization.py   whitened by the covariance of the noise between repeats
select_voxels.py         by reliability, variance, encoding score or region, on the training part
single_trial_betas.py    a response per trial from time series; its parts: trial_runs.py,
                         trial_designs.py, trial_outputs.py
"""
