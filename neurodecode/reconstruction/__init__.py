"""From decoded features back to what was seen.

retrieval.py        the nearest of a gallery
pixels.py           decoded pixels as images: the linear estimate
train_diffusion.py  train a small conditional diffusion model
diffusion.py        sample images from one
pretrained.py       a trained model that comes with the package
"""
