// How work is distributed over threads; nothing else starts any. Results never depend on it: every work
// item writes its own memory, and items are cut by the connectivity, not by the thread count.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

namespace ts {

// Number of the thread that runs the current item: 0 for the caller, always below `threads`.
int current_thread();

// Sets that number; returns the one before. See numbered_anew.
int set_current_thread(int number);

// Runs body() as if its thread were number 0, for an item that calls loops which take one thread.
template <class Body>
void numbered_anew(Body&& body) {
    struct Restore {
        int number = set_current_thread(0);
        ~Restore() { set_current_thread(number); }
    } restore;
    body();
}

// Runs call(context, i) for i in [0, count) on the caller and up to threads - 1 threads of the pool, or on the
// caller alone where the pool is in use (by another thread, or by the item that asks). Each thread starts with its own
// share, the same for the same count, so that what it wrote before is still in its cache; then takes items of the
// others. Rethrows the first exception of an item.
void run_on_pool(int64_t count, int threads, void (*call)(void*, int64_t), void* context);

// What begins a parallel region of an OpenMP library: calls body(context) on as many threads as are given, the caller's
// among them, as GOMP_parallel does.
using ParallelRegion = void (*)(void (*body)(void*), void* context, unsigned threads, unsigned flags);

// Loops of this thread run on the threads of such a library while this lives, in place of the pool's; null: on the
// pool's. Another library's threads spin for a moment after each of its loops: a pool beside them would have to share
// the cores with them.
class BorrowedThreads {
  public:
    explicit BorrowedThreads(ParallelRegion region);
    ~BorrowedThreads();
    BorrowedThreads(const BorrowedThreads&) = delete;
    BorrowedThreads& operator=(const BorrowedThreads&) = delete;

  private:
    ParallelRegion before_;
};

// Multiply-adds below which waking a second thread costs more than it saves.
constexpr int64_t kWorkPerThread = 1 << 17;

inline int threads_for(int64_t work, int threads) {
    return int(std::clamp<int64_t>(work / kWorkPerThread, 1, std::max(threads, 1)));
}

// Runs item(i) for i in [0, count).
template <class Item>
void parallel_for(int64_t count, int threads, Item&& item) {
    if (threads > 1 && count > 1) {
        using Plain = std::remove_reference_t<Item>;
        run_on_pool(count, threads, [](void* context, int64_t i) { (*static_cast<Plain*>(context))(i); }, &item);
    } else {
        for (int64_t i = 0; i < count; ++i) item(i);
    }
}

// Cuts [0, count) into `parts` nearly equal ranges; returns the start of range `part`.
inline int64_t range_start(int64_t count, int64_t parts, int64_t part) {
    return count / parts * part + std::min(part, count % parts);
}

// Runs body(begin, end) over [0, count) in a few ranges per thread.
template <class Body>
void parallel_ranges(int64_t count, int threads, Body&& body) {
    const int64_t parts = threads > 1 ? std::min<int64_t>(count, int64_t(threads) * 4) : 1;
    parallel_for(parts, threads,
                 [&](int64_t part) { body(range_start(count, parts, part), range_start(count, parts, part + 1)); });
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
