// The passes of a layer over threads.
#pragma once

#include <vector>

#include "layer/layer.hpp"

namespace ts {

// Rows with more than kSegment connections, ascending.
std::vector<int64_t> long_rows(const int64_t* ptr, int64_t rows);

// y = f(W x + b), or y += W x. Sets args.prefetch and args.stream itself. `long_rows` as above.
template <class T>
void forward(const ForwardArgs<T>& args, int64_t n_in, const int64_t* long_rows, int64_t n_long, int threads);

// Updates (or writes the gradients of) weights and biases and, where args.dx is set, gives the gradient
// at the input's pre-activation.
template <class T>
void backward(const BackwardArgs<T>& args, const int64_t* long_rows, int64_t n_long, int threads);

// Applies the update rule to a group of `size` parameters, with the sum of the scaled gradients.
template <class T>
void update(const UpdateArgs<T>& rule, const Parameters<T>& parameters, const std::vector<Scaled<T>>& gradients,
            int64_t size, int threads);

}  // namespace ts
