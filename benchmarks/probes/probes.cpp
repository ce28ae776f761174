// Ceilings of this machine, for the kernels to be held against. Prints one JSON object.
//
//   probes THREADS [REPEATS]
//
// copy_gbs       stream copy of 512 MB, bytes read plus written
// fma_gflops     multiply-adds on registers only
// gather         sum of random rows: for each working set and row size the best rate over prefetch distances,
//                bytes of rows a second; `fma` rows also multiply each value (two flops), as a kernel does
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include <sys/mman.h>

#if defined(__AVX512F__)
constexpr int kBytes = 64;
#elif defined(__AVX2__)
constexpr int kBytes = 32;
#else
constexpr int kBytes = 16;
#endif
constexpr int kLanes = kBytes / 4;
typedef float Vec __attribute__((vector_size(kBytes)));

static inline Vec load(const float* p) {
    Vec v;
    std::memcpy(&v, p, sizeof(v));
    return v;
}

static double seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

static double best_time(int repeats, const std::function<void()>& work) {
    double best = 1e300;
    for (int r = 0; r < repeats; ++r) {
        const double start = seconds();
        work();
        best = std::min(best, seconds() - start);
    }
    return best;
}

static float* allocate(size_t count) {
    const size_t bytes = (count * 4 + (1 << 21) - 1) >> 21 << 21;
    float* p = static_cast<float*>(std::aligned_alloc(1 << 21, bytes));
    madvise(p, bytes, MADV_HUGEPAGE);
    for (size_t i = 0; i < count; ++i) p[i] = float(i % 7) * 0.125f;
    return p;
}

static volatile float g_sink;

static double copy_gbs(int threads, int repeats) {
    const size_t count = size_t(64) << 20;
    float *a = allocate(count), *b = allocate(count);
    const double t = best_time(repeats, [&] {
#pragma omp parallel for num_threads(threads)
        for (int i = 0; i < threads; ++i)
            std::memcpy(b + count / threads * i, a + count / threads * i, count / threads * 4);
    });
    std::free(a);
    std::free(b);
    return 2.0 * double(count) * 4 / t / 1e9;
}

static double fma_gflops(int threads, int repeats) {
    const int64_t rounds = 20'000'000;
    const double t = best_time(repeats, [&] {
#pragma omp parallel num_threads(threads)
        {
            Vec acc[10], x = Vec{} + 1.0001f, y = Vec{} + 1e-6f;
            for (auto& v : acc) v = Vec{};
            for (int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 10
                for (int v = 0; v < 10; ++v) acc[v] = acc[v] * x + y;
                __asm__ volatile("" : "+x"(x), "+x"(y));
            }
            Vec sum = acc[0];
            for (int v = 1; v < 10; ++v) sum += acc[v];
            g_sink = sum[0];
        }
    });
    return 2.0 * 10 * kLanes * double(rounds) * threads / t / 1e9;
}

// Rows of V vectors; with Fma each row is weighted, and summed either way.
template <int V, bool Fma>
static void gather_rows(const float* base, const int32_t* index, int64_t count, int64_t stride, int ahead) {
    Vec acc[V] = {};
    float w = 0.5f;
    for (int64_t k = 0; k < count; ++k) {
        if (ahead) {
            const char* next = reinterpret_cast<const char*>(base + index[std::min(k + ahead, count - 1)] * stride);
            for (int b = 0; b < V * kBytes; b += 64) __builtin_prefetch(next + b);
        }
        const float* row = base + index[k] * stride;
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) {
            if (Fma) acc[v] += w * load(row + v * kLanes);
            else acc[v] += load(row + v * kLanes);
        }
        __asm__ volatile("" : "+x"(w));
    }
    Vec sum = acc[0];
    for (int v = 1; v < V; ++v) sum += acc[v];
    g_sink = sum[0];
}

static double gather_gbs(int threads, int repeats, size_t set_bytes, int row_bytes, int& best_ahead) {
    const int64_t stride = row_bytes / 4, rows = int64_t(set_bytes) / row_bytes;
    const int64_t count = std::max<int64_t>(int64_t(192) << 20, int64_t(set_bytes)) / row_bytes;
    float* base = allocate(size_t(rows * stride));
    std::vector<int32_t> index(static_cast<size_t>(count));
    uint64_t state = 88172645463325252ull;
    for (auto& i : index) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        i = int32_t((unsigned __int128)state * uint64_t(rows) >> 64);
    }
    double best = 0;
    for (int ahead : {0, 2, 4, 8, 16, 32}) {
        const double t = best_time(repeats, [&] {
#pragma omp parallel for num_threads(threads)
            for (int part = 0; part < threads; ++part) {
                const int32_t* mine = index.data() + count / threads * part;
                const int64_t n = count / threads;
                if (row_bytes == 8 * kBytes) gather_rows<8, true>(base, mine, n, stride, ahead);
                else if (row_bytes == 16 * kBytes)
                    for (int half = 0; half < 2; ++half) gather_rows<8, true>(base + half * 8 * kLanes, mine, n, stride, ahead);
                else if (row_bytes == 4 * kBytes) gather_rows<4, true>(base, mine, n, stride, ahead);
                else if (row_bytes == 2 * kBytes) gather_rows<2, true>(base, mine, n, stride, ahead);
                else if (row_bytes == kBytes) gather_rows<1, true>(base, mine, n, stride, ahead);
            }
        });
        const double rate = double(count) * row_bytes / t / 1e9;
        if (rate > best) {
            best = rate;
            best_ahead = ahead;
        }
    }
    std::free(base);
    return best;
}

int main(int argc, char** argv) {
    const int threads = argc > 1 ? std::atoi(argv[1]) : 1, repeats = argc > 2 ? std::atoi(argv[2]) : 3;
    std::printf("{\"threads\": %d, \"vector_bytes\": %d, \"copy_gbs\": %.2f, \"fma_gflops\": %.1f, \"gather\": [", threads, kBytes,
                copy_gbs(threads, repeats), fma_gflops(threads, repeats));
    bool first = true;
    for (int row_bytes : {64, 128, 256, 512}) {
        if (row_bytes < kBytes || row_bytes > 16 * kBytes) continue;
        for (size_t kib : {16, 256, 512, 1024, 2048, 8192, 65536, 524288}) {
            int ahead = 0;
            const double rate = gather_gbs(threads, repeats, kib << 10, row_bytes, ahead);
            std::printf("%s{\"set_kib\": %zu, \"row_bytes\": %d, \"gbs\": %.2f, \"ahead\": %d}", first ? "" : ", ", kib, row_bytes, rate, ahead);
            std::fflush(stdout);
            first = false;
        }
    }
    std::printf("]}\n");
}
