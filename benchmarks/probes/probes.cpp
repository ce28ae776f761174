// Ceilings of this machine, for the kernels to be held against; a shared library, so that they can be measured in turn
// with the kernels. Every function returns a rate of one run: threads start together, the slowest counts.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include <sys/mman.h>

#if defined(__AVX512F__)
constexpr int kBytes = 64;
#elif defined(__AVX2__)
constexpr int kBytes = 32;
#else
constexpr int kBytes = 16;
#endif
constexpr int kLanes = kBytes / 4, kVectors = 8;
typedef float Vec __attribute__((vector_size(kBytes)));

static inline Vec load(const float* p) {
    Vec v;
    std::memcpy(&v, p, sizeof(v));
    return v;
}

static double seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Runs body(thread) twice on each thread, the second time from a common start; the time of the slowest.
template <class Body>
static double slowest(int threads, Body&& body) {
    std::atomic<int> ready{0};
    std::vector<double> times(size_t(threads), 0.0);
    std::vector<std::thread> pool;
    for (int t = 0; t < threads; ++t)
        pool.emplace_back([&, t] {
            body(t);
            ready.fetch_add(1);
            while (ready.load() < threads) {}
            const double start = seconds();
            body(t);
            times[size_t(t)] = seconds() - start;
        });
    for (auto& thread : pool) thread.join();
    return *std::max_element(times.begin(), times.end());
}

static float* allocate(size_t bytes) {
    bytes = (bytes + (1 << 21) - 1) >> 21 << 21;
    float* p = static_cast<float*>(std::aligned_alloc(1 << 21, bytes));
    madvise(p, bytes, MADV_HUGEPAGE);
    for (size_t i = 0; i < bytes / 4; ++i) p[i] = float(i % 7) * 0.125f;
    return p;
}

static volatile float g_sink;

// One pass over the given rows, in windows of eight vectors; each value is weighted and added, as a kernel does.
static void gather_rows(const float* base, const int32_t* index, int64_t count, int64_t row, int ahead) {
    float w = 0.5f;
    for (int64_t c = 0; c + kVectors * kLanes <= row; c += kVectors * kLanes) {
        Vec acc[kVectors] = {};
        for (int64_t k = 0; k < count; ++k) {
            if (ahead) {
                const char* next = reinterpret_cast<const char*>(base + index[std::min(k + ahead, count - 1)] * row + c);
                for (int b = 0; b < kVectors * kBytes; b += 64) __builtin_prefetch(next + b);
            }
            const float* p = base + index[k] * row + c;
#pragma GCC unroll 8
            for (int v = 0; v < kVectors; ++v) acc[v] += w * load(p + v * kLanes);
            __asm__ volatile("" : "+x"(w));
        }
        for (int v = 1; v < kVectors; ++v) acc[0] += acc[v];
        g_sink = acc[0][0];
    }
}

struct Gather {
    float* base;
    int64_t rows, row;
    std::vector<int32_t> index;
};

extern "C" {

// `rows` rows of `row` floats, of which `count` are gathered at random.
Gather* gather_make(int64_t rows, int64_t row, int64_t count) {
    auto* g = new Gather{allocate(size_t(rows * row) * 4), rows, row, std::vector<int32_t>(size_t(count))};
    uint64_t state = 88172645463325252ull;
    for (auto& i : g->index) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        i = int32_t((unsigned __int128)state * uint64_t(rows) >> 64);
    }
    return g;
}

// GB of rows per second, fetched `ahead` rows ahead (0: not fetched), `together` rows a sum.
double gather_gbs(const Gather* g, int threads, int ahead, int together) {
    const int64_t mine = int64_t(g->index.size()) / threads;
    const double t = slowest(threads, [&](int thread) {
        const int32_t* from = g->index.data() + mine * thread;
        for (int64_t k = 0; k + together <= mine; k += together) gather_rows(g->base, from + k, together, g->row, ahead);
    });
    return double(mine / together * together * threads * g->row * 4) / t / 1e9;
}

void gather_free(Gather* g) {
    std::free(g->base);
    delete g;
}

// GB read and written per second by copying 256 MB.
double copy_gbs(int threads) {
    const size_t bytes = size_t(256) << 20, mine = bytes / size_t(threads);
    static char* from = reinterpret_cast<char*>(allocate(bytes));
    static char* to = reinterpret_cast<char*>(allocate(bytes));
    const double t = slowest(threads, [&](int thread) { std::memcpy(to + mine * thread, from + mine * thread, mine); });
    return 2.0 * double(mine * threads) / t / 1e9;
}

// Billions of multiplications and additions per second on registers only.
double fma_gflops(int threads) {
    const int64_t rounds = 1'000'000;
    const double t = slowest(threads, [&](int) {
        Vec acc[10] = {}, x = Vec{} + 1.0001f, y = Vec{} + 1e-6f;
        for (int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 10
            for (int v = 0; v < 10; ++v) acc[v] = acc[v] * x + y;
            __asm__ volatile("" : "+x"(x), "+x"(y));
        }
        for (int v = 1; v < 10; ++v) acc[0] += acc[v];
        g_sink = acc[0][0];
    });
    return 2.0 * 10 * kLanes * double(rounds) * threads / t / 1e9;
}
}
