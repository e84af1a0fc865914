"""Bring features and responses, or several subjects, onto common axes.

hrf.py        events, or the features of what they show, convolved with a haemodynamic response
delays.py     copies of the features at several lags
resample.py   features with times of their own at the times of the scans
stack.py      subjects one below the other, where their columns correspond
timing.py     which events and scans belong to which run
"""
