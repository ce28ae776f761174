"""Folders of images: a folder for each class, with folders train and test above them or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse.data.readers.guard import guarded
from trulysparse.data.readers.request import Request
from trulysparse.data.table import Table
from trulysparse.errors import InputError, MissingExtraError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
_GREY = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "F")


def is_image_folder(path: Path) -> bool:
    """Whether images lie in the folder, in folders in it, or one deeper in train and test."""
    return bool(_images(path)) or any(map(_images, _folders(path))) or _parts(path) is not None


def read_images(request: Request) -> Table:
    """A table of pixels, one row per image, uint8 (row by row, colours last). All images must have one size; they are
    grey where all of them are."""
    _require_pillow()
    path, known = request.path, request.layout.get("image")
    parts = _parts(path)
    if parts is None:
        files, y = _labelled(path, request.need_target)
        size, grey = _form(files, known)
        X, y_test, X_test = _pixels(files, grey), None, None
    else:
        files, y = _labelled(parts[0], True)
        test_files, y_test = _labelled(parts[1], True)
        size, grey = _form([*files, *test_files], known)
        X, X_test = _pixels(files, grey), _pixels(test_files, grey)
    note = f"images: {size[0]} x {size[1]} pixels, {'grey' if grey else 'three colours'}"
    return Table(X, y, X_test, y_test, notes=[note], layout={"image": [size[0], size[1], 1 if grey else 3]})


def image_files(path: Path) -> list[Path]:
    """All images in and below the folder that read_images reads."""
    parts = _parts(path) or (path,)
    return [file for part in parts for folder in (part, *_folders(part)) for file in _images(folder)]


def _images(folder: Path) -> list[Path]:
    return sorted(
        file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")
    )


def _folders(path: Path) -> list[Path]:
    return sorted(part for part in path.iterdir() if part.is_dir() and not part.name.startswith("."))


def _parts(path: Path) -> tuple[Path, Path] | None:
    """The folders train and test, where they hold folders of images."""
    named = {part.name.lower(): part for part in _folders(path)}
    if not {"train", "test"} <= set(named):
        return None
    both = named["train"], named["test"]
    return both if all(any(map(_images, _folders(part))) for part in both) else None


def _labelled(path: Path, need_target: bool) -> tuple[list[Path], NDArray[Any] | None]:
    """(images, the name of the folder of each)."""
    loose, by_class = _images(path), {folder.name: _images(folder) for folder in _folders(path)}
    by_class = {name: files for name, files in by_class.items() if files}
    if loose and (by_class or need_target):
        raise InputError(
            f"DATA: '{path}' has images in no folder of their class, as '{loose[0].name}'; each class needs a folder"
        )
    if loose:
        return loose, None
    labels = np.repeat(np.array(list(by_class)), [len(files) for files in by_class.values()])
    return [file for files in by_class.values() for file in files], labels


def _form(files: list[Path], known: list[int] | None) -> tuple[tuple[int, int], bool]:
    """((height, width), whether all are grey), from the heads of the files. known: height, width and colours of the
    images that a network was trained on."""
    from PIL import Image

    size: tuple[int, int] | None = None
    grey = True
    for file in files:
        with guarded(file, "image"), Image.open(file) as image:
            own = image.height, image.width
            grey &= image.mode in _GREY
        if size is None:
            size = own
        if own != size:
            raise InputError(
                f"DATA: '{files[0]}' has {size[0]} x {size[1]} pixels, but '{file}' has {own[0]} x {own[1]}; all "
                "images must have one size"
            )
    assert size is not None
    if known is not None and tuple(known[:2]) != size:
        raise InputError(
            f"DATA: '{files[0]}' has {size[0]} x {size[1]} pixels, but the images that were trained on have "
            f"{known[0]} x {known[1]}"
        )
    return size, grey if known is None else known[2] == 1


def _pixels(files: list[Path], grey: bool) -> NDArray[np.uint8]:
    from PIL import Image

    rows: NDArray[np.uint8] | None = None
    for number, file in enumerate(files):
        with guarded(file, "image"), Image.open(file) as image:
            values = np.asarray(_eight_bits(image, grey)).ravel()
        if rows is None:
            rows = np.empty((len(files), len(values)), np.uint8)
        rows[number] = values
    assert rows is not None
    return rows


def _eight_bits(image: Any, grey: bool) -> Any:
    from PIL import Image

    if image.mode.startswith("I"):  # 16 bits, which Pillow cuts off instead of scaling
        values = np.asarray(image).astype(np.float64)
        image = Image.fromarray((values / 257).round().clip(0, 255).astype(np.uint8))
    return image.convert("L" if grey else "RGB")


def _require_pillow() -> None:
    try:
        import PIL.Image  # noqa: F401
    except ImportError:
        raise MissingExtraError("reading images", "Pillow", "images") from None
