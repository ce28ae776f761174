// Threads that stay alive between kernels. A training step has a dozen parallel loops of 20 to 300 microseconds with
// some microseconds of Python between them, so a waiting thread first spins, then sleeps.
#include "base/threads.hpp"

#include <atomic>
#include <chrono>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace ts {
namespace {

thread_local int thread_number = 0;
thread_local ParallelRegion borrowed = nullptr;

// How long a waiting thread spins before it sleeps: up to kSpin without yielding, then up to kWait while yielding the
// core. Where cores are virtual, waking a sleeping thread may take longer than a loop.
constexpr auto kSpin = std::chrono::microseconds(200), kWait = std::chrono::microseconds(3000);

inline void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

// Spins until ready() or for kWait; returns whether it became ready.
template <class Ready>
bool spin(Ready&& ready) {
    const auto began = std::chrono::steady_clock::now();
    for (;;) {
        for (int i = 0; i < 64; ++i) {
            if (ready()) return true;
            pause();
        }
        const auto waited = std::chrono::steady_clock::now() - began;
        if (waited >= kWait) return false;
        if (waited >= kSpin) std::this_thread::yield();
    }
}

struct alignas(64) Share {
    std::atomic<int64_t> next{0};
    int64_t end = 0;
};

// A loop on the threads of another library.
struct BorrowedLoop {
    int64_t count;
    int threads;
    void (*call)(void*, int64_t);
    void* context;
    std::atomic<int> arrived{1};  // number 0 is the caller
    std::atomic<int64_t> next{0};
    std::mutex failure_lock;
    std::exception_ptr failure;
    std::thread::id caller = std::this_thread::get_id();

    static void enter(void* given) {
        auto& loop = *static_cast<BorrowedLoop*>(given);
        const int number = std::this_thread::get_id() == loop.caller ? 0 : loop.arrived.fetch_add(1);
        if (number >= loop.threads) return;
        const int before = std::exchange(thread_number, number);
        const ParallelRegion region = std::exchange(borrowed, nullptr);  // an item starts no threads
        try {
            for (int64_t i; (i = loop.next.fetch_add(1, std::memory_order_relaxed)) < loop.count;)
                loop.call(loop.context, i);
        } catch (...) {
            const std::lock_guard guard(loop.failure_lock);
            if (!loop.failure) loop.failure = std::current_exception();
        }
        thread_number = before;
        borrowed = region;
    }
};

class Pool {
  public:
    bool claim() { return !busy_.exchange(true, std::memory_order_acquire); }
    void release() { busy_.store(false, std::memory_order_release); }

    // Only for the thread that has claimed the pool.
    void run(int64_t count, int threads, void (*call)(void*, int64_t), void* context) {
        threads = int(std::min<int64_t>({threads, count, kMost}));
        grow(threads);
        call_ = call;
        context_ = context;
        threads_ = threads;
        for (int t = 0; t < threads; ++t) {
            shares_[t].next.store(range_start(count, threads, t), std::memory_order_relaxed);
            shares_[t].end = range_start(count, threads, t + 1);
        }
        // Sequentially consistent with the sleeper's count: either it sees the new word or we see that it sleeps.
        word_.store(((word_.load(std::memory_order_relaxed) & ~(kOpen | kInside)) + kLoop) | kOpen);
        if (sleepers_.load() > 0) word_.notify_all();
        work(0);
        // Threads that have not joined yet are no longer waited for.
        if (word_.fetch_and(~kOpen, std::memory_order_acq_rel) & kInside) {
            const auto empty = [&] { return (word_.load(std::memory_order_acquire) & kInside) == 0; };
            while (!spin(empty)) {}
        }
        if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
    }

  private:
    // The word: number of the loop (16 bits), whether it may still be joined, how many threads of the pool are inside.
    static constexpr uint32_t kInside = (1u << 15) - 1, kOpen = 1u << 15, kLoop = 1u << 16;
    static constexpr int kMost = 1 << 10;

