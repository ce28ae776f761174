#include "topology/merge.hpp"

#include <atomic>

#include "base/threads.hpp"

namespace ts {
namespace {

// Calls both(i, j), first(i) or second(j) for each column of a row that either has, in order.
template <class Both, class First, class Second>
void walk(const Connections& a, const Connections& b, int64_t row, Both&& both, First&& first, Second&& second) {
    int64_t i = a.ptr[row], j = b.ptr[row];
    const int64_t i_end = a.ptr[row + 1], j_end = b.ptr[row + 1];
    while (i < i_end && j < j_end) {
        if (a.index[i] == b.index[j]) both(i++, j++);
        else if (a.index[i] < b.index[j]) first(i++);
        else second(j++);
    }
    while (i < i_end) first(i++);
    while (j < j_end) second(j++);
}

int threads_for_both(const Connections& a, const Connections& b, int threads) {
    return threads_for((a.ptr[a.rows] + b.ptr[b.rows]) * 4, threads);
}

}  // namespace

template <class T>
int64_t carry(const Connections& from, const T* value, const Connections& to, T* out, int threads) {
    std::atomic<int64_t> found{0};
    parallel_ranges(to.rows, threads_for_both(from, to, threads), [&](int64_t begin, int64_t end) {
        int64_t here = 0;
        for (int64_t row = begin; row < end; ++row)
            walk(from, to, row, [&](int64_t i, int64_t j) {
                out[j] = value[i];
                ++here;
            }, [](int64_t) {}, [&](int64_t j) { out[j] = 0; });
        found += here;
    });
    return found;
}

template <class T>
Summed<T> add(const Connections& a, const T* a_value, const Connections& b, const T* b_value, int threads) {
    Summed<T> sum;
    sum.ptr = Buffer<int64_t>(a.rows + 1);
    sum.ptr[0] = 0;
    threads = threads_for_both(a, b, threads);
    parallel_ranges(a.rows, threads, [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
            int64_t count = 0;
            walk(a, b, row, [&](int64_t, int64_t) { ++count; }, [&](int64_t) { ++count; }, [&](int64_t) { ++count; });
            sum.ptr[row + 1] = count;
        }
    });
    for (int64_t row = 0; row < a.rows; ++row) sum.ptr[row + 1] += sum.ptr[row];
    sum.index = Buffer<int32_t>(sum.ptr[a.rows]);
    sum.value = Buffer<T>(sum.ptr[a.rows]);
    parallel_ranges(a.rows, threads, [&](int64_t begin, int64_t end) {
        int64_t at = sum.ptr[begin];
        const auto put = [&](int32_t column, T value) {
            sum.index[at] = column;
            sum.value[at++] = value;
        };
        for (int64_t row = begin; row < end; ++row)
            walk(a, b, row, [&](int64_t i, int64_t j) { put(a.index[i], a_value[i] + b_value[j]); },
                 [&](int64_t i) { put(a.index[i], a_value[i]); }, [&](int64_t j) { put(b.index[j], b_value[j]); });
    });
    return sum;
}

#define TS_INSTANTIATE(T)                                                              \
    template int64_t carry(const Connections&, const T*, const Connections&, T*, int); \
    template Summed<T> add(const Connections&, const T*, const Connections&, const T*, int);
TS_INSTANTIATE(float)
TS_INSTANTIATE(double)

}  // namespace ts
