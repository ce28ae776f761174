#include "layer/compact_rows.hpp"

#include <algorithm>
#include <numeric>

#include "base/threads.hpp"
#include "layer/fleet_rows.hpp"

namespace ts {

CompactRows CompactRows::of(const Connections& rows, int64_t columns, int64_t agents, int64_t sides, bool padded,
                            int threads) {
    constexpr int64_t limit = (1 << 16) - 1;  // and one more for padding
    const int64_t each = rows.rows / agents, gathered = columns / agents;
    CompactRows made;
    if (each > limit || gathered > limit) return made;
    for (int64_t i = 0; i < agents; ++i)
        if (rows.ptr[(i + 1) * each] - rows.ptr[i * each] > limit) return made;
    for (int64_t i = 0; i <= agents; ++i) made.first.push_back(rows.ptr[i * each]);
    made.first_entry.assign(size_t(agents) + 1, 0);
    made.row.resize(size_t(rows.rows));
    made.length.resize(size_t(rows.rows));
    threads = threads_for(rows.ptr[rows.rows] * 16, threads);
    const auto length = [&](int64_t r) { return rows.ptr[r + 1] - rows.ptr[r]; };
    // The length that row j of an agent has with the others beside it.
    const auto padded_row = [&](int64_t i, int64_t j) {
        const int64_t last = std::min(j / sides * sides + sides, each) - 1;
        return padded_length(length(i * each + made.row[size_t(i * each + last)]));
    };
    parallel_ranges(agents, threads, [&](int64_t begin, int64_t end) {
        std::vector<int32_t> order(static_cast<size_t>(each));
        for (int64_t i = begin; i < end; ++i) {
            std::iota(order.begin(), order.end(), 0);
            std::stable_sort(order.begin(), order.end(),
                             [&](int32_t a, int32_t b) { return length(i * each + a) < length(i * each + b); });
            std::copy(order.begin(), order.end(), made.row.begin() + i * each);
            int64_t entries = 0;
            for (int64_t j = 0; j < each; ++j) entries += padded_row(i, j);
            made.first_entry[size_t(i) + 1] = entries;
        }
    });
    for (size_t i = 0; i < size_t(agents); ++i) made.first_entry[i + 1] += made.first_entry[i];
    made.index.resize(size_t(made.first_entry.back()));
    made.position.resize(made.index.size());
    parallel_ranges(agents, threads, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            const int64_t k0 = made.first[size_t(i)], count = made.first[size_t(i) + 1] - k0;
            size_t at = size_t(made.first_entry[size_t(i)]);
            for (int64_t j = 0; j < each; ++j) {
                const int64_t r = i * each + made.row[size_t(i * each + j)], n = padded_row(i, j);
                made.length[size_t(i * each + j)] = uint16_t(padded ? n : length(r));
                for (int64_t k = rows.ptr[r]; k < rows.ptr[r] + n; ++k, ++at) {
                    const bool real = k < rows.ptr[r + 1];
                    made.index[at] = uint16_t(real ? rows.index[k] - i * gathered : gathered);
                    made.position[at] = uint16_t(!real           ? count
                                                 : rows.position ? int64_t(rows.position[k]) - k0
                                                                 : k - k0);
                }
            }
        }
    });
    return made;
}

}  // namespace ts
