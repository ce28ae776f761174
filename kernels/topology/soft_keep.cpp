// Drawing without replacement in proportion to weights is the same as keeping those with the smallest e / weight, where
// each e is exponentially distributed (Efraimidis and Spirakis 2006); here as the largest log(weight) - log(e), a key
// of 31 bits, and exact selection.
#include "topology/soft_keep.hpp"

#include <cmath>
#include <cstring>

#include "base/bfloat16.hpp"
#include "base/buffer.hpp"
#include "base/random.hpp"
#include "base/threads.hpp"
#include "topology/prune.hpp"

namespace ts {
namespace {

constexpr float kLeast = -1e30f;  // keys of zeros lie below, all others above

// A number as bits that order as it does, in the place of a magnitude.
float ordered(float key) {
    uint32_t bits;
    std::memcpy(&bits, &key, sizeof(bits));
    bits = (bits & 0x80000000u ? ~bits : bits | 0x80000000u) >> 1;
    std::memcpy(&key, &bits, sizeof(key));
    return key;
}

double magnitude(double value) { return std::abs(value); }
double magnitude(bf16 value) { return std::abs(double(float(value))); }

float key_of(double weight, double power, double unit) {
    const double gumbel = -std::log(-std::log(unit));
    if (power == 0) return float(gumbel);
    if (weight == 0) return float((1 + unit) * double(kLeast));
    const double key = power * std::log(weight) + gumbel;
    return key > double(kLeast) ? float(key) : kLeast;
}

// keys[k] from weight_of(k): two of a block of random numbers.
template <class Weight>
void fill_keys(float* keys, int64_t begin, int64_t end, double power, const Philox& random, const Weight& weight_of) {
    Philox::Block block{};
    for (int64_t k = begin; k < end; ++k) {
        if (k == begin || k % 2 == 0) block = random(uint64_t(k) / 2);
        keys[k] = ordered(key_of(weight_of(k), power, to_unit(block.u64(int(k % 2)))));
    }
}

void keep_largest_keys(const Buffer<float>& keys, int64_t remove, uint8_t* keep, int threads) {
    keep_by_magnitude<float>({{keys.data(), keep, keys.size()}}, remove, threads);
}

}  // namespace

template <class T>
void soft_keep(const T* value, int64_t count, double power, int64_t remove, uint64_t key, uint8_t* keep, int threads) {
    Buffer<float> keys(count);
    const Philox random{key};
    parallel_ranges(count, threads_for(count * 64, threads), [&](int64_t begin, int64_t end) {
        fill_keys(keys.data(), begin, end, power, random, [&](int64_t k) { return magnitude(value[k]); });
    });
    keep_largest_keys(keys, remove, keep, threads);
}

template <class T>
void soft_keep_relative(const Connections& con, const T* value, const double* row_sum, const double* column_sum,
                        double power, int64_t remove, uint64_t key, uint8_t* keep, int threads) {
    const int64_t count = con.ptr[con.rows];
    Buffer<float> keys(count);
    const Philox random{key};
    const int64_t parts = threads_for(count * 64, threads) * 4;
    parallel_for(parts, threads_for(count * 64, threads), [&](int64_t part) {
        const int64_t last = balanced_row(con.ptr, con.rows, 1, parts, part + 1);
        for (int64_t r = balanced_row(con.ptr, con.rows, 1, parts, part); r < last; ++r)
            fill_keys(keys.data(), con.ptr[r], con.ptr[r + 1], power, random, [&](int64_t k) {
                const double m = magnitude(value[k]);
                return m > 0 ? m / row_sum[r] + m / column_sum[con.index[k]] : 0.0;
            });
    });
    keep_largest_keys(keys, remove, keep, threads);
}

template void soft_keep(const bf16*, int64_t, double, int64_t, uint64_t, uint8_t*, int);
template void soft_keep(const float*, int64_t, double, int64_t, uint64_t, uint8_t*, int);
template void soft_keep(const double*, int64_t, double, int64_t, uint64_t, uint8_t*, int);
template void soft_keep_relative(const Connections&, const float*, const double*, const double*, double, int64_t,
                                 uint64_t, uint8_t*, int);
template void soft_keep_relative(const Connections&, const double*, const double*, const double*, double, int64_t,
                                 uint64_t, uint8_t*, int);

}  // namespace ts
