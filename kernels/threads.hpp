// The only place that knows how work is spread over threads. Results never depend on it: every work
// item writes its own memory, and items are cut by the connectivity, not by the thread count.
#pragma once

#include <algorithm>
#include <cstdint>

#if defined(TS_STD_THREADS)
#include <atomic>
#include <thread>
#include <vector>
#elif defined(_OPENMP)
#include <omp.h>
#endif

namespace ts {

#if defined(TS_STD_THREADS)
inline int& thread_number() {
    static thread_local int number = 0;
    return number;
}
#endif

inline int current_thread() {
#if defined(TS_STD_THREADS)
    return thread_number();
#elif defined(_OPENMP)
    return omp_get_thread_num();
#else
    return 0;
#endif
}

inline bool built_with_threads() {
#if defined(TS_STD_THREADS) || defined(_OPENMP)
    return true;
#else
    return false;
#endif
}

// Multiply-adds under which waking a second thread costs more than it saves.
constexpr int64_t kWorkPerThread = 1 << 17;

inline int threads_for(int64_t work, int threads) {
    return int(std::clamp<int64_t>(work / kWorkPerThread, 1, std::max(threads, 1)));
}

// Runs item(i) for i in [0, count); items are handed out one by one, so uneven ones balance.
template <class Item>
void parallel_for(int64_t count, [[maybe_unused]] int threads, Item&& item) {
#if defined(TS_STD_THREADS)
    // Slower than OpenMP (threads start at each call), but visible to ThreadSanitizer, which OpenMP's are not.
    if (threads > 1 && count > 1) {
        std::atomic<int64_t> next{0};
        const auto work = [&](int number) {
            thread_number() = number;
            for (int64_t i; (i = next.fetch_add(1)) < count;) item(i);
        };
        std::vector<std::thread> others;
        for (int t = 1; t < threads; ++t) others.emplace_back(work, t);
        work(0);
        for (std::thread& t : others) t.join();
        return;
    }
#elif defined(_OPENMP)
    if (threads > 1 && count > 1) {
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
        for (int64_t i = 0; i < count; ++i) item(i);
        return;
    }
#endif
    for (int64_t i = 0; i < count; ++i) item(i);
}

// Cuts [0, count) into `parts` nearly equal ranges; returns the start of range `part`.
inline int64_t range_start(int64_t count, int64_t parts, int64_t part) {
    return count / parts * part + std::min(part, count % parts);
}

// Runs body(begin, end) over [0, count) in a few ranges a thread.
template <class Body>
void parallel_ranges(int64_t count, int threads, Body&& body) {
    const int64_t parts = threads > 1 ? std::min<int64_t>(count, int64_t(threads) * 4) : 1;
    parallel_for(parts, threads, [&](int64_t part) {
        body(range_start(count, parts, part), range_start(count, parts, part + 1));
    });
}

// First row of part `part` when rows are cut so that each part has about the same cost, where row r
// costs its connections plus `row_cost`.
inline int64_t balanced_row(const int64_t* ptr, int64_t rows, int64_t row_cost, int64_t parts, int64_t part) {
    if (part >= parts) return rows;
    const int64_t total = (ptr[rows] - ptr[0]) + rows * row_cost;
    const int64_t target = int64_t(double(total) * double(part) / double(parts));
    int64_t low = 0, high = rows;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if ((ptr[middle] - ptr[0]) + middle * row_cost < target) low = middle + 1;
        else high = middle;
    }
    return low;
}

}  // namespace ts
