// Losses and the activations of the output layer, both on outputs x stride.
#pragma once

#include <cstdint>

namespace ts {

enum class Loss : int { softmax_cross_entropy = 0, binary_cross_entropy = 1, mean_squared_error = 2, huber = 3 };

template <class T>
struct LossArgs {
    Loss kind = Loss::softmax_cross_entropy;
    int64_t outputs = 0, batch = 0, stride = 0;
    T* z = nullptr;                   // outputs x stride: in, the output layer's values; out, the gradient at them
    const int32_t* label = nullptr;   // softmax: one class per sample
    const T* target = nullptr;        // the others: outputs x stride
    const T* sample_weight = nullptr; // `stride` values, 0 in the padding; already divided by their sum
    double delta = 1;                 // huber: where the square ends
    bool summed = false;              // the others: the sum over outputs, not the mean
    double* partial = nullptr;        // softmax: `stride` values, else `outputs` values: parts of the loss
};

template <class T>
struct LossKernels {
    void (*softmax_columns)(const LossArgs<T>&, int64_t column0, int64_t column1);
    void (*output_rows)(const LossArgs<T>&, int64_t row0, int64_t row1);
    // In place: predictions from the output layer's values. softmax works on columns, sigmoid on rows.
    void (*softmax)(T* z, int64_t outputs, int64_t stride, int64_t column0, int64_t column1);
    void (*sigmoid)(T* z, int64_t count);
};

// Replaces args.z by the gradient at z and returns the weighted mean loss.
template <class T>
double loss_and_gradient(LossArgs<T> args, int threads);

template <class T>
void softmax(T* z, int64_t outputs, int64_t stride, int threads);
template <class T>
void sigmoid(T* z, int64_t count, int threads);

}  // namespace ts
