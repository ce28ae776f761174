// The update rules, applied to a run of parameters whose gradients are in a small buffer.
#pragma once

#include "base/views.hpp"
#include "isa/simd.hpp"

namespace ts::TS_ISA {

// Adds to `g` what the gradient array of parameters [first, first + count) holds, where the rule says so.
template <class T>
TS_INLINE void add_earlier(const UpdateArgs<T>& u, const Parameters<T>& p, int64_t first, int64_t count,
                           T* __restrict g) {
    if (u.add)
        for (int64_t i = 0; i < count; ++i) g[i] += p.gradient[first + i];
}

// Parameters [first, first + count); `g` holds their gradients.
//   sgd       v = mu * v - lr * g';  w = (1 - decay) * w + v
//   nesterov  v = mu * v - lr * g';  w = (1 - decay) * w + mu * v - lr * g'
//   adam      Kingma and Ba, algorithm 1, with the decay of Loshchilov and Hutter (AdamW)
// where g' = g + l2 * w.
template <class T>
TS_INLINE void apply_update(const UpdateArgs<T>& u, const Parameters<T>& p, int64_t first, int64_t count,
                            const T* __restrict g) {
    T* __restrict w = p.value + first;
    const T lr = u.learning_rate, mu = u.momentum, l2 = u.l2, keep = T(1) - u.decay;
    switch (u.kind) {
        case Update::none: break;
        case Update::gradient: __builtin_memcpy(p.gradient + first, g, size_t(count) * sizeof(T)); break;
        case Update::sgd:
            if (!p.slot0) {
                for (int64_t i = 0; i < count; ++i) w[i] = keep * w[i] - lr * (g[i] + l2 * w[i]);
            } else {
                T* __restrict v = p.slot0 + first;
                for (int64_t i = 0; i < count; ++i) {
                    v[i] = mu * v[i] - lr * (g[i] + l2 * w[i]);
                    w[i] = keep * w[i] + v[i];
                }
            }
            break;
        case Update::nesterov: {
            T* __restrict v = p.slot0 + first;
            for (int64_t i = 0; i < count; ++i) {
                const T step = lr * (g[i] + l2 * w[i]);
                v[i] = mu * v[i] - step;
                w[i] = keep * w[i] + mu * v[i] - step;
            }
            break;
        }
        case Update::adam: {
            T* __restrict m = p.slot0 + first;
            T* __restrict s = p.slot1 + first;
            for (int64_t i = 0; i < count; ++i) {
                const T gradient = g[i] + l2 * w[i];
                m[i] = u.beta1 * m[i] + (T(1) - u.beta1) * gradient;
                s[i] = u.beta2 * s[i] + (T(1) - u.beta2) * gradient * gradient;
                const T root = std::is_same_v<T, float> ? T(__builtin_sqrtf(float(s[i] / u.correction2)))
                                                        : T(__builtin_sqrt(double(s[i] / u.correction2)));
                w[i] = keep * w[i] - lr * (m[i] / u.correction1) / (root + u.epsilon);
            }
            break;
        }
    }
}

}  // namespace ts::TS_ISA
