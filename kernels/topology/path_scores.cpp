#include "topology/path_scores.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/threads.hpp"
#include "topology/best.hpp"

namespace ts {
namespace {

struct Scored {
    double score;
    uint64_t tie, place;
    bool operator<(const Scored& other) const {
        return score > other.score || (score == other.score && tie < other.tie);
    }
};

// Numbers added up at places of an array that is zero between uses.
template <class T>
class Sums {
  public:
    explicit Sums(int64_t size) : sum_(size_t(size), T(0)) {}
    void add(int64_t at, T value) {
        if (sum_[size_t(at)] == T(0)) touched_.push_back(at);
        sum_[size_t(at)] += value;
    }
    T at(int64_t place) const { return sum_[size_t(place)]; }
    const std::vector<int64_t>& touched() const { return touched_; }
    void clear() {
        for (const int64_t place : touched_) sum_[size_t(place)] = T(0);
        touched_.clear();
    }

  private:
    std::vector<T> sum_;
    std::vector<int64_t> touched_;
};

template <class Body>
void each(const Connections& con, int64_t row, Body&& body) {
    for (int64_t k = con.ptr[row]; k < con.ptr[row + 1]; ++k) body(int64_t(con.index[k]));
}

int64_t degree(const Connections& con, int64_t row) { return con.ptr[row + 1] - con.ptr[row]; }

// How many neighbours of `from` each neuron of its side shares with it.
void share(const Connections& own, const Connections& other, int64_t from, Sums<int32_t>& shared) {
    shared.clear();
    each(own, from, [&](int64_t z) { each(other, z, [&](int64_t j) { shared.add(j, 1); }); });
}

double contribution(int64_t shared, int64_t neighbours) { return double(shared + 1) / double(neighbours - shared); }

// What one thread needs to score a row.
struct Workplace {
    Sums<int32_t> inputs, outputs;
    Sums<double> score;
    std::vector<Scored> found;
    Workplace(int64_t n_in, int64_t n_out) : inputs(n_in), outputs(n_out), score(n_out) {}

    void score_row(const BothSides& sides, int64_t u) {
        score.clear();
        share(sides.by_input, sides.by_output, u, inputs);
        for (const int64_t j : inputs.touched()) {
            const int64_t shared = inputs.at(j), neighbours = degree(sides.by_input, j);
            if (neighbours == shared) continue;
            each(sides.by_input, j, [&](int64_t v) { score.add(v, contribution(shared, neighbours)); });
        }
        each(sides.by_input, u, [&](int64_t j) {
            share(sides.by_output, sides.by_input, j, outputs);
            const int64_t neighbours = degree(sides.by_output, j);
            for (const int64_t v : outputs.touched())
                if (outputs.at(v) < neighbours) score.add(v, contribution(outputs.at(v), neighbours));
        });
    }
};

uint64_t mixed(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

}  // namespace

double count_paths(const Connections& by_input, int64_t n_out) {
    std::vector<int64_t> into(size_t(n_out), 0);
    for (int64_t u = 0; u < by_input.rows; ++u) each(by_input, u, [&](int64_t v) { ++into[size_t(v)]; });
    double paths = 0;
    for (int64_t u = 0; u < by_input.rows; ++u)
        each(by_input, u, [&](int64_t v) { paths += double(degree(by_input, u)) * double(into[size_t(v)]); });
    return paths;
}

Buffer<uint64_t> pick_by_score(const BothSides& sides, int64_t n_out, const uint64_t* held, int64_t n_held,
                               int64_t count, Pick pick, uint64_t key, int threads) {
    if (count == 0) return Buffer<uint64_t>(0);
    const int64_t n_in = sides.by_input.rows, band = 64, bands = (n_in + band - 1) / band;
    const int workers = threads_for(int64_t(std::min(count_paths(sides.by_input, n_out), 1e15)), threads);
    std::vector<Workplace> places;
    for (int w = 0; w < workers; ++w) places.emplace_back(n_in, n_out);
    Best<Scored> best(count);
    const Philox random{key};
    parallel_for(bands, workers, [&](int64_t b) {
        Workplace& mine = places[size_t(current_thread())];
        for (int64_t u = b * band; u < std::min(n_in, (b + 1) * band); ++u) {
            mine.score_row(sides, u);
            mine.found.clear();
            const int32_t* row = sides.by_input.index + sides.by_input.ptr[u];
            const int32_t* row_end = sides.by_input.index + sides.by_input.ptr[u + 1];
            const double floor = best.floor();
            for (const int64_t v : mine.score.touched()) {
                const uint64_t place = uint64_t(u) * uint64_t(n_out) + uint64_t(v);
                if (std::binary_search(row, row_end, int32_t(v)) || std::binary_search(held, held + n_held, place))
                    continue;
                double score = mine.score.at(v);
                // The largest score / e, e exponentially distributed, is a draw in proportion to the scores.
                if (pick == Pick::sampled) score /= -std::log(to_unit(random(place).u64(0)));
                if (score >= floor) mine.found.push_back({score, mixed(place + key), place});
            }
            if (!mine.found.empty()) best.offer(mine.found);
        }
    });
    const std::vector<Scored>& taken = best.take();
    Buffer<uint64_t> out{int64_t(taken.size())};
    for (size_t k = 0; k < taken.size(); ++k) out[int64_t(k)] = taken[k].place;
    return out;
}

}  // namespace ts
