"""Bring features and responses, or several subjects, onto common axes.

stack.py   subjects one below the other, where their columns correspond
"""
