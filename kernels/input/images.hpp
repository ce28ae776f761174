// Images of a batch, turned, shifted and mirrored: each output pixel is interpolated between four pixels of its sample.
#pragma once

#include <cstdint>

namespace ts {

// Value (c, i, j) of an image is feature c * height * width + i * width + j, or (i * width + j) * channels + c where
// channels come last.
struct ImageShape {
    int64_t channels = 1, height = 0, width = 0;
    bool channels_last = false;

    int64_t pixels() const { return height * width; }
    int64_t features() const { return channels * pixels(); }
    int64_t channel_step() const { return channels_last ? 1 : pixels(); }
    int64_t pixel_step() const { return channels_last ? channels : 1; }
};

// Pixel (i, j) of the result comes from row m[0] * i + m[1] * j + m[2], column m[3] * i + m[4] * j + m[5].
constexpr int64_t kTransform = 6;

// The largest turn (in radians, either way) and shifts (in pixels) that are drawn, and whether half of the images are
// mirrored.
struct ImageRanges {
    double rotation = 0, row_shift = 0, column_shift = 0;
    bool flip = false;
};

// A transform for each of `count` samples, which depends on key and rows[b] alone: shifted, then turned about the
// image's middle, all of it mirrored left to right or not.
void draw_transforms(uint64_t key, const int64_t* rows, int64_t count, const ImageShape& shape,
                     const ImageRanges& ranges, double* transforms);

// Images as features x columns, x[f * stride + b], are replaced by transformed ones, (value - offset[f]) * factor[f];
// columns from `batch` on become 0. Interpolation is bilinear; what lies outside has the value of the nearest pixel at
// the border. offset and factor may be null.
template <class T>
void transform_images(T* x, int64_t stride, int64_t batch, const ImageShape& shape, const double* transforms,
                      const double* offset, const double* factor, int threads);

}  // namespace ts
