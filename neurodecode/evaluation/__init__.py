"""Splits, scores, ceilings, nulls, and comparisons.

split.py             training, validation and test rows
identification.py    pairwise, n-way and top-k identification
pixcorr.py           pixel correlation
ssim.py              structural similarity
sharpness.py         fine structure relative to the real images
digit_confidence.py  what an independent reader of digits sees
encoding.py          r or R² of predicted responses, per voxel
noise_ceiling.py     the best score that noise allows, from repeats
weights.py           weights of a model, patterns of a decoder, as maps
shuffle.py           control: responses given to the wrong samples
replace.py           control: other features in place of the decoded ones
audit.py             a result beside its controls, with a verdict in words
compare.py           paired difference of two results
"""
