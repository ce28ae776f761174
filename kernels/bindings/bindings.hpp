// What all bindings share: array types, shape checks, memory given away.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "base/buffer.hpp"
#include "base/views.hpp"

namespace ts {

namespace nb = nanobind;

template <class T>
using Array = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T>
using Rows = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <class T>
using Maybe = std::optional<T>;
template <class T>
using Owned = nb::ndarray<nb::numpy, T, nb::ndim<1>, nb::c_contig>;

inline void require(bool condition, const char* what) {
    if (!condition) throw std::invalid_argument(std::string("kernels: ") + what);
}

template <class T>
Owned<T> give(Buffer<T>&& buffer) {
    const size_t size = size_t(buffer.size());
    T* data = buffer.release();
    nb::capsule owner(data, [](void* p) noexcept { std::free(p); });
    return Owned<T>(data, {size}, owner);
}

template <class A>
auto pointer(const Maybe<A>& array) -> decltype(array->data()) {
    return array ? array->data() : nullptr;
}

// What a kernel reads through pointers must be as long as the connectivity says.
inline Connections view(const Array<const int64_t>& ptr, const Array<const int32_t>& index) {
    require(ptr.shape(0) >= 1, "row pointers are empty");
    const int64_t rows = int64_t(ptr.shape(0)) - 1;
    require(ptr.data()[0] == 0 && ptr.data()[rows] == int64_t(index.shape(0)), "row pointers do not span the indices");
    return {rows, ptr.data(), index.data(), nullptr};
}

// The numbers of an optimizer's rule for one step.
struct UpdateRule {
    int kind = 0;
    double learning_rate = 0, momentum = 0, l2 = 0, decay = 0;
    double beta1 = 0, beta2 = 0, epsilon = 0, correction1 = 1, correction2 = 1;
    uint64_t key = 0;  // of the random stream for stochastic rounding

    template <class T>
    UpdateArgs<T> args(bool for_bias) const {
        return {Update(kind), T(learning_rate), T(momentum), for_bias ? T(0) : T(l2), for_bias ? T(0) : T(decay),
                T(beta1),     T(beta2),         T(epsilon),  T(correction1),          T(correction2)};
    }
};

// One function for each file of this folder.
void bind_layers(nb::module_& m);
void bind_losses(nb::module_& m);
void bind_topology(nb::module_& m);
void bind_tiled(nb::module_& m);
void bind_inference(nb::module_& m);
void bind_input(nb::module_& m);
void bind_locks(nb::module_& m);

}  // namespace ts
