"""Recordings and stimuli, one file per data set or format.

digits.py      1,797 handwritten digits that scikit-learn ships (stimuli)
images.py      a folder of images (stimuli)
digit69.py     fMRI of one subject seeing handwritten sixes and nines
localizer.py   fMRI of a functional localizer, ten tasks heard and seen
alice.py       fMRI of 27 people listening to Alice in Wonderland (textgrid.py: words and times)
objects81.py   mean fMRI responses to 81 categories of objects, with AlexNet and word2vec
simulated.py   simulated subjects on fsaverage5 with known truth, who view any images
               (simulated_patch.py: where on the cortex; simulated_runs.py: the tables)
fmriprep.py    bring your own: an fMRIPrep folder, with events of its raw data set
               (bids_index.py, bids_names.py: files by their names; fmriprep_*.py: confounds,
               timing, the check; event_files.py: tables of events)
nifti.py       bring your own: NIfTI, GIFTI or CIFTI files, one per run, and a mask
               (scan_files.py, scan_spaces.py, scan_series.py: headers, masks, runs read when
               used; repetition_time.py: the one that all sources agree on)
haxby.py       fMRI of people seeing faces, houses and objects in blocks
arrays.py      bring your own: npy, npz, mat, h5, csv, tsv
               (array_files.py and array_*.py: formats, shapes, ids, the dry-run check;
               array_process.py keeps what C libraries do to damaged files away from the run)
rois.py        regions of interest from NIfTI, GIFTI and FreeSurfer files, for any responses
               (roi_files.py reads them)
"""
