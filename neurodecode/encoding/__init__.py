"""From features to responses.

ridge.py             voxelwise ridge, an alpha per voxel
"""
