#include "inference/frozen.hpp"

#include <algorithm>
#include <numeric>

#include "isa/dispatch.hpp"

namespace ts {
namespace {

constexpr uint32_t kNone = ~uint32_t(0);

// Calls each(place, connection) for the connections of a layer slice by slice.
template <class Each>
void over_slices(const Connections& con, const int64_t* start, const int32_t* row, int64_t slices, Each&& each) {
    for (int64_t s = 0; s < slices; ++s)
        for (int64_t i = 0; i < kSliceRows; ++i) {
            const int64_t r = row[s * kSliceRows + i];
            if (r == con.rows) continue;
            for (int64_t k = con.ptr[r], to = start[s] + i; k < con.ptr[r + 1]; ++k, to += kSliceRows) each(to, k);
        }
}

// Writes the connections of a layer slice by slice; index may be null.
template <class T, class Index>
void fill(const Connections& con, const T* weight, const int64_t* start, const int32_t* row, int64_t slices,
          Index* index, T* value) {
    if (index) std::fill(index, index + start[slices], Index(0));
    std::fill(value, value + start[slices], T(0));
    over_slices(con, start, row, slices, [&](int64_t to, int64_t k) {
        if (index) index[to] = Index(con.index[k]);
        value[to] = weight[con.position[k]];
    });
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
    layer.rows = con.rows;
    layer.connections = con.ptr[con.rows];
    layer.row = Buffer<int32_t>(layer.slices * kSliceRows);
    std::iota(layer.row.data(), layer.row.data() + con.rows, 0);
    std::fill(layer.row.data() + con.rows, layer.row.data() + layer.slices * kSliceRows, int32_t(con.rows));
    const auto length = [&](int32_t r) { return con.ptr[r + 1] - con.ptr[r]; };
    std::stable_sort(layer.row.data(), layer.row.data() + con.rows,
                     [&](int32_t a, int32_t b) { return length(a) > length(b); });
    layer.length = Buffer<int32_t>(layer.slices * kSliceRows);
    for (int64_t i = 0; i < layer.slices * kSliceRows; ++i)
        layer.length[i] = layer.row[i] == con.rows ? 0 : int32_t(length(layer.row[i]));
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
bool FrozenNetwork<T>::fits(int64_t number, const Connections& con) const {
    const Layer& at = layer(number);
    if (con.rows != at.rows || con.ptr[con.rows] != at.connections) return false;
    for (int64_t i = 0; i < at.slices * kSliceRows; ++i)
        if (at.row[i] != at.rows && con.ptr[at.row[i] + 1] - con.ptr[at.row[i]] != at.length[i]) return false;
    return std::all_of(con.position, con.position + at.connections,
                       [&](uint32_t position) { return int64_t(position) < at.connections; });
}

template <class T>
void FrozenNetwork<T>::prepare_refresh(int64_t number, const Connections& con) {
    Layer& at = const_cast<Layer&>(layer(number));
    Buffer<uint32_t> order(at.start[at.slices]);
    std::fill(order.data(), order.data() + order.size(), kNone);
    over_slices(con, at.start.data(), at.row.data(), at.slices,
                [&](int64_t to, int64_t k) { order[to] = con.position[k]; });
    at.order = std::move(order);
}

template <class T>
bool FrozenNetwork<T>::prepared(int64_t number) const {
    const Layer& at = layer(number);
    return at.order.size() == at.start[at.slices];
}

template <class T>
void FrozenNetwork<T>::refresh(int64_t number, const T* weight, const T* bias) {
    Layer& at = const_cast<Layer&>(layer(number));
    const uint32_t* order = at.order.data();
    T* to = at.weight.data();
    for (int64_t i = 0; i < at.start[at.slices]; ++i) to[i] = order[i] == kNone ? T(0) : weight[order[i]];
    for (int64_t i = 0; i < at.slices * kSliceRows; ++i) at.bias[i] = at.row[i] == at.rows ? T(0) : bias[at.row[i]];
}

template <class T>
void FrozenNetwork<T>::give(int64_t number, int64_t* ptr, int32_t* index, T* weight, T* bias) const {
    const Layer& from = layer(number);
    ptr[0] = 0;
    for (int64_t i = 0; i < from.slices * kSliceRows; ++i)
        if (from.row[i] != from.rows) {
            ptr[from.row[i] + 1] = from.length[i];
            bias[from.row[i]] = from.bias[i];
        }
    for (int64_t r = 0; r < from.rows; ++r) ptr[r + 1] += ptr[r];
    over_slices({from.rows, ptr, nullptr, nullptr}, from.start.data(), from.row.data(), from.slices,
                [&](int64_t place, int64_t k) {
        weight[k] = from.weight[place];
        index[k] = from.full                ? int32_t(k % (from.connections / from.rows))
                   : from.narrow.size() > 0 ? int32_t(from.narrow[place])
                                            : from.wide[place];
    });
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
