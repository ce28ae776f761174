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
    const Philox& random_;
    uint64_t t_, attempt_ = 0;
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

}  // namespace

int64_t PathSampler::Lookup::find(uint64_t number) const {
    const int64_t cells = begin.size();
    int64_t at = begin[int64_t((unsigned __int128)number * uint64_t(cells) / uint64_t(before[cells]))];
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

uint64_t PathSampler::draw(uint64_t t) const {
    Numbers random(random_, t);
    uint64_t number = random.below(total_);
    const bool from_input = number < sides_[0].total;
    const Side& side = sides_[from_input ? 0 : 1];
    if (!from_input) number -= sides_[0].total;
    const int64_t z = side.pairs.find(number);
    const Row ends = row(side.other, z);
    const int64_t pair = int64_t(number) - side.pairs.before[z], others = ends.size() - 1;
    const int64_t first = pair / others, second = pair % others;
    const int64_t u = ends.begin[first], j = ends.begin[second + (second >= first)];
    const Row of_u = row(side.own, u), of_j = row(side.own, j);
    if ((random.next() >> 63) && first_shared(of_u, of_j) != z) return kNone;
    const int64_t v = draw_lacking(of_j, of_u, random);
    if (v < 0) return kNone;
    return from_input ? uint64_t(u) * uint64_t(n_out_) + uint64_t(v) : uint64_t(v) * uint64_t(n_out_) + uint64_t(u);
}

}  // namespace ts
