"""Splits, scores, ceilings, nulls, and comparisons.

split.py             training, validation and test rows
identification.py    pairwise, n-way and top-k identification
pixcorr.py           pixel correlation
ssim.py              structural similarity
sharpness.py         fine structure relative to the real images
digit_confidence.py  what an independent reader of digits sees
encoding.py          r or R² of predicted responses, per voxel
split_scores.py      shares of feature spaces in a joint model's score
variance_partitioning.py   unique and shared variance of feature spaces
held_out.py          several predictions beside the responses; regions.py: means over regions
noise_ceiling.py     the best score that noise allows, from repeats
shuffle.py           control: responses given to the wrong samples
replace.py           control: other features in place of the decoded ones
audit.py             a result beside its controls, with a verdict in words
compare.py           paired difference of two results
"""
