// Counter-based random numbers: value t of a stream depends on (key, t) alone, so the same seed
// gives the same numbers whatever the thread count or the order of evaluation.
#pragma once

#include <cmath>
#include <cstdint>

namespace ts {

// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011).
struct Philox {
    uint64_t key;

    struct Block {
        uint32_t word[4];
        uint64_t u64(int i) const { return (uint64_t(word[2 * i + 1]) << 32) | word[2 * i]; }
    };

    Block operator()(uint64_t low, uint64_t high = 0) const {
        uint32_t c0 = uint32_t(low), c1 = uint32_t(low >> 32);
        uint32_t c2 = uint32_t(high), c3 = uint32_t(high >> 32);
        uint32_t k0 = uint32_t(key), k1 = uint32_t(key >> 32);
        for (int round = 0; round < 10; ++round) {
            const uint64_t p0 = uint64_t(0xD2511F53u) * c0, p1 = uint64_t(0xCD9E8D57u) * c2;
            const uint32_t n0 = uint32_t(p1 >> 32) ^ c1 ^ k0, n2 = uint32_t(p0 >> 32) ^ c3 ^ k1;
            c1 = uint32_t(p1);
            c3 = uint32_t(p0);
            c0 = n0;
            c2 = n2;
            k0 += 0x9E3779B9u;
            k1 += 0xBB67AE85u;
        }
        return {{c0, c1, c2, c3}};
    }

    // Value t of the stream, uniform on [0, bound): Lemire's multiplication with rejection, so exact.
    uint64_t below(uint64_t t, uint64_t bound) const {
        for (uint64_t attempt = 0;; ++attempt) {
            const Block block = (*this)(t, attempt);
            for (int i = 0; i < 2; ++i) {
                const unsigned __int128 product = (unsigned __int128)block.u64(i) * bound;
                // The division is rarely needed: a rejected product lies below bound.
                if (uint64_t(product) >= bound || uint64_t(product) >= (0 - bound) % bound)
                    return uint64_t(product >> 64);
            }
        }
    }
};

// Uniform on the open interval (0, 1), 53 bits; never 0 or 1.
inline double to_unit(uint64_t bits) { return (double(bits >> 11) + 0.5) * 0x1p-53; }

enum class Draw : int { uniform = 0, normal = 1 };

// The scale that weights are drawn at: the same for all or, by_fan_in, by the number of inputs of the neuron that a
// weight leads to.
struct WeightScale {
    double scale = 0;        // by_fan_in: where fan_in + added is 1
    bool by_fan_in = false;
    double added = 0;        // to the number of inputs
    double most = 1e300;     // no neuron's scale is larger

    double of(int64_t fan_in) const {
        if (!by_fan_in) return scale;
        return std::fmin(most, scale / std::sqrt(double(fan_in > 1 ? fan_in : 1) + added));
    }
};

// Values 2*block and 2*block+1 of a stream of weights: uniform on (-scale, scale), or normal with
// standard deviation `scale` (Box-Muller).
inline void draw_pair(const Philox& random, uint64_t block, Draw kind, double scale, double out[2]) {
    const Philox::Block bits = random(block);
    const double u = to_unit(bits.u64(0)), v = to_unit(bits.u64(1));
    if (kind == Draw::uniform) {
        out[0] = scale * (2 * u - 1);
        out[1] = scale * (2 * v - 1);
    } else {
        const double radius = scale * std::sqrt(-2 * std::log(u)), angle = 6.283185307179586 * v;
        out[0] = radius * std::cos(angle);
        out[1] = radius * std::sin(angle);
    }
}

}  // namespace ts
