// Units of a restricted Boltzmann machine: from sums to means or random states, both phases of contrastive divergence
// side by side, and what the free energy gains where a single visible unit flips.
#pragma once

#include "base/views.hpp"

namespace ts {

template <class T>
struct UnitArgs {
    T* values = nullptr;      // rows x stride, in place; columns from `batch` on become 0
    const T* bias = nullptr;  // null, or added to each row
    int64_t rows = 0, batch = 0, stride = 0;
    bool logistic = false;    // the logistic function of the sums; else they are the means
    bool sampled = false;     // 1 with the probability that the mean is, else 0
    uint64_t key = 0;         // the random numbers are functions of (key, row, column)
};

// Two phases as one batch of twice the columns: sign * first, then second.
template <class T>
struct PhaseArgs {
    const T* first = nullptr;   // rows x stride
    const T* second = nullptr;  // likewise
    T* joined = nullptr;        // rows x 2 stride
    T* difference = nullptr;    // null, or per row the sum of second - first
    T* error = nullptr;         // null, or per row the sum of (second - first)^2 is added to it
    T sign = 1;
    int64_t rows = 0, stride = 0;
};

template <class T>
struct FlipArgs {
    Connections by_input;       // master order
    const T* weight = nullptr;
    const T* bias = nullptr;    // of the visible units
    const T* visible = nullptr; // rows x stride
    const T* hidden = nullptr;  // n_hidden x stride: sums of the hidden units, biases included
    T* gain = nullptr;  // rows x stride: free energy with v replaced by 1 - v at (row, column), less that without
    int64_t stride = 0;
};

template <class T>
struct UnitKernels {
    void (*units)(const UnitArgs<T>&, int64_t row0, int64_t row1);
    void (*join)(const PhaseArgs<T>&, int64_t row0, int64_t row1);
    void (*flips)(const FlipArgs<T>&, int64_t row0, int64_t row1);
};

template <class T>
void draw_units(const UnitArgs<T>& args, int threads);
template <class T>
void join_phases(const PhaseArgs<T>& args, int threads);
template <class T>
void flip_gains(const FlipArgs<T>& args, int threads);

}  // namespace ts
