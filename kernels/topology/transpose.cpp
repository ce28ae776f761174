#include "topology/transpose.hpp"

#include <algorithm>
#include <vector>

#include "base/threads.hpp"

namespace ts {

// Two counting sorts: connections are distributed over groups of neighbouring columns, one stream of writes each, then
// sorted by column within a group, in cache. Rows come in order, so the result is sorted and the same whatever the
// threads.
Transposed transpose(const Connections& source, int64_t columns, int threads) {
    const int64_t rows = source.rows, count = source.ptr[rows];
    Transposed out{Buffer<int64_t>(columns + 1), Buffer<int32_t>(count), Buffer<uint32_t>(count)};
    const int64_t workers = threads_for(count * 16, threads);
    int shift = 16;  // a group's columns fit 16 bits, their cursors a quarter of a second-level cache
    while (shift > 6 && (columns >> shift) < workers * 8) --shift;
    const int64_t groups = ((columns - 1) >> shift) + 1;
    std::vector<int64_t> cursor(size_t(workers * groups), 0), start(size_t(groups + 1), 0);
    const auto first_row = [&](int64_t w) { return balanced_row(source.ptr, rows, 1, workers, w); };
    parallel_for(workers, int(workers), [&](int64_t w) {
        int64_t* mine = cursor.data() + w * groups;
        const int64_t end = source.ptr[first_row(w + 1)];
        for (int64_t k = source.ptr[first_row(w)]; k < end; ++k) ++mine[source.index[k] >> shift];
    });
    int64_t total = 0;
    for (int64_t g = 0; g < groups; ++g) {
        start[g] = total;
        for (int64_t w = 0; w < workers; ++w) total += std::exchange(cursor[w * groups + g], total);
    }
    start[groups] = total;
    Buffer<uint16_t> column(count);  // within its group
    parallel_for(workers, int(workers), [&](int64_t w) {
        int64_t* mine = cursor.data() + w * groups;
        const int64_t end = first_row(w + 1);
        for (int64_t r = first_row(w); r < end; ++r)
            for (int64_t k = source.ptr[r]; k < source.ptr[r + 1]; ++k) {
                const int64_t c = source.index[k], at = mine[c >> shift]++;
                column[at] = uint16_t(c & ((1 << shift) - 1));
                out.index[at] = int32_t(r);
                out.position[at] = uint32_t(k);
            }
    });
    out.ptr[0] = 0;
    int64_t largest = 0;
    for (int64_t g = 0; g < groups; ++g) largest = std::max(largest, start[g + 1] - start[g]);
    const int64_t places = (int64_t(1) << shift) + 1;
    std::vector<uint32_t> place_of(size_t(workers * places));
    Buffer<int32_t> row_of(workers * largest);
    Buffer<uint32_t> position_of(workers * largest);
    parallel_for(groups, int(workers), [&](int64_t g) {
        const int64_t begin = start[g], size = start[g + 1] - begin, column0 = g << shift;
        const int64_t width = std::min<int64_t>(int64_t(1) << shift, columns - column0);
        uint32_t* place = place_of.data() + current_thread() * places;
        int32_t* row = row_of.data() + current_thread() * largest;
        uint32_t* position = position_of.data() + current_thread() * largest;
        std::fill_n(place, width + 1, 0u);
        for (int64_t i = 0; i < size; ++i) ++place[column[begin + i] + 1];
        for (int64_t c = 0; c < width; ++c) {
            place[c + 1] += place[c];
            out.ptr[column0 + c + 1] = begin + place[c + 1];
        }
        for (int64_t i = 0; i < size; ++i) {
            const uint32_t at = place[column[begin + i]]++;
            row[at] = out.index[begin + i];
            position[at] = out.position[begin + i];
        }
        std::copy_n(row, size, out.index.data() + begin);
        std::copy_n(position, size, out.position.data() + begin);
    });
    return out;
}

}  // namespace ts
