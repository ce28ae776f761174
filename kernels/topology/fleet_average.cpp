#include "topology/fleet_average.hpp"

#include <bit>
#include <cmath>
#include <numeric>

#include "base/bfloat16.hpp"
#include "topology/agent_choice.hpp"

namespace ts {
namespace {

template <class T>
double as_sent(T value, Sent sent) {
    if (sent == Sent::bfloat16) return double(float(bf16(value)));
    return sent == Sent::float32 ? double(float(value)) : double(value);
}

// The places at which a group of agents has connections, by input, with sums over their owners.
struct Union {
    std::vector<int64_t> ptr;
    std::vector<int32_t> column;
    std::vector<double> sum, weight;
    std::vector<double> bias;  // sums over all of the group
    double bias_weight = 0;
};

template <class T>
class Averager {
  public:
    Averager(const Blocks& layer, const FleetAverageArgs<T>& args) : layer_(layer), args_(args) {
        row_sum_.resize(size_t(layer.n_out));
        row_weight_.resize(size_t(layer.n_out));
        bits_.resize(size_t(layer.n_out + 63) / 64);
    }

    void unite(const int32_t* members, int64_t count, Union& out) {
        out.ptr.assign(1, 0);
        out.column.clear();
        out.sum.clear();
        out.weight.clear();
        for (int64_t r = 0; r < layer_.n_in; ++r) {
            std::fill(bits_.begin(), bits_.end(), 0);
            for (int64_t m = 0; m < count; ++m) add_row(members[m], r);
            for (size_t w = 0; w < bits_.size(); ++w)
                for (uint64_t left = bits_[w]; left; left &= left - 1) {
                    const size_t column = w * 64 + size_t(std::countr_zero(left));
                    out.column.push_back(int32_t(column));
                    out.sum.push_back(row_sum_[column]);
                    out.weight.push_back(row_weight_[column]);
                }
            out.ptr.push_back(int64_t(out.column.size()));
        }
        if (!args_.bias) return;
        out.bias.assign(size_t(layer_.n_out), 0);
        out.bias_weight = 0;
        for (int64_t m = 0; m < count; ++m) {
            const double weight = args_.weight[members[m]];
            const T* bias = args_.bias + members[m] * layer_.n_out;
            for (int64_t c = 0; c < layer_.n_out; ++c) out.bias[size_t(c)] += weight * as_sent(bias[c], args_.sent);
            out.bias_weight += weight;
        }
    }

    void give(const Union& all, int64_t agent, FleetAverage<T>& out) {
        average(all, agent);
        if (args_.own_topology) keep_own(out.blocks);
        else keep_strongest(all, agent, out.blocks);
        if (!args_.bias) return;
        const double weight = args_.weight[agent];
        for (int64_t c = 0; c < layer_.n_out; ++c) {
            const int64_t at = agent * layer_.n_out + c;
            out.bias[at] = T(corrected(all.bias[size_t(c)], weight, args_.bias[at]) / all.bias_weight);
        }
    }

  private:
    void add_row(int64_t agent, int64_t r) {
        const int64_t row = agent * layer_.n_in + r;
        const int32_t column0 = int32_t(agent * layer_.n_out);
        const double weight = args_.weight[agent];
        for (int64_t k = layer_.ptr[row]; k < layer_.ptr[row + 1]; ++k) {
            const size_t c = size_t(layer_.index[k] - column0);
            const double value = weight * as_sent(args_.values[k], args_.sent);
            const uint64_t bit = uint64_t(1) << (c % 64);
            if (bits_[c / 64] & bit) {
                row_sum_[c] += value;
                row_weight_[c] += weight;
            } else {
                bits_[c / 64] |= bit;
                row_sum_[c] = value;
                row_weight_[c] = weight;
            }
        }
    }

    // A sum in which the agent's own value is as it is, not as it is sent.
    double corrected(double sum, double weight, T own) const {
        const double sent = as_sent(own, args_.sent), exact = double(own);
        return sent == exact ? sum : sum - weight * sent + weight * exact;
    }

    // The averages at all places, and which of the agent's own connections each is, or -1.
    void average(const Union& all, int64_t agent) {
        const int32_t column0 = int32_t(agent * layer_.n_out);
        const double weight = args_.weight[agent];
        value_.resize(all.column.size());
        own_.assign(all.column.size(), -1);
        int64_t k = layer_.start(agent);
        for (int64_t r = 0; r < layer_.n_in; ++r) {
            const int64_t end = layer_.ptr[agent * layer_.n_in + r + 1];
            for (int64_t u = all.ptr[size_t(r)]; u < all.ptr[size_t(r) + 1]; ++u) {
                const size_t at = size_t(u);
                double sum = all.sum[at];
                if (k < end && layer_.index[k] - column0 == all.column[at]) {
                    sum = corrected(sum, weight, args_.values[k]);
                    own_[at] = k++;
                }
                value_[at] = T(sum / all.weight[at]);
            }
        }
    }

