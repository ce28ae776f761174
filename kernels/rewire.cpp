#include "rewire.hpp"

#include "threads.hpp"

namespace ts {
namespace {

template <class Kept, class Grown>
inline void merge_row(const Connections& old, const uint8_t* keep, const Connections& grown, int64_t row, Kept&& on_kept,
                      Grown&& on_grown) {
    int64_t k = old.ptr[row], g = grown.ptr[row];
    const int64_t k_end = old.ptr[row + 1], g_end = grown.ptr[row + 1];
    for (;;) {
        while (k < k_end && !keep[k]) ++k;
        if (k == k_end) break;
        while (g < g_end && grown.index[g] < old.index[k]) on_grown(g++);
        on_kept(k++);
    }
    while (g < g_end) on_grown(g++);
}

}  // namespace

Buffer<int64_t> kept_pointers(const Connections& con, const uint8_t* keep, int threads) {
    Buffer<int64_t> ptr(con.rows + 1);
    ptr[0] = 0;
    parallel_ranges(con.rows, threads_for(con.ptr[con.rows] * 2, threads), [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r) {
            int64_t kept = 0;
            for (int64_t k = con.ptr[r]; k < con.ptr[r + 1]; ++k) kept += keep[k] != 0;
            ptr[r + 1] = kept;
        }
    });
    for (int64_t r = 0; r < con.rows; ++r) ptr[r + 1] += ptr[r];
    return ptr;
}

void rewire_index(const Connections& old, const uint8_t* keep, const Connections& grown, const Connections& target,
                  int32_t* index, int threads) {
    parallel_ranges(old.rows, threads_for(target.ptr[old.rows] * 4, threads), [&](int64_t begin, int64_t end) {
        int64_t at = target.ptr[begin];
        for (int64_t r = begin; r < end; ++r)
            merge_row(old, keep, grown, r, [&](int64_t k) { index[at++] = old.index[k]; },
                      [&](int64_t g) { index[at++] = grown.index[g]; });
    });
}

template <class T>
void rewire_values(const Connections& old, const uint8_t* keep, const Connections& grown, const Connections& target,
                   const T* values, const T* fresh, T* out, int threads) {
    parallel_ranges(old.rows, threads_for(target.ptr[old.rows] * 4, threads), [&](int64_t begin, int64_t end) {
        int64_t at = target.ptr[begin];
        for (int64_t r = begin; r < end; ++r)
            merge_row(old, keep, grown, r, [&](int64_t k) { out[at++] = values[k]; },
                      [&](int64_t g) { out[at++] = fresh ? fresh[g] : T(0); });
    });
}
template void rewire_values(const Connections&, const uint8_t*, const Connections&, const Connections&, const float*,
                            const float*, float*, int);
template void rewire_values(const Connections&, const uint8_t*, const Connections&, const Connections&, const double*,
                            const double*, double*, int);

}  // namespace ts
