// Matrices of any numeric type.
#pragma once

#include <string>

#include "bindings/bindings.hpp"

namespace ts {

using AnyMatrix = nb::ndarray<nb::ro, nb::ndim<2>, nb::device::cpu>;

// Calls body with a pointer of the array's own type; false for an unsupported type.
template <class A, class Body>
bool by_type(const A& x, Body&& body) {
    const nb::dlpack::dtype type = x.dtype();
    const auto is = [&]<class S>(S*) {
        return type == nb::dtype<S>() ? (body(static_cast<const S*>(x.data())), true) : false;
    };
    return is((float*)nullptr) || is((double*)nullptr) || is((uint8_t*)nullptr) || is((int8_t*)nullptr) ||
           is((uint16_t*)nullptr) || is((int16_t*)nullptr) || is((int32_t*)nullptr) || is((uint32_t*)nullptr) ||
           is((int64_t*)nullptr) || is((uint64_t*)nullptr);
}

// For messages: 'f16' is a 16-bit float.
inline std::string type_name(const AnyMatrix& x) {
    const nb::dlpack::dtype type = x.dtype();
    const bool known = type.code <= uint8_t(nb::dlpack::dtype_code::Float);
    return (known ? std::string(1, "iuf"[type.code]) : "code " + std::to_string(type.code) + ", ") +
           std::to_string(type.bits);
}

using Scale = Maybe<Array<const double>>;

// x -> (x - offset) * factor, or neither.
inline void require_scaling(const Scale& offset, const Scale& factor, int64_t features) {
    require(bool(offset) == bool(factor), "offset and factor must be given together");
    require_length(offset, features, "offset", "one per feature");
    require_length(factor, features, "factor", "one per feature");
}

}  // namespace ts
