"""A folder of images that were shown.

Ids are paths below the folder, with "/" between parts, as the ``stim_file`` column of BIDS events
has them. Images of several sizes are refused unless a size is stated: what was on the screen is
for the experimenter to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field, PositiveInt

from neurodecode.core.artifacts import Stimuli, make_items
from neurodecode.core.checks import list_names
from neurodecode.core.errors import DataError
from neurodecode.core.progress import track
from neurodecode.core.raw import find_raw
from neurodecode.core.stage import Stage

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".gif")
MOST_BYTES = 8 * 2**30


class Images(Stage):
    """Read all images below a folder.

    Parameters
    ----------
    path : str
        Absolute, or relative to the working folder or a data root.
    size_px : int or None
        Height and width to which images are brought: the largest centred square is cut out and
        resized (Lanczos). None keeps them; they must then be of one size.
    ids : {"path", "name", "stem"}
        The path below the folder, the file's name alone, or the name without its suffix.
    category : {"folder", "none"}
        "folder" takes the name of the folder that an image lies in, if it is not the top one.
    colours : {"rgb", "grey"}
    licence, origin : str
        Kept with the stimuli.
    """

    stage: ClassVar[str] = "datasets.images"
    example: ClassVar = {"path": "images"}

    path: str = Field(min_length=1)
    size_px: PositiveInt | None = None
    ids: Literal["path", "name", "stem"] = "path"
    category: Literal["folder", "none"] = "folder"
    colours: Literal["rgb", "grey"] = "rgb"
    licence: str = ""
    origin: str = ""

    def sources(self) -> Sequence[Path]:
        """Return the image files, sorted by their path."""
        return tuple(file for _, file in self._list_files())

    def run(self) -> Stimuli:
        """Return images (n_items, height, width, 3) or, in grey, (n_items, height, width, 1).

        Raises
        ------
        DataError
            No images, an unreadable one, several sizes, or two of one id.
        """
        files = self._list_files()
        ids = [self._name(relative) for relative, _ in files]
        self._check_unique(ids)
        first = self._read(files[0][1])
        total = len(files) * first.nbytes
        if total > MOST_BYTES:
            raise DataError(
                f"{self.stage}: {len(files)} images of {first.shape[0]} x {first.shape[1]} pixels "
                f"need {total / 2**30:.0f} GB of memory. Allowed: {MOST_BYTES // 2**30} GB. Set "
                "size_px to what the features need (224, say)."
            )
        data = np.empty((len(files), *first.shape), np.uint8)
        for i, (relative, file) in enumerate(track(files, self.stage, len(files))):
            image = self._read(file)
            if image.shape != first.shape:
                raise DataError(
                    f"{self.stage}: {relative} has {image.shape[0]} x {image.shape[1]} pixels, "
                    f"{files[0][0]} {first.shape[0]} x {first.shape[1]}. Allowed: images of one "
                    "size. Set size_px to cut out and resize all of them."
                )
            data[i] = image
        folders = [Path(relative).parent.name for relative, _ in files]
        columns = {"category": folders} if self.category == "folder" and any(folders) else {}
        return Stimuli(
            data=data,
            items=make_items(ids, data, **columns),
            licence=self.licence,
            origin=self.origin,
        )

    def _list_files(self) -> list[tuple[str, Path]]:
        folder = Path(self.path)
        if not folder.is_dir():
            get = "Name a folder of images."
            folder = find_raw(self.path, dataset=self.stage, get=get)
        found = sorted(
            (path.relative_to(folder).as_posix(), path)
            for path in folder.rglob("*")
            if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
        )
        if not found:
            raise DataError(
                f"{self.stage}: {folder} holds no images. Allowed: {', '.join(SUFFIXES)}. Name "
                "the folder that they lie in."
            )
        return found

    def _name(self, relative: str) -> str:
        path = Path(relative)
        return {"path": relative, "name": path.name, "stem": path.stem}[self.ids]

    def _check_unique(self, ids: list[str]) -> None:
        names, counts = np.unique(ids, return_counts=True)
        twice = names[counts > 1].tolist()
        if twice:
            raise DataError(
                f"{self.stage}: {len(twice)} ids belong to several files ({list_names(twice)}) "
                f"with ids: {self.ids}. Set ids: path, which tells them apart."
            )

    def _read(self, file: Path) -> np.ndarray:
        from PIL import Image, ImageOps, UnidentifiedImageError

        mode = "RGB" if self.colours == "rgb" else "L"
        try:
            with Image.open(file) as opened:
                n_frames = getattr(opened, "n_frames", 1)
                if n_frames > 1:
                    raise DataError(
                        f"{self.stage}: {file} holds {n_frames} frames. Allowed: still "
                        "images. Remove it, or save one frame of it."
                    )
                upright = ImageOps.exif_transpose(opened)
                if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
                    opacity = np.asarray(upright.convert("RGBA"))[..., 3]
                    if opacity.min() < 255:
                        raise DataError(
                            f"{self.stage}: {file} is transparent in places, and what lay behind "
                            "it on the screen is not known. Save it on the background that was "
                            "shown."
                        )
                image = upright.convert(mode)
        except (
            UnidentifiedImageError,
            Image.DecompressionBombError,
            OSError,
            SyntaxError,
            ValueError,
        ) as error:
            raise DataError(
                f"{self.stage}: {file} cannot be read as an image ({error}). Save it again as "
                "PNG, or remove it."
            ) from error
        if self.size_px is not None:
            size = (self.size_px, self.size_px)
            image = ImageOps.fit(image, size, Image.Resampling.LANCZOS)
        pixels = np.asarray(image, np.uint8)
        return pixels if pixels.ndim == 3 else pixels[..., None]
