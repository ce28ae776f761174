#include "topology/percolate.hpp"

#include <algorithm>

#include "base/threads.hpp"

namespace ts {
namespace {

// Calls body(row, first connection, last connection) for each row, rows cut by their connections.
template <class Body>
void each_row(const Connections& con, int threads, Body&& body) {
    const int workers = threads_for(con.ptr[con.rows] * 4, threads);
    const int64_t parts = workers > 1 ? int64_t(workers) * 4 : 1;
    parallel_for(parts, workers, [&](int64_t part) {
        const int64_t last = balanced_row(con.ptr, con.rows, 1, parts, part + 1);
        for (int64_t r = balanced_row(con.ptr, con.rows, 1, parts, part); r < last; ++r)
            body(r, con.ptr[r], con.ptr[r + 1]);
    });
}

bool has_kept(const Stage& s, int64_t begin, int64_t end) {
    if (!s.keep) return end > begin;
    return std::any_of(s.keep + begin, s.keep + end, [](uint8_t mark) { return mark != 0; });
}

// Clears what leads into columns that are not marked.
void clear_into(const Stage& s, const std::vector<uint8_t>& marked, int threads) {
    each_row(s.by_input, threads, [&](int64_t, int64_t begin, int64_t end) {
        for (int64_t k = begin; k < end; ++k)
            if (!marked[size_t(s.by_input.index[k])]) s.keep[k] = 0;
    });
}

// Clears what leads out of rows that are not marked; marks the columns that some of the rest leads into.
std::vector<uint8_t> clear_out_of(const Stage& s, const std::vector<uint8_t>& marked, int threads) {
    std::vector<uint8_t> reached(size_t(s.columns), 0);
    each_row(s.by_input, threads, [&](int64_t r, int64_t begin, int64_t end) {
        if (s.keep && !marked[size_t(r)]) return void(std::fill(s.keep + begin, s.keep + end, uint8_t(0)));
        for (int64_t k = begin; k < end; ++k)
            if (!s.keep || s.keep[k])
                __atomic_store_n(&reached[size_t(s.by_input.index[k])], uint8_t(1), __ATOMIC_RELAXED);
    });
    return reached;
}

int64_t count_kept(const Stage& s, int threads) {
    std::vector<int64_t> kept(size_t(std::max(threads, 1)), 0);
    parallel_ranges(s.by_input.ptr[s.by_input.rows], threads_for(s.by_input.ptr[s.by_input.rows], threads),
                    [&](int64_t begin, int64_t end) {
        kept[size_t(current_thread())] += end - begin - std::count(s.keep + begin, s.keep + end, uint8_t(0));
    });
    int64_t total = 0;
    for (const int64_t some : kept) total += some;
    return total;
}

}  // namespace

std::vector<int64_t> percolate(const std::vector<Stage>& stages, int threads) {
    std::vector<int64_t> cleared(stages.size(), 0);
    for (size_t l = 0; l < stages.size(); ++l)
        if (stages[l].keep) cleared[l] = count_kept(stages[l], threads);
    for (size_t l = stages.size(); l-- > 1;) {
        if (!stages[l - 1].keep) continue;
        std::vector<uint8_t> leads(size_t(stages[l].by_input.rows), 0);
        each_row(stages[l].by_input, threads,
                 [&](int64_t r, int64_t begin, int64_t end) { leads[size_t(r)] = has_kept(stages[l], begin, end); });
        clear_into(stages[l - 1], leads, threads);
    }
    std::vector<uint8_t> reached(stages.empty() ? 0 : size_t(stages[0].by_input.rows), 1);
    for (const Stage& stage : stages) reached = clear_out_of(stage, reached, threads);
    for (size_t l = 0; l < stages.size(); ++l)
        if (stages[l].keep) cleared[l] -= count_kept(stages[l], threads);
    return cleared;
}

}  // namespace ts
