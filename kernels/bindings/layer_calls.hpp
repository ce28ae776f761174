// Prepared passes of a layer: shapes have been checked, pointers taken, arrays are held.
#pragma once

#include <memory>
#include <tuple>

#include "bindings/bindings.hpp"
#include "bindings/update_rule.hpp"
#include "layer/passes.hpp"

namespace ts {

// Keeps arrays alive, whatever their types.
template <class... A>
std::shared_ptr<void> hold(const A&... arrays) {
    return std::make_shared<std::tuple<A...>>(arrays...);
}

template <class T>
struct ForwardCall {
    ForwardArgs<T> args;
    int64_t n_in;
    const int64_t* long_rows;
    int64_t n_long;
    std::shared_ptr<void> held;

    // Without the interpreter lock.
    void compute(uint64_t key, int threads) const {
        ForwardArgs<T> a = args;
        a.epilogue.key = key;
        forward(a, n_in, long_rows, n_long, threads);
    }
    void run(uint64_t key, int threads) const {
        nb::gil_scoped_release free_lock;
        compute(key, threads);
    }
};

template <class T>
struct BackwardCall {
    BackwardArgs<T> args;
    const int64_t* long_rows;
    int64_t n_long;
    bool read_only, biased;
    std::shared_ptr<void> held;

    void check(const UpdateRule& rule) const {
        const BackwardArgs<T>& a = args;
        const Update kind = rule.kind;
        require(!read_only || !rule.updates(), "parameters are read-only");
        require((kind != Update::gradient && !rule.add) || (a.weights.gradient && (a.biases.gradient || !biased)),
                "gradients need an array");
        require(kind != Update::nesterov || (a.weights.slot0 && (a.biases.slot0 || !biased)),
                "Nesterov momentum needs its state");
        require(kind != Update::adam ||
                    (a.weights.slot0 && a.weights.slot1 && ((a.biases.slot0 && a.biases.slot1) || !biased)),
                "Adam needs two states");
    }
    // Without the interpreter lock, after `check`.
    void compute(const UpdateRule& rule, int threads) const {
        BackwardArgs<T> a = args;
        a.weight_update = rule.args<T>(false);
        if (biased) a.bias_update = rule.args<T>(true);
        backward(a, long_rows, n_long, threads);
    }
    void run(const UpdateRule& rule, int threads) const {
        check(rule);
        nb::gil_scoped_release free_lock;
        compute(rule, threads);
    }
};

// A group of parameters: its values, up to two arrays of optimizer state, and where its gradients go.
template <class T, class Parameter>
Parameters<T> parameters(const Array<Parameter>& value, const std::vector<Array<T>>& state,
                         const Maybe<Array<T>>& gradient, const char* name) {
    const int64_t size = int64_t(value.shape(0));
    require(state.size() <= 2, "at most two arrays of optimizer state");
    for (const Array<T>& array : state) require_length(array, size, name, "one value of optimizer state per parameter");
    require_length(gradient, size, name, "one gradient per parameter");
    return {const_cast<T*>(value.data()), state.size() > 0 ? state[0].data() : nullptr,
            state.size() > 1 ? state[1].data() : nullptr, pointer(gradient)};
}

}  // namespace ts
