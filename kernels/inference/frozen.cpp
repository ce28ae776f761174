#include "inference/frozen.hpp"

#include <algorithm>
#include <numeric>

#include "isa/dispatch.hpp"

namespace ts {
namespace {

// Writes the connections of a layer slice by slice; index may be null.
template <class T, class Index>
void fill(const Connections& con, const T* weight, const int64_t* start, const int32_t* row, int64_t slices,
          Index* index, T* value) {
    for (int64_t s = 0; s < slices; ++s) {
        if (index) std::fill(index + start[s], index + start[s + 1], Index(0));
        std::fill(value + start[s], value + start[s + 1], T(0));
        for (int64_t i = 0; i < kSliceRows; ++i) {
            const int64_t r = row[s * kSliceRows + i];
            if (r == con.rows) continue;
            for (int64_t k = con.ptr[r], to = start[s] + i; k < con.ptr[r + 1]; ++k, to += kSliceRows) {
                if (index) index[to] = Index(con.index[k]);
                value[to] = weight[con.position[k]];
            }
        }
    }
}

}  // namespace

template <class T>
void FrozenNetwork<T>::append(const Connections& con, const T* weight, const T* bias, Activation activation,
                              double slope, bool side) {
    const int64_t inputs = side ? widths_.front() : widths_.back();
    Layer layer;
    layer.slices = (con.rows + kSliceRows - 1) / kSliceRows;
    layer.kind = activation;
    layer.slope = slope;
    layer.row = Buffer<int32_t>(layer.slices * kSliceRows);
    std::iota(layer.row.data(), layer.row.data() + con.rows, 0);
    std::fill(layer.row.data() + con.rows, layer.row.data() + layer.slices * kSliceRows, int32_t(con.rows));
    const auto length = [&](int32_t r) { return con.ptr[r + 1] - con.ptr[r]; };
    std::stable_sort(layer.row.data(), layer.row.data() + con.rows,
                     [&](int32_t a, int32_t b) { return length(a) > length(b); });
    layer.start = Buffer<int64_t>(layer.slices + 1);
    layer.start[0] = 0;
    for (int64_t s = 0; s < layer.slices; ++s)
        layer.start[s + 1] = layer.start[s] + length(layer.row[s * kSliceRows]) * kSliceRows;
    const int64_t size = layer.start[layer.slices];
    layer.weight = Buffer<T>(size);
    layer.full = con.ptr[con.rows] == con.rows * inputs;  // no connection is there twice
    if (layer.full) {
        fill<T, uint16_t>(con, weight, layer.start.data(), layer.row.data(), layer.slices, nullptr,
                          layer.weight.data());
    } else if (inputs <= int64_t(1) << 16) {
        layer.narrow = Buffer<uint16_t>(size);
        fill(con, weight, layer.start.data(), layer.row.data(), layer.slices, layer.narrow.data(), layer.weight.data());
    } else {
        layer.wide = Buffer<int32_t>(size);
        fill(con, weight, layer.start.data(), layer.row.data(), layer.slices, layer.wide.data(), layer.weight.data());
    }
    layer.bias = Buffer<T>(layer.slices * kSliceRows);
    for (int64_t i = 0; i < layer.slices * kSliceRows; ++i)
        layer.bias[i] = layer.row[i] == con.rows ? T(0) : bias[layer.row[i]];
    if (side) return void(side_ = std::move(layer));
    widths_.push_back(con.rows);
    layers_.push_back(std::move(layer));
}

template <class T>
int64_t FrozenNetwork<T>::half() const {
    return (*std::max_element(widths_.begin(), widths_.end()) + 1 + 15) / 16 * 16;
}

template <class T>
int64_t FrozenNetwork<T>::scratch_size() const {
    return (side_ ? 3 : 2) * half();
}

template <class T>
void FrozenNetwork<T>::compute(const Layer& layer, const T* x, T* y) const {
    const SliceKernels<T>& kernels = slice_kernels<T>();
    if (layer.full) kernels.full(view<NoIndex>(layer, nullptr), x, y);
    else if (layer.narrow.size() > 0) kernels.narrow(view(layer, layer.narrow.data()), x, y);
    else kernels.wide(view(layer, layer.wide.data()), x, y);
}

template <class T>
const T* FrozenNetwork<T>::run(T* scratch) const {
    T *x = scratch, *y = scratch + half(), *side = y + half();
    if (side_) compute(*side_, x, side);  // before the layers overwrite the input
    for (const Layer& layer : layers_) {
        compute(layer, x, y);
        std::swap(x, y);
    }
    if (side_)
        for (int64_t i = 0; i < outputs(); ++i) x[i] += side[i];
    return x;
}

template class FrozenNetwork<float>;
template class FrozenNetwork<double>;

}  // namespace ts
