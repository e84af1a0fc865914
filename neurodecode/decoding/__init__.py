"""From responses to features.

ridge.py             ridge, an alpha per feature
"""
