"""Folders of images: pixels, labels, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from sample_files import read_as, refused
from trulysparse.data.files import fingerprint, read

Image = pytest.importorskip("PIL.Image", reason="Pillow comes with the extra trulysparse[images]")


def save(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


@pytest.fixture
def grey(tmp_path, rng):
    pixels = rng.integers(0, 256, (6, 4, 5), np.uint8)
    for number, values in enumerate(pixels):
        save(tmp_path / "d" / ("cat", "dog")[number // 3] / f"{number}.PNG", values)
    return tmp_path / "d", pixels


def test_the_folder_of_an_image_is_its_class(grey):
    folder, pixels = grey
    table = read(str(folder))
    np.testing.assert_array_equal(table.X, pixels.reshape(6, 20))
    assert (table.X.dtype, table.y.tolist()) == (np.uint8, ["cat"] * 3 + ["dog"] * 3)
    assert (table.notes, table.layout) == (["images: 4 x 5 pixels, grey"], {"image": [4, 5, 1]})


def test_images_have_colours_where_one_has(grey, rng):
    folder, pixels = grey
    colours = rng.integers(0, 256, (4, 5, 3), np.uint8)
    save(folder / "dog" / "z.png", colours)
    table = read(str(folder))
    np.testing.assert_array_equal(table.X[6], colours.ravel())
    np.testing.assert_array_equal(table.X[0].reshape(4, 5, 3)[:, :, 1], pixels[0])
    assert table.layout == {"image": [4, 5, 3]}


def test_later_images_are_read_as_those_trained_on(grey):
    folder, _ = grey
    assert read_as(folder, layout={"image": [4, 5, 3]}).X.shape == (6, 60)
    assert read_as(folder / "cat", need_target=False).X.shape == (3, 20)
    refused(folder, "4 x 5 pixels, but the images that were trained on have 8 x 8", layout={"image": [8, 8, 1]})


def test_folders_train_and_test_are_a_split(tmp_path, rng):
    for part, count in (("train", 3), ("test", 2)):
        for kind in ("u", "v"):
            for number in range(count):
                save(tmp_path / part / kind / f"{number}.png", rng.integers(0, 256, (4, 4), np.uint8))
    table = read(str(tmp_path))
    assert (table.X.shape, table.X_test.shape, table.y_test.tolist()) == ((6, 16), (4, 16), ["u", "u", "v", "v"])


def test_sixteen_bits_are_scaled(tmp_path):
    for kind in "uv":
        save(tmp_path / kind / "0.png", np.array([[0, 257, 65535]], np.uint16))
    assert read(str(tmp_path)).X.tolist() == [[0, 1, 255]] * 2


def test_what_does_not_fit_is_named(grey):
    folder, _ = grey
    refused(folder / "cat", "has images in no folder of their class")
    save(folder / "dog" / "wide.png", np.zeros((4, 6), np.uint8))
    refused(folder, r"0.PNG' has 4 x 5 pixels, but '.*wide.png' has 4 x 6; all images must have one size")
    whole = (folder / "dog" / "3.PNG").read_bytes()
    (folder / "dog" / "wide.png").write_bytes(whole[: len(whole) // 2])
    refused(folder, "wide.png' is not a whole image file")
    refused(folder, "--stream: folder .* has no .npy files", stream=True)


def test_the_fingerprint_is_of_names_and_content(grey):
    folder, pixels = grey
    before = fingerprint(str(folder))
    save(folder / "cat" / "0.PNG", pixels[1])
    changed = fingerprint(str(folder))
    (folder / "cat" / "0.PNG").rename(folder / "dog" / "0.PNG")
    assert len({before, changed, fingerprint(str(folder))}) == 3
