// Random corruption of samples that have been laid out: noise, and values that are set to zero.
#pragma once

#include <cstdint>

namespace ts {

template <class T>
struct CorruptArgs {
    T* x = nullptr;               // features x stride, in place
    int64_t features = 0, batch = 0, stride = 0;
    double noise = 0;             // standard deviation of the normal noise that is added
    double keep_probability = 1;  // below 1: others become 0, those kept are divided by it
    uint64_t key = 0;             // the random numbers are functions of (key, feature, sample)
};

template <class T>
struct CorruptKernels {
    void (*rows)(const CorruptArgs<T>&, int64_t row0, int64_t row1);
};

// Columns from `batch` on, the padding, stay as they are.
template <class T>
void corrupt(const CorruptArgs<T>& args, int threads);

}  // namespace ts
