"""The core, which knows no brains.

artifacts/      what stages exchange
stage.py        the contract every stage keeps; stages by address
pipeline.py     a pipeline file to a graph: yaml_reader, yaml_tree and overrides (its text); draft,
                root, axes and steps (what it says); controls, order, branches and settings (what it
                means); graph
locate.py       the file of a stage of one's own, found without running it
planner.py      fresh, stale, missing, waiting, and why
fingerprint.py  settings + code + inputs → key; loaded.py the code that runs is the code it names
store.py        results and their cards; hdf5.py and packing.py beneath it
seals.py        what vouches for every stored byte; bounded.py opens what nothing vouches for
runner.py       executes a plan: tasks.py one step, pieces.py its blocks, lease.py; sharing.py among
                workers: workers.py local processes, cluster.py Dask (cluster_plan.py)
lineage.py      contact with rows; trace.py follows it through a step
rows.py         joining samples and items; joined.py arrays side by side, unread
rows.py         joining samples and items; joined.py and stacked.py arrays
                side by side and one under the other, unread
lint/           what lineage cannot see; looks.py how often a test set was scored
checks.py  errors.py  visible.py  digests.py  tables.py  files.py  raw.py  resources.py
progress.py  device.py
"""
