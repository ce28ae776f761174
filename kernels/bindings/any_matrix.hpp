// Matrices of any numeric type.
#pragma once

#include "bindings/bindings.hpp"

namespace ts {

using AnyMatrix = nb::ndarray<nb::ro, nb::ndim<2>, nb::device::cpu>;

// Calls body with a pointer of the matrix's own type; false where the type is not one of ours.
template <class Body>
bool by_type(const AnyMatrix& x, Body&& body) {
    const nb::dlpack::dtype type = x.dtype();
    const auto is = [&]<class S>(S*) {
        return type == nb::dtype<S>() ? (body(static_cast<const S*>(x.data())), true) : false;
    };
    return is((float*)nullptr) || is((double*)nullptr) || is((uint8_t*)nullptr) || is((int8_t*)nullptr) ||
           is((uint16_t*)nullptr) || is((int16_t*)nullptr) || is((int32_t*)nullptr) || is((uint32_t*)nullptr) ||
           is((int64_t*)nullptr) || is((uint64_t*)nullptr);
}

}  // namespace ts
