#include "topology/path_sampling.hpp"

#include <algorithm>

namespace ts {
namespace {

struct Row {
    const int32_t *begin, *end;
    int64_t size() const { return end - begin; }
    bool has(int32_t value) const { return std::binary_search(begin, end, value); }
};

Row row(const Connections& con, int64_t r) { return {con.index + con.ptr[r], con.index + con.ptr[r + 1]}; }

// Numbers one after another, of one draw.
class Numbers {
  public:
    Numbers() = default;
    Numbers(const Philox& random, uint64_t t) : random_(random), t_(t) {}
    uint64_t next() {
        if (used_ == 2) {
            block_ = random_(t_, attempt_++);
            used_ = 0;
        }
        return block_.u64(used_++);
    }
    // Uniform on [0, bound), exactly: Lemire's multiplication with rejection.
    uint64_t below(uint64_t bound) {
        for (;;) {
            const unsigned __int128 product = (unsigned __int128)next() * bound;
            if (uint64_t(product) >= bound || uint64_t(product) >= (0 - bound) % bound) return uint64_t(product >> 64);
        }
    }

  private:
    Philox random_{};
    uint64_t t_ = 0, attempt_ = 0;
    Philox::Block block_{};
    int used_ = 2;
};

// Where a value is, or would be, from `at` on: steps that double, then halve.
const int32_t* gallop(const int32_t* at, const int32_t* end, int32_t value) {
    int64_t step = 1;
    while (step < end - at && at[step] < value) {
        at += step;
        step *= 2;
    }
    return std::lower_bound(at, at + std::min<int64_t>(step + 1, end - at), value);
}

// The first value of both rows; they have one.
int32_t first_shared(Row a, Row b) {
    if (a.size() > b.size()) std::swap(a, b);
    const bool uneven = b.size() > 8 * a.size();
    for (;;) {
        if (uneven) {
            b.begin = gallop(b.begin, b.end, *a.begin);
        } else {
            while (*b.begin < *a.begin) ++b.begin;
        }
        if (*b.begin == *a.begin) return *a.begin;
        while (*a.begin < *b.begin) ++a.begin;
        if (*b.begin == *a.begin) return *a.begin;
    }
}

// Number `which` of the values that `from` has and `without` has not; -1 where there are fewer.
int32_t lacking(const Row& from, Row without, int64_t which) {
    for (const int32_t* at = from.begin; at < from.end; ++at) {
        without.begin = without.begin < without.end ? gallop(without.begin, without.end, *at) : without.end;
        if (without.begin < without.end && *without.begin == *at) continue;
        if (which-- == 0) return *at;
    }
    return -1;
}

// Any value that `from` has and `without` has not, each as likely; -1: none.
int32_t draw_lacking(const Row& from, const Row& without, Numbers& random) {
    for (int attempt = 0; attempt < 4; ++attempt) {
        const int32_t v = from.begin[random.below(uint64_t(from.size()))];
        if (!without.has(v)) return v;
    }
    int64_t n = 0;
    for (const int32_t* at = from.begin; at < from.end; ++at) n += !without.has(*at);
    return n == 0 ? -1 : lacking(from, without, int64_t(random.below(uint64_t(n))));
}

// An end v of a path u - z - j - v, one of those that j has and u has not; -1 where the draw is dropped.
int64_t draw_end(const Connections& own, int64_t z, int64_t u, int64_t j, Numbers& random) {
    const Row of_u = row(own, u), of_j = row(own, j);
    if ((random.next() >> 63) && first_shared(of_u, of_j) != z) return -1;
    return draw_lacking(of_j, of_u, random);
}

}  // namespace

int64_t PathSampler::Lookup::cell(uint64_t number) const {
    return int64_t((unsigned __int128)number * uint64_t(begin.size()) / uint64_t(before[begin.size()]));
}

int64_t PathSampler::Lookup::find(uint64_t number, int64_t at) const {
    while (before[at + 1] <= int64_t(number)) ++at;
    return at;
}

PathSampler::Side PathSampler::side(const Connections& own, const Connections& other) {
    Side out{own, other, {Buffer<int64_t>(other.rows + 1), Buffer<int32_t>(other.rows)}, 0};
    int64_t* before = out.pairs.before.data();
    before[0] = 0;
    for (int64_t z = 0; z < other.rows; ++z) {
        const int64_t degree = other.ptr[z + 1] - other.ptr[z];
        before[z + 1] = before[z] + degree * (degree - 1);
    }
    out.total = uint64_t(before[other.rows]);
    int64_t z = 0;
    for (int64_t cell = 0; cell < other.rows && out.total > 0; ++cell) {
        // The least number of the cell: ceil(cell * total / cells).
        const auto least =
            int64_t(((unsigned __int128)cell * out.total + uint64_t(other.rows) - 1) / uint64_t(other.rows));
        while (z + 1 < other.rows && before[z + 1] <= least) ++z;
        out.pairs.begin[cell] = int32_t(z);
    }
    return out;
}

PathSampler::PathSampler(const BothSides& sides, int64_t n_out, uint64_t key)
    : sides_{side(sides.by_input, sides.by_output), side(sides.by_output, sides.by_input)},
      total_(sides_[0].total + sides_[1].total), n_out_(n_out), random_{key} {}

// Step by step for all draws of a group: what a step reads has been asked for in the step before, so that the waits for
// memory overlap.
void PathSampler::draw(uint64_t begin, int64_t count, uint64_t* place) const {
    struct Draw {
        Numbers random;
        const Side* side = nullptr;
        uint64_t number = 0;
        int64_t at = 0, u = 0, j = 0;  // at: of the lookup, then z
    };
    Draw draws[kGroup];
    const auto each = [&](auto&& step) {
        for (int64_t k = 0; k < count; ++k) step(draws[k]);
    };
    for (int64_t k = 0; k < count; ++k) draws[k].random = Numbers(random_, begin + uint64_t(k));
    each([&](Draw& d) {
        d.number = d.random.below(total_);
        const bool from_input = d.number < sides_[0].total;
        d.side = sides_ + !from_input;
        if (!from_input) d.number -= sides_[0].total;
        d.at = d.side->pairs.cell(d.number);
        __builtin_prefetch(d.side->pairs.begin.data() + d.at);
    });
    each([](Draw& d) {
        d.at = d.side->pairs.begin[d.at];
        __builtin_prefetch(d.side->pairs.before.data() + d.at);
        __builtin_prefetch(d.side->other.ptr + d.at);
    });
    each([](Draw& d) {
        d.at = d.side->pairs.find(d.number, d.at);
        const int64_t others = row(d.side->other, d.at).size() - 1;
        const int64_t pair = int64_t(d.number) - d.side->pairs.before[d.at];
        d.u = pair / others;
        d.j = pair % others;
        d.j += d.j >= d.u;
        const int32_t* ends = row(d.side->other, d.at).begin;
        __builtin_prefetch(ends + d.u);
        __builtin_prefetch(ends + d.j);
    });
    each([](Draw& d) {
        const int32_t* ends = row(d.side->other, d.at).begin;
        d.u = ends[d.u];
        d.j = ends[d.j];
        __builtin_prefetch(d.side->own.ptr + d.u);
        __builtin_prefetch(d.side->own.ptr + d.j);
    });
    each([](Draw& d) {
        __builtin_prefetch(row(d.side->own, d.u).begin);
        __builtin_prefetch(row(d.side->own, d.j).begin);
    });
    for (int64_t k = 0; k < count; ++k) {
        Draw& d = draws[k];
        const int64_t v = draw_end(d.side->own, d.at, d.u, d.j, d.random);
        if (v < 0) place[k] = kNone;
        else if (d.side == sides_) place[k] = uint64_t(d.u) * uint64_t(n_out_) + uint64_t(v);
        else place[k] = uint64_t(v) * uint64_t(n_out_) + uint64_t(d.u);
    }
}

}  // namespace ts
