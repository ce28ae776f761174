#include "topology/rewire.hpp"

#include "base/threads.hpp"

namespace ts {
namespace {

template <int Arrays, class T>
void merge_rows(const Connections& old, const uint8_t* keep, const Connections& grown, const Connections& target,
                int32_t* index, const Moved<T>* moved, int64_t begin, int64_t end) {
    int64_t at = target.ptr[begin];
    for (int64_t row = begin; row < end; ++row) {
        int64_t k = old.ptr[row], g = grown.ptr[row];
        const int64_t k_end = old.ptr[row + 1], g_end = grown.ptr[row + 1];
        const auto take_grown = [&] {
            index[at] = grown.index[g];
            for (int a = 0; a < Arrays; ++a) moved[a].out[at] = moved[a].fresh ? moved[a].fresh[g] : moved[a].fill;
            ++at;
            ++g;
        };
        for (;; ++k) {
            while (k < k_end && !keep[k]) ++k;
            if (k == k_end) break;
            while (g < g_end && grown.index[g] < old.index[k]) take_grown();
            index[at] = old.index[k];
            for (int a = 0; a < Arrays; ++a) moved[a].out[at] = moved[a].values[k];
            ++at;
        }
        while (g < g_end) take_grown();
    }
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

template <class T>
void rewire(const Connections& old, const uint8_t* keep, const Connections& grown, const Connections& target,
            int32_t* index, const Moved<T>* moved, int count, int threads) {
    const auto merge = count == 0   ? merge_rows<0, T>
                       : count == 1 ? merge_rows<1, T>
                       : count == 2 ? merge_rows<2, T>
                                    : merge_rows<3, T>;
    // Parts by connections, not by rows.
    threads = threads_for(target.ptr[old.rows] * 4 * (1 + count), threads);
    const int64_t parts = threads > 1 ? std::min<int64_t>(old.rows, threads * 8) : 1;
    parallel_for(parts, threads, [&](int64_t part) {
        merge(old, keep, grown, target, index, moved, balanced_row(target.ptr, old.rows, 1, parts, part),
              balanced_row(target.ptr, old.rows, 1, parts, part + 1));
    });
}
template void rewire(const Connections&, const uint8_t*, const Connections&, const Connections&, int32_t*,
                     const Moved<float>*, int, int);
template void rewire(const Connections&, const uint8_t*, const Connections&, const Connections&, int32_t*,
                     const Moved<double>*, int, int);

}  // namespace ts
