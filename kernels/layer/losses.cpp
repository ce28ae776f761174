// Losses and output activations on the output layer's values, outputs x batch. The gradient replaces
// the values in place. Compiled once per instruction set.
#include "layer/losses.hpp"
#include "isa/simd.hpp"

namespace ts::TS_ISA {
namespace {

// Columns are taken in groups of up to eight; a short group is padded with zeros.
template <class T>
TS_INLINE Eight<T> load_group(const T* p, int64_t width) {
    if (width == 8) return load<Eight<T>>(p);
    T padded[8] = {};
    for (int64_t i = 0; i < width; ++i) padded[i] = p[i];
    return load<Eight<T>>(padded);
}

template <class T>
TS_INLINE void store_group(T* p, Eight<T> v, int64_t width) {
    if (width == 8) return store(p, v);
    for (int64_t i = 0; i < width; ++i) p[i] = v[i];
}

// Softmax of one group of columns in place.
template <class T>
TS_INLINE void softmax_group(T* z, int64_t outputs, int64_t stride, int64_t width) {
    Eight<T> top = load_group(z, width);
    for (int64_t o = 1; o < outputs; ++o) {
        const Eight<T> v = load_group(z + o * stride, width);
        top = v > top ? v : top;
    }
    Eight<T> sum{};
    for (int64_t o = 0; o < outputs; ++o) {
        const Eight<T> e = exp8(load_group(z + o * stride, width) - top);
        sum += e;
        store_group(z + o * stride, e, width);
    }
    const Eight<T> inverse = T(1) / sum;
    for (int64_t o = 0; o < outputs; ++o)
        store_group(z + o * stride, load_group(z + o * stride, width) * inverse, width);
}

template <class T>
void softmax(T* z, int64_t outputs, int64_t stride, int64_t column0, int64_t column1) {
    for (int64_t c = column0; c < column1; c += 8)
        softmax_group(z + c, outputs, stride, column1 - c < 8 ? column1 - c : 8);
}

// loss_b = -weight_b * log softmax(z_b)[label_b]; gradient = weight_b * (softmax(z_b) - onehot). Columns beyond the
// batch have weight 0.
template <class T>
void softmax_columns(const LossArgs<T>& a, int64_t column0, int64_t column1) {
    using I = IntegerOf<T, 8>;
    for (int64_t c = column0; c < column1; c += 8) {
        const int64_t width = column1 - c < 8 ? column1 - c : 8;
        T* z = a.z + c;
        Vector<I, 8> label;
        for (int64_t i = 0; i < 8; ++i) label[i] = i < width && c + i < a.batch ? I(a.label[c + i]) : I(-1);
        Eight<T> top = load_group(z, width), picked = top;
        for (int64_t o = 1; o < a.outputs; ++o) {
            const Eight<T> v = load_group(z + o * a.stride, width);
            top = v > top ? v : top;
            picked = label == I(o) ? v : picked;
        }
        Eight<T> sum{};
        for (int64_t o = 0; o < a.outputs; ++o) {
            const Eight<T> e = exp8(load_group(z + o * a.stride, width) - top);
            sum += e;
            store_group(z + o * a.stride, e, width);
        }
        const Eight<T> inverse = T(1) / sum, weight = load_group(a.sample_weight + c, width);
        for (int64_t o = 0; o < a.outputs; ++o) {
            const Eight<T> p = load_group(z + o * a.stride, width) * inverse;
            store_group(z + o * a.stride, (label == I(o) ? p - T(1) : p) * weight, width);
        }
        const auto wide = [](Eight<T> v) { return __builtin_convertvector(v, Eight<double>); };
        const Eight<double> loss = wide(weight) * (wide(log8(sum)) + wide(top) - wide(picked));
        for (int64_t i = 0; i < width; ++i) a.partial[c + i] = c + i < a.batch ? loss[i] : 0.0;
    }
}

// Mean or sum over outputs, weighted mean over samples.
//   binary_cross_entropy  log(1 + e^z) - t * z;  gradient sigmoid(z) - t
//   mean_squared_error    (z - t)^2;             gradient 2 * (z - t)
//   huber                 0.5 * e^2 for |e| <= delta, delta * (|e| - delta / 2) beyond, e = z - t;
//                         gradient e between -delta and delta
template <class T>
void output_rows(const LossArgs<T>& a, int64_t row0, int64_t row1) {
    const T share = a.summed ? T(1) : T(1) / T(a.outputs);
    for (int64_t o = row0; o < row1; ++o) {
        T* z = a.z + o * a.stride;
        const T* target = a.target + o * a.stride;
        double total = 0;
        for (int64_t c = 0; c < a.stride; c += 8) {
            const int64_t width = a.stride - c < 8 ? a.stride - c : 8;
            const Eight<T> v = load_group(z + c, width), t = load_group(target + c, width);
            const Eight<T> weight = load_group(a.sample_weight + c, width) * share;
            Eight<T> gradient;
            if (a.kind == Loss::binary_cross_entropy) {
                gradient = sigmoid8<T>(v) - t;
                for (int64_t i = 0; i < width; ++i) {
                    const double value = double(v[i]);
                    const double tail = __builtin_log1p(__builtin_exp(-__builtin_fabs(value)));
                    const double softplus = (value > 0 ? value : 0.0) + tail;
                    total += double(weight[i]) * (softplus - double(t[i]) * value);
                }
            } else if (a.kind == Loss::huber) {
                const T delta = T(a.delta);
                const Eight<T> difference = v - t;
                const Eight<T> above = difference > delta ? Eight<T>{} + delta : difference;
                gradient = above < -delta ? Eight<T>{} - delta : above;  // NaN stays
                for (int64_t i = 0; i < width; ++i) {
                    // With g the clipped difference, both parts are g * (e - g / 2).
                    const double clipped = double(gradient[i]);
                    total += double(weight[i]) * clipped * (double(difference[i]) - clipped / 2);
                }
            } else {
                const Eight<T> difference = v - t;
                gradient = difference * T(2);
                for (int64_t i = 0; i < width; ++i)
                    total += double(weight[i]) * double(difference[i]) * double(difference[i]);
            }
            store_group(z + c, gradient * weight, width);
        }
        a.partial[o] = total;
    }
}

template <class T>
void sigmoid(T* z, int64_t count) {
    for (int64_t i = 0; i < count; i += 8) {
        const int64_t width = count - i < 8 ? count - i : 8;
        store_group(z + i, sigmoid8<T>(load_group(z + i, width)), width);
    }
}

}  // namespace

template <class T>
void fill_losses(LossKernels<T>& table) {
    table.softmax_columns = softmax_columns<T>;
    table.output_rows = output_rows<T>;
    table.softmax = softmax<T>;
    table.sigmoid = sigmoid<T>;
}
template void fill_losses(LossKernels<float>&);
template void fill_losses(LossKernels<double>&);

}  // namespace ts::TS_ISA
