// Chooses the instruction set at run time and spreads the kernels over threads.
#pragma once

#include <string>
#include <vector>

#include "topology/gradient_tile.hpp"
#include "inference/slices.hpp"
#include "base/views.hpp"
#include "tiled/tiles.hpp"

namespace ts {

// Instruction sets in this build that this processor runs, widest first.
std::vector<std::string> available_isas();
const std::string& current_isa();
void use_isa(const std::string& name);  // std::invalid_argument where it is not available

// Other loops, as the current instruction set has them.
template <class T>
const SliceKernels<T>& slice_kernels();
template <class T>
const GrowthKernels<T>& growth_kernels();
const TileKernels& tile_kernels();

// Gathered rows of more bytes than this do not stay in a core's own cache, beside what streams through it, so they are
// fetched ahead: three quarters of the second-level cache.
int64_t near_bytes();

// y = f(W x + b). Sets args.prefetch and args.stream itself. `long_rows`: the rows with more than kSegment connections, ascending.
template <class T>
void forward(const ForwardArgs<T>& args, int64_t n_in, const int64_t* long_rows, int64_t n_long, int threads);

// Updates (or writes the gradients of) weights and biases and, where args.dx is set, gives the gradient
// at the input's pre-activation.
template <class T>
void backward(const BackwardArgs<T>& args, const int64_t* long_rows, int64_t n_long, int threads);

// Applies the update rule to a group of `size` parameters, with the sum of the scaled gradients.
template <class T>
void update(const UpdateArgs<T>& rule, const Parameters<T>& parameters, const std::vector<Scaled<T>>& gradients, int64_t size,
            int threads);

// Replaces args.z by the gradient at z and returns the weighted mean loss.
template <class T>
double loss_and_gradient(LossArgs<T> args, int threads);

template <class T>
void softmax(T* z, int64_t outputs, int64_t stride, int threads);
template <class T>
void sigmoid(T* z, int64_t count, int threads);

}  // namespace ts
