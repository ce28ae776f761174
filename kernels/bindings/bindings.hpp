// What all bindings share: array types, shape checks, arrays handed to Python.
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

// The kernels' own checks. User input is checked in Python, so a failure here is an error inside the package. The
// messages name the argument.
[[noreturn]] inline void refuse(const std::string& what) { throw std::invalid_argument("kernels: " + what); }

inline void require(bool condition, const char* what) {
    if (!condition) refuse(what);
}

template <class A>
void require_length(const A& array, int64_t wanted, const char* name, const char* meaning) {
    if (int64_t(array.shape(0)) != wanted)
        refuse(std::string(name) + " has " + std::to_string(array.shape(0)) + " values, not " + std::to_string(wanted) +
               ", " + meaning);
}
template <class A>
void require_length(const Maybe<A>& array, int64_t wanted, const char* name, const char* meaning) {
    if (array) require_length(*array, wanted, name, meaning);
}

template <class A>
void require_shape(const A& array, int64_t rows, int64_t columns, const char* name, const char* meaning) {
    const auto shape = [](int64_t r, int64_t c) { return std::to_string(r) + " x " + std::to_string(c); };
    if (int64_t(array.shape(0)) != rows || int64_t(array.shape(1)) != columns)
        refuse(std::string(name) + " is " + shape(int64_t(array.shape(0)), int64_t(array.shape(1))) + ", not " +
               shape(rows, columns) + ", " + meaning);
}

// A layer without biases has an empty array.
template <class A>
void require_bias(const A& bias, int64_t n_out) {
    if (bias.shape(0) > 0) require_length(bias, n_out, "bias", "one per output neuron, or none");
}

inline void require_padded(int64_t stride) {
    if (padded_batch(stride) != stride)
        refuse("the stride, " + std::to_string(stride) + ", is not a padded batch size");
}

template <class A>
auto pointer(const Maybe<A>& array) -> decltype(array->data()) {
    return array ? array->data() : nullptr;
}

// An activation's kind and slope.
using KernelActivation = std::pair<Activation, double>;
using Bits = Maybe<Array<uint8_t>>;

// `bytes`: as many as the bits need. pre: pre-activations, of the shape and type of the activations.
inline Epilogue epilogue(const KernelActivation& activation, const Bits& positive, const Bits& kept,
                         double keep_probability, int64_t bytes, uint64_t key, void* pre) {
    for (const auto& [bits, name] : {std::pair{&positive, "positive"}, std::pair{&kept, "kept"}})
        if (*bits && int64_t((*bits)->shape(0)) < bytes)
            refuse(std::string(name) + " has " + std::to_string((*bits)->shape(0)) + " bytes of bits, not " +
                   std::to_string(bytes));
    return {activation.first, activation.second, pointer(positive), pointer(kept), keep_probability, key, pre};
}

// Whether it leaves values as they are.
inline bool is_plain(const Epilogue& e) { return e.kind == Activation::identity && !e.kept && !e.pre; }

// Refuses an activation without what its derivative needs.
inline void require_derivative(const Epilogue& e, bool input_gradient) {
    if (!input_gradient) return;
    require(e.kind != Activation::leaky || e.positive, "the bits of a leaky activation are missing");
    require(!needs_pre_activation(e.kind) || e.pre, "the pre-activations are missing");
}

template <class T>
Owned<T> give(Buffer<T>&& buffer) {
    const size_t size = size_t(buffer.size());
    T* data = buffer.release();
    nb::capsule owner(data, [](void* p) noexcept { std::free(p); });
    return Owned<T>(data, {size}, owner);
}

// Arrays that a kernel reads through pointers must have the lengths that the connectivity implies.
inline Connections view(const Array<const int64_t>& ptr, const Array<const int32_t>& index) {
    require(ptr.shape(0) >= 1, "row pointers are empty");
    const int64_t rows = int64_t(ptr.shape(0)) - 1;
    require(ptr.data()[0] == 0 && ptr.data()[rows] == int64_t(index.shape(0)), "row pointers do not span the indices");
    return {rows, ptr.data(), index.data(), nullptr};
}

// One function per file of this folder.
void bind_layers(nb::module_& m);
void bind_losses(nb::module_& m);
void bind_topology(nb::module_& m);
void bind_fleet_topology(nb::module_& m);
void bind_paths(nb::module_& m);
void bind_tiled(nb::module_& m);
void bind_inference(nb::module_& m);
void bind_input(nb::module_& m);
void bind_locks(nb::module_& m);
void bind_soft_update(nb::module_& m);
void bind_units(nb::module_& m);
void bind_fleet(nb::module_& m);
void bind_fleet_step(nb::module_& m);
void bind_samples(nb::module_& m);

}  // namespace ts