    void keep_own(NewBlocks<T>& out) {
        for (size_t u = 0; u < own_.size(); ++u)
            if (own_[u] >= 0) out.arrays[0][own_[u]] = value_[u];
    }

    void keep_strongest(const Union& all, int64_t agent, NewBlocks<T>& out) {
        const int64_t size = int64_t(value_.size());
        keep_.resize(value_.size());
        keep_largest(value_.data(), size, size - layer_.count(agent), keep_.data(), prune_);
        const int32_t column0 = int32_t(agent * layer_.n_out);
        int64_t at = layer_.start(agent), grown = 0;
        for (int64_t r = 0; r < layer_.n_in; ++r) {
            for (int64_t u = all.ptr[size_t(r)]; u < all.ptr[size_t(r) + 1]; ++u) {
                if (!keep_[size_t(u)]) continue;
                const int64_t own = own_[size_t(u)];
                out.index[at] = all.column[size_t(u)] + column0;
                out.arrays[0][at] = value_[size_t(u)];
                for (size_t s = 0; s < args_.states.size(); ++s)
                    out.arrays[s + 1][at] = own < 0 ? T(0) : args_.states[s][own];
                grown += own < 0;
                ++at;
            }
            out.ptr[agent * layer_.n_in + r + 1] = at;
        }
        out.grown[agent] = grown;
        out.transpose(layer_, agent, cursor_);
    }

    const Blocks& layer_;
    const FleetAverageArgs<T>& args_;
    std::vector<double> row_sum_, row_weight_;
    std::vector<uint64_t> bits_;
    std::vector<T> value_;
    std::vector<int64_t> own_, cursor_;
    std::vector<uint8_t> keep_;
    PruneScratch<T> prune_;
};

template <class T>
bool all_finite(const T* values, int64_t count) {
    return std::all_of(values, values + count, [](T value) { return std::isfinite(value); });
}

// Marks the first agent that cannot take part.
template <class T>
void check(const Blocks& layer, const FleetAverageArgs<T>& args, NewBlocks<T>& out) {
    for (int64_t a = 0; a < layer.agents && out.failed < 0; ++a) {
        out.outside = layer.leave(a);
        const bool finite = all_finite(args.values + layer.start(a), layer.count(a)) &&
                            (!args.bias || all_finite(args.bias + a * layer.n_out, layer.n_out));
        if (out.outside || !finite) out.failed = a;
    }
}

}  // namespace

template <class T>
FleetAverage<T> fleet_average(const Blocks& layer, const FleetAverageArgs<T>& args, int threads) {
    FleetAverage<T> out;
    if (args.own_topology) out.blocks.arrays.push_back(Buffer<T>(layer.size()));
    else out.blocks = NewBlocks<T>(layer, args.states.size() + 1);
    out.bias = Buffer<T>(args.bias ? layer.columns() : 0);
    check(layer, args, out.blocks);
    if (out.blocks.failed >= 0) return out;
    const int64_t neurons = layer.rows() + layer.columns();
    if (args.group) {
        const int64_t members = args.group_ptr[layer.agents];
        const int64_t work = (layer.size() + neurons) * 32 * (1 + members / layer.agents);
        layer.in_parts(threads_for(work, threads), [&](int64_t first, int64_t last) {
            Averager<T> averager(layer, args);
            Union all;
            for (int64_t a = first; a < last; ++a) {
                averager.unite(args.group + args.group_ptr[a], args.group_ptr[a + 1] - args.group_ptr[a], all);
                averager.give(all, a, out);
            }
        });
        return out;
    }
    std::vector<int32_t> everyone(static_cast<size_t>(layer.agents));
    std::iota(everyone.begin(), everyone.end(), 0);
    Union all;
    Averager<T>(layer, args).unite(everyone.data(), layer.agents, all);
    const int64_t work = layer.agents * int64_t(all.column.size()) * 16;
    layer.in_parts(threads_for(work, threads), [&](int64_t first, int64_t last) {
        Averager<T> averager(layer, args);
        for (int64_t a = first; a < last; ++a) averager.give(all, a, out);
    });
    return out;
}
template FleetAverage<float> fleet_average(const Blocks&, const FleetAverageArgs<float>&, int);
template FleetAverage<double> fleet_average(const Blocks&, const FleetAverageArgs<double>&, int);

}  // namespace ts
