"""PNG images without a library."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest

from trulysparse.report.png import png, png_uri


def test_image_decodes_to_the_values():
    Image = pytest.importorskip("PIL.Image", reason="Pillow decodes images for this test")
    values = np.random.default_rng(0).random((7, 13))
    values[0, :4] = [np.nan, 2.0, -1.0, np.inf]
    rgba = np.asarray(Image.open(io.BytesIO(png(values))).convert("RGBA"))
    assert rgba.shape == (7, 13, 4)
    wanted = np.clip(np.where(np.isnan(values), 0, values), 0, 1)
    assert np.abs(rgba[..., 3] / 255 - wanted).max() <= 0.5 / 255 + 1e-9
    assert len(np.unique(rgba[..., :3].reshape(-1, 3), axis=0)) == 1


def test_uri_holds_the_file():
    values = np.eye(3)
    assert base64.b64decode(png_uri(values).partition(",")[2]) == png(values)
