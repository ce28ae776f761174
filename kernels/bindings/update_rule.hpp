// An optimizer's rule as Python fills it in.
#pragma once

#include <cstdint>

#include "base/views.hpp"

namespace ts {

// The coefficients of an optimizer's rule for one step.
struct UpdateRule {
    Update kind = Update::none;
    double learning_rate = 0, momentum = 0, l2 = 0, decay = 0;
    double beta1 = 0, beta2 = 0, epsilon = 0, correction1 = 1, correction2 = 1;
    bool add = false;  // see UpdateArgs
    uint64_t key = 0;  // of the random stream for stochastic rounding

    // Whether parameters change.
    bool updates() const { return kind != Update::none && kind != Update::gradient; }

    template <class T>
    UpdateArgs<T> args(bool for_bias) const {
        UpdateArgs<T> a;
        a.kind = kind;
        a.learning_rate = T(learning_rate);
        a.momentum = T(momentum);
        a.l2 = for_bias ? T(0) : T(l2);
        a.decay = for_bias ? T(0) : T(decay);
        a.beta1 = T(beta1);
        a.beta2 = T(beta2);
        a.epsilon = T(epsilon);
        a.correction1 = T(correction1);
        a.correction2 = T(correction2);
        a.add = add;
        return a;
    }
};

}  // namespace ts
