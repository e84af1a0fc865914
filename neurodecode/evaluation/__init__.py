"""Splits, scores, ceilings, nulls, and comparisons.

split.py             training, validation and test rows
lag_check.py         whether responses follow their events by a plausible delay (lag_figure.py)
encoding.py          r or R² of predicted responses, per voxel, with null and corrections
rois.py              the same per region of interest
compare_encoders.py  two encoders on the same responses
split_scores.py      shares of feature spaces in a joint model's score
variance_partitioning.py   unique and shared variance of feature spaces
group.py             tests across subjects, and prevalence
noise_ceiling.py     the best score that noise allows, from repeats (repeats.py, ceiling_summary.py)
inter_subject.py     each subject against the mean of the others
plan_repeats.py      how many repeats a target ceiling takes
weights.py           weights of a model, patterns of a decoder, as maps
classification.py    accuracy and confusions of predicted classes
identification.py    pairwise, n-way and top-k identification
pixcorr.py           pixel correlation
ssim.py              structural similarity
sharpness.py         fine structure relative to the real images
digit_confidence.py  what an independent reader of digits sees
compare.py           paired difference of two results
shuffle.py           control: responses given to the wrong samples
replace.py           control: other features in place of the decoded ones
audit.py             a result beside its controls, with a verdict in words

held_out.py, side_by_side.py, voxel_nulls.py, regions.py, region_means.py, neighbours.py,
subject_scores.py: what these share
"""
