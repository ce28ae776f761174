// Random empty places at the ends of paths of length three, in proportion to their CH2-L3n scores.
#pragma once

#include <cstdint>

#include "base/buffer.hpp"
#include "base/random.hpp"
#include "base/views.hpp"

namespace ts {

// Connections seen from both sides.
struct BothSides {
    Connections by_input, by_output;
};

// The score of an empty place (u, v), u an input and v an output:
//     sum over inputs j of v that share P > 0 outputs with u:  (P + 1) / (degree of j - P)
//   + sum over outputs j of u that share P > 0 inputs with v:  (P + 1) / (degree of j - P).
// A term of the first sum belongs to P paths u - z - j - v; degree of j - P is the number of outputs that j has and u
// has not. So a score is the probability, but for a constant, that this draw ends at (u, v): a side and z by the number
// of ordered pairs (u, j) of z's neighbours, hence (u, j) in proportion to P; (u, j) is dropped with probability 1/2 -
// 1/(2 P), that is by the toss of a coin unless z is the first that u and j share; v is any output that j has and u has
// not. No P is computed, and no sum over paths.
class PathSampler {
  public:
    PathSampler(const BothSides& sides, int64_t n_out, uint64_t key);

    static constexpr uint64_t kNone = ~uint64_t(0);
    static constexpr int64_t kGroup = 32;
    // Draws number `begin` and the `count` - 1, at most kGroup - 1, after it: u * n_out + v, or kNone where one is
    // dropped.
    void draw(uint64_t begin, int64_t count, uint64_t* place) const;
    // Whether there is any path.
    bool any() const { return total_ > 0; }

  private:
    // Finds which of a list of counts a number below their sum belongs to: a table of as many cells says where to
    // begin, so that the search takes two steps on average.
    struct Lookup {
        Buffer<int64_t> before;  // sum of the counts before each
        Buffer<int32_t> begin;  // per cell
        int64_t cell(uint64_t number) const;
        int64_t find(uint64_t number, int64_t begin) const;
    };
    struct Side {
        Connections own, other;  // rows of u and j, rows of z
        Lookup pairs;
        uint64_t total = 0;
    };
    static Side side(const Connections& own, const Connections& other);

    Side sides_[2];
    uint64_t total_ = 0;
    int64_t n_out_;
    Philox random_;
};

}  // namespace ts
