#include "layer/fleet_passes.hpp"

#include <algorithm>

#include "base/buffer.hpp"
#include "base/threads.hpp"
#include "isa/dispatch.hpp"

namespace ts {
namespace {

// Activations of the agents that are taken together: they stay in the second cache, beside weights.
constexpr int64_t kGroupBytes = 128 << 10;
// Per-row work in units of connections, as in passes.cpp.
constexpr int64_t kRowCost = 4;

// How agents are taken together, and on how many threads.
struct Groups {
    int64_t agents, size, count;
    int threads;

    // work: multiply-adds and their like of all passes; bytes: of one agent's activations.
    Groups(int64_t agents, int64_t bytes, int64_t work, int64_t passes, int threads) : agents(agents) {
        this->threads = threads_for(work, threads);
        const int64_t share = (agents + this->threads * 4 - 1) / (this->threads * 4);
        size = std::clamp<int64_t>(kGroupBytes / std::max<int64_t>(bytes, 1), 1, std::max<int64_t>(share, 1));
        count = (agents + size - 1) / size * passes;
    }

    // Runs body(pass, first agent, end) for all agents of each of `passes` passes.
    template <class Body>
    void run(int64_t passes, Body&& body) const {
        const int64_t each = count / passes;
        parallel_for(count, threads, [&](int64_t i) {
            const int64_t first = i % each * size;
            body(i / each, first, std::min(first + size, agents));
        });
    }
};

}  // namespace

template <class T>
void fleet_forward(const std::vector<FleetForward<T>>& fleets, int64_t agents, int threads) {
    if (fleets.empty()) return;
    const LayerKernels<T>& kernels = layer_kernels<T>();
    int64_t work = 0, values = 0;
    for (const auto& layers : fleets)
        for (const ForwardArgs<T>& a : layers) {
            const Connections& con = a.by_output;
            work += (con.ptr[con.rows] + con.rows * kRowCost) * a.stride;
            values = std::max(values, con.rows / agents * a.stride);
        }
    const Groups groups(agents, 2 * values * int64_t(sizeof(T)), work, int64_t(fleets.size()), threads);
    const int64_t scratch_stride = kSegment + fleets[0][0].stride + 64;
    Buffer<T> scratch(scratch_stride * groups.threads);
    groups.run(int64_t(fleets.size()), [&](int64_t pass, int64_t first, int64_t end) {
        T* own = scratch.data() + current_thread() * scratch_stride;
        for (const ForwardArgs<T>& a : fleets[size_t(pass)]) {
            const int64_t rows = a.by_output.rows / agents;
            kernels.forward_rows(a, first * rows, end * rows, own);
        }
    });
}

template <class T>
void fleet_backward(const std::vector<FleetBackward<T>>& fleets, int64_t agents, int threads) {
    if (fleets.empty()) return;
    const LayerKernels<T>& kernels = layer_kernels<T>();
    int64_t work = 0, values = 0;
    for (const auto& layers : fleets)
        for (const BackwardArgs<T>& a : layers) {
            const Connections& con = a.by_input;
            work += (2 * con.ptr[con.rows] + con.rows * kRowCost) * a.stride;
            values += con.rows / agents * a.stride;
        }
    const Groups groups(agents, values * int64_t(sizeof(T)), work, int64_t(fleets.size()), threads);
    const int64_t scratch_stride = fleets[0][0].stride + 64;
    Buffer<T> scratch(scratch_stride * groups.threads);
    groups.run(int64_t(fleets.size()), [&](int64_t pass, int64_t first, int64_t end) {
        T* own = scratch.data() + current_thread() * scratch_stride;
        for (const BackwardArgs<T>& a : fleets[size_t(pass)]) {
            const int64_t inputs = a.by_input.rows / agents, outputs = a.n_out / agents;
            if (a.bias_update.kind != Update::none) kernels.bias_rows(a, first * outputs, end * outputs);
            kernels.backward_rows(a, first * inputs, end * inputs, own);
        }
    });
}

bool is_block_diagonal(const Connections& connections, int64_t columns, int64_t agents) {
    if (connections.rows % agents != 0 || columns % agents != 0) return false;
    const int64_t rows = connections.rows / agents, outputs = columns / agents;
    for (int64_t i = 0; i < agents; ++i) {
        const int64_t low = i * outputs, high = low + outputs;
        for (int64_t k = connections.ptr[i * rows]; k < connections.ptr[(i + 1) * rows]; ++k)
            if (connections.index[k] < low || connections.index[k] >= high) return false;
    }
    return true;
}

#define TS_INSTANTIATE(T)                                                           \
    template void fleet_forward(const std::vector<FleetForward<T>>&, int64_t, int); \
    template void fleet_backward(const std::vector<FleetBackward<T>>&, int64_t, int);
TS_INSTANTIATE(float)
TS_INSTANTIATE(double)

}  // namespace ts
