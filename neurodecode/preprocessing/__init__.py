"""From recorded responses to responses that can be fitted.

zscore.py          per run, or with the training part's mean and deviation
select_voxels.py   by reliability across repeats, on the training part
"""
