// Random corruption of samples that have been laid out: values of other samples, noise, and values that are set to
// zero.
#pragma once

#include <cstdint>

namespace ts {

template <class T>
struct CorruptArgs {
    T* x = nullptr;               // features x stride, in place
    int64_t features = 0, batch = 0, stride = 0;
    double noise = 0;             // standard deviation of the normal noise that is added
    double keep_probability = 1;  // below 1: others become 0
    bool rescale = true;          // whether those kept are divided by it
    double swap_probability = 0;  // above 0: so many become the same feature's value of another of the samples
    // The random numbers are functions of (key, feature, number), where the number of a sample is its column or, where
    // there are numbers, its own. The sample that a value is swapped with is one of the columns.
    uint64_t key = 0;
    const int64_t* number = nullptr;
};

template <class T>
struct CorruptKernels {
    // scratch: `stride` values, where values are swapped.
    void (*rows)(const CorruptArgs<T>&, int64_t row0, int64_t row1, T* scratch);
};

// Columns from `batch` on, the padding, stay as they are.
template <class T>
void corrupt(const CorruptArgs<T>& args, int threads);

}  // namespace ts