    void grow(int threads) {
        if (int(shares_.size()) >= threads) return;
        shares_ = std::vector<Share>(size_t(threads));  // no thread is inside
        for (; started_ < threads; ++started_) std::thread([this, number = started_] { live(number); }).detach();
    }

    void live(int number) {
        thread_number = number;
        uint32_t seen = 0;  // the loop last joined or skipped
        for (;;) {
            const auto fresh = [&] {
                const uint32_t word = word_.load(std::memory_order_acquire);
                return (word & kOpen) && word / kLoop != seen;
            };
            if (!spin(fresh)) {
                sleepers_.fetch_add(1);
                for (uint32_t word = word_.load(); !((word & kOpen) && word / kLoop != seen); word = word_.load())
                    word_.wait(word);
                sleepers_.fetch_sub(1);
            }
            uint32_t word = word_.load(std::memory_order_acquire);
            while ((word & kOpen) && !word_.compare_exchange_weak(word, word + 1, std::memory_order_acq_rel)) {}
            if (!(word & kOpen)) continue;
            seen = word / kLoop;
            if (number < threads_) work(number);
            word_.fetch_sub(1, std::memory_order_acq_rel);
        }
    }

    void work(int number) {
        try {
            for (int turn = 0; turn < threads_; ++turn) {
                Share& share = shares_[(number + turn) % threads_];
                for (int64_t i; (i = share.next.fetch_add(1, std::memory_order_relaxed)) < share.end;)
                    call_(context_, i);
            }
        } catch (...) {
            const std::lock_guard guard(failure_lock_);
            if (!failure_) failure_ = std::current_exception();
        }
    }

    std::atomic<bool> busy_{false};
    alignas(64) std::atomic<uint32_t> word_{0};
    std::atomic<int> sleepers_{0};
    alignas(64) std::vector<Share> shares_;
    int started_ = 1;  // number 0 is the caller
    int threads_ = 0;
    void (*call_)(void*, int64_t) = nullptr;
    void* context_ = nullptr;
    std::mutex failure_lock_;
    std::exception_ptr failure_;
};

// Never destroyed: its threads use it until the process ends. A forked child has none of the threads and starts anew.
std::atomic<Pool*> g_pool{nullptr};

Pool& pool() {
    Pool* found = g_pool.load(std::memory_order_acquire);
    if (found) return *found;
    auto made = std::make_unique<Pool>();
    if (!g_pool.compare_exchange_strong(found, made.get(), std::memory_order_acq_rel)) return *found;
#if defined(__unix__) || defined(__APPLE__)
    static std::once_flag once;
    std::call_once(once, [] { pthread_atfork(nullptr, nullptr, [] { g_pool.store(nullptr); }); });
#endif
    return *made.release();
}

}  // namespace

int current_thread() { return thread_number; }

int set_current_thread(int number) { return std::exchange(thread_number, number); }

BorrowedThreads::BorrowedThreads(ParallelRegion region) : before_(std::exchange(borrowed, region)) {}
BorrowedThreads::~BorrowedThreads() { borrowed = before_; }

void run_on_pool(int64_t count, int threads, void (*call)(void*, int64_t), void* context) {
    if (borrowed) {
        BorrowedLoop loop{count, threads, call, context};
        borrowed(BorrowedLoop::enter, &loop, unsigned(std::min<int64_t>(threads, count)), 0);
        if (loop.failure) std::rethrow_exception(loop.failure);
        return;
    }
    numbered_anew([&] {
        Pool& shared = pool();
        if (!shared.claim()) {
            for (int64_t i = 0; i < count; ++i) call(context, i);
            return;
        }
        struct Release {
            Pool& pool;
            ~Release() { pool.release(); }
        } release{shared};
        shared.run(count, threads, call, context);
    });
}

}  // namespace ts
