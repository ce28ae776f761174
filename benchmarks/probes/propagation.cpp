// Two ways to sum gathered rows in tiles, for the forward pass of a layer that no cache holds: rows of the source fetched
// ahead at random (what kernels/tiled/forward.cpp does), against propagation blocking (Beamer, Asanović and Patterson,
// IPDPS 2017): rows are first copied, block of sources by block, to where the block of destinations will read them in
// order, then summed in cache. Both sum in the same order. Prints one JSON line for each row size.
//
//   g++ -O3 -march=native -std=c++20 -fopenmp propagation.cpp -o propagation && ./propagation THREADS
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include <sys/mman.h>

constexpr int64_t kShift = 16, kBlock = int64_t(1) << kShift;

static double seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

template <class T>
static T* allocate(size_t count) {
    const size_t bytes = (count * sizeof(T) + (size_t(1) << 21) - 1) >> 21 << 21;
    T* p = static_cast<T*>(std::aligned_alloc(size_t(1) << 21, bytes));
    madvise(p, bytes, MADV_HUGEPAGE);
    std::memset(p, 0, bytes);
    return p;
}

struct Layer {
    int64_t n, blocks, count;
    std::vector<int64_t> ptr;      // tile (o, i) at o * blocks + i
    std::vector<uint32_t> coordinate;   // destination << 16 | source
    std::vector<float> weight;
};

static Layer draw(int64_t n, int64_t count) {
    Layer layer{n, (n - 1) / kBlock + 1, count, {}, {}, {}};
    std::mt19937_64 random(1);
    std::vector<std::pair<uint32_t, uint32_t>> drawn(static_cast<size_t>(count));
    layer.ptr.assign(size_t(layer.blocks * layer.blocks + 1), 0);
    for (auto& [to, from] : drawn) {
        to = uint32_t(random() % uint64_t(n));
        from = uint32_t(random() % uint64_t(n));
        ++layer.ptr[size_t((to >> kShift) * layer.blocks + (from >> kShift) + 1)];
    }
    for (size_t t = 1; t < layer.ptr.size(); ++t) layer.ptr[t] += layer.ptr[t - 1];
    std::vector<int64_t> at(layer.ptr.begin(), layer.ptr.end() - 1);
    layer.coordinate.resize(size_t(count));
    for (const auto& [to, from] : drawn)
        layer.coordinate[size_t(at[size_t((to >> kShift) * layer.blocks + (from >> kShift))]++)] = (to & 0xFFFF) << 16 | (from & 0xFFFF);
    layer.weight.assign(size_t(count), 0.5f);
    return layer;
}

template <int N>
struct Row {
    uint16_t value[N];  // bfloat16
};

template <int N>
static inline void add(float* sums, const Row<N>& row, float weight) {
    for (int c = 0; c < N; ++c) {
        const uint32_t bits = uint32_t(row.value[c]) << 16;
        float v;
        std::memcpy(&v, &bits, 4);
        sums[c] += weight * v;
    }
}

template <int N>
static void gather(const Layer& layer, const Row<N>* x, Row<N>* y, int threads) {
#pragma omp parallel num_threads(threads)
    {
        float* sums = allocate<float>(size_t(kBlock * N));
#pragma omp for schedule(dynamic)
        for (int64_t o = 0; o < layer.blocks; ++o) {
            std::memset(sums, 0, size_t(kBlock * N) * 4);
            const int64_t* ptr = layer.ptr.data() + o * layer.blocks;
            int64_t ahead = ptr[0], block = 0;
            for (int64_t i = 0; i < layer.blocks; ++i)
                for (int64_t k = ptr[i]; k < ptr[i + 1]; ++k) {
                    for (; ahead < std::min(k + 48, ptr[layer.blocks]); ++ahead) {
                        while (ahead == ptr[block + 1]) ++block;
                        __builtin_prefetch(x + block * kBlock + (layer.coordinate[size_t(ahead)] & 0xFFFF));
                    }
                    const uint32_t coordinate = layer.coordinate[size_t(k)];
                    add<N>(sums + (coordinate >> 16) * N, x[i * kBlock + (coordinate & 0xFFFF)], layer.weight[size_t(k)]);
                }
            for (int64_t r = 0; r < std::min(kBlock, layer.n - o * kBlock); ++r)
                for (int c = 0; c < N; ++c) y[o * kBlock + r].value[c] = uint16_t(sums[r * N + c]);
        }
        std::free(sums);
    }
}

template <int N>
static void propagate(const Layer& layer, const Row<N>* x, Row<N>* bins, Row<N>* y, int threads) {
#pragma omp parallel num_threads(threads)
    {
        float* sums = allocate<float>(size_t(kBlock * N));
#pragma omp for schedule(dynamic)
        for (int64_t i = 0; i < layer.blocks; ++i)
            for (int64_t o = 0; o < layer.blocks; ++o) {
                const int64_t tile = o * layer.blocks + i;
                __builtin_prefetch(layer.coordinate.data() + layer.ptr[size_t(std::min(o + 2, layer.blocks - 1) * layer.blocks + i)]);
                for (int64_t k = layer.ptr[size_t(tile)]; k < layer.ptr[size_t(tile + 1)]; ++k)
                    bins[k] = x[i * kBlock + (layer.coordinate[size_t(k)] & 0xFFFF)];
            }
#pragma omp for schedule(dynamic)
        for (int64_t o = 0; o < layer.blocks; ++o) {
            std::memset(sums, 0, size_t(kBlock * N) * 4);
            for (int64_t k = layer.ptr[size_t(o * layer.blocks)]; k < layer.ptr[size_t((o + 1) * layer.blocks)]; ++k)
                add<N>(sums + (layer.coordinate[size_t(k)] >> 16) * N, bins[k], layer.weight[size_t(k)]);
            for (int64_t r = 0; r < std::min(kBlock, layer.n - o * kBlock); ++r)
                for (int c = 0; c < N; ++c) y[o * kBlock + r].value[c] = uint16_t(sums[r * N + c]);
        }
        std::free(sums);
    }
}

template <int N>
static void compare(int64_t n, int64_t count, int threads) {
    const Layer layer = draw(n, count);
    Row<N>*x = allocate<Row<N>>(size_t(n)), *y = allocate<Row<N>>(size_t(n)), *bins = allocate<Row<N>>(size_t(count));
    double best[2] = {1e300, 1e300};
    for (int round = 0; round < 5; ++round) {
        double start = seconds();
        gather<N>(layer, x, y, threads);
        best[0] = std::min(best[0], seconds() - start);
        start = seconds();
        propagate<N>(layer, x, bins, y, threads);
        best[1] = std::min(best[1], seconds() - start);
    }
    std::printf("{\"batch\": %d, \"row_bytes\": %d, \"neurons\": %lld, \"connections\": %lld, \"gather_ns\": %.2f, \"propagation_ns\": %.2f}\n",
                N, 2 * N, (long long)n, (long long)count, best[0] / double(count) * 1e9, best[1] / double(count) * 1e9);
    std::fflush(stdout);
    std::free(x);
    std::free(y);
    std::free(bins);
}

int main(int argc, char** argv) {
    const int threads = argc > 1 ? std::atoi(argv[1]) : 2;
    compare<4>(64'000'000, 64'000'000, threads);
    compare<8>(32'000'000, 32'000'000, threads);
    compare<16>(16'000'000, 32'000'000, threads);
    compare<32>(5'000'000, 10'000'000, threads);
    compare<64>(5'000'000, 10'000'000, threads);
}
