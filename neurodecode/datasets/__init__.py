"""Recordings and stimuli, one file per data set or format.

Data sets
digits.py              1,797 handwritten digits that scikit-learn ships (stimuli)
simulated.py           simulated subjects on fsaverage5 with known truth, who view any images
simulated_patch.py     where on the cortex they are
simulated_runs.py      the tables of their runs
digit69.py             fMRI of one subject seeing handwritten sixes and nines
haxby.py               fMRI of people seeing faces, houses and objects in blocks
localizer.py           fMRI of a functional localizer, ten tasks heard and seen
alice.py               fMRI of 27 people listening to Alice in Wonderland
textgrid.py            words and their times, from Praat
objects81.py           mean fMRI responses to 81 categories of objects, with AlexNet and word2vec

Bring your own
images.py              a folder of images (stimuli)
fmriprep.py            an fMRIPrep folder, with events of its raw data set
fmriprep_check.py      what looking through it found, as a table
fmriprep_confounds.py  its confounds, by nilearn's names for strategies
fmriprep_features.py   confounds as features of scans
fmriprep_timing.py     when its scans were
bids_index.py          runs in a BIDS derivative, and the files that belong to them
bids_names.py          names of files, and the metadata that hold for a file
event_files.py         tables of events
nifti.py               NIfTI, GIFTI or CIFTI files, one per run, and a mask
scan_files.py          headers and data of such files
scan_spaces.py         where their columns lie
scan_series.py         runs as one time series, read when used
repetition_time.py     the one that all sources agree on
rois.py                regions from NIfTI, GIFTI and FreeSurfer files, for any responses
roi_files.py           what such files say of a space
arrays.py              matrices in npy, npz, mat, h5, csv, tsv
array_files.py         one named array out of any of these
array_numpy.py         npy and npz
array_matlab.py        mat
array_hdf5.py          h5
array_process.py       keeps what C libraries do to damaged files away from the run
array_shapes.py        one order of axes
array_ids.py           identities, and the join of trials with their stimuli
array_checks.py        the dry-run check
"""
