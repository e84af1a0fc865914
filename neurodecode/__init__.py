"""Brain encoding and decoding with fMRI, EEG and MEG: one file from recording to report."""

from __future__ import annotations

__version__ = "0.1.0"
