#include "topology/fleet_evolve.hpp"

#include <mutex>

#include "base/threads.hpp"
#include "topology/agent_choice.hpp"
#include "topology/median.hpp"

namespace ts {
namespace {

// What one thread needs for one agent after the other.
template <class T>
struct Scratch {
    PruneScratch<T> prune;
    std::vector<typename Candidate<T, uint32_t>::Key> few;
    std::vector<typename Candidate<T, uint64_t>::Key> many;
    std::vector<uint8_t> keep;
    std::vector<uint64_t> bits;
    std::vector<int64_t> places;     // to grow at, of those that are empty or of all
    std::vector<int64_t> grown_ptr;  // connections that grow, by input
    std::vector<int32_t> grown;
    std::vector<int64_t> fan_in;
    std::vector<T> fresh;
    std::vector<int64_t> cursor;
};

template <class T>
class AgentEvolution {
  public:
    AgentEvolution(const Blocks& layer, const FleetRule<T>& rule, const std::vector<FleetArray<T>>& arrays,
                   NewBlocks<T>& out)
        : layer_(layer), rule_(rule), arrays_(arrays), out_(out) {
        s_.grown_ptr.assign(size_t(layer.n_in) + 1, 0);
    }

    bool outside() const { return outside_; }

    // False where it fails.
    bool run(int64_t agent) {
        agent_ = agent;
        row0_ = agent * layer_.n_in;
        column0_ = int32_t(agent * layer_.n_out);
        base_ = layer_.start(agent);
        count_ = layer_.count(agent);
        if ((outside_ = layer_.leave(agent))) return false;
        const int64_t removed = prune();
        if (!(rule_.grow_keys ? grow_at_random(removed) : grow_by_gradient(removed))) return false;
        if (!rule_.fresh_keys) keep_chosen_again();
        out_.grown[agent] = int64_t(s_.grown.size());
        draw_fresh();
        merge();
        out_.transpose(layer_, agent, s_.cursor);
        return true;
    }

  private:
    int32_t column(int64_t k) const { return layer_.index[k] - column0_; }
    bool kept(int64_t k) const { return s_.keep[size_t(k - base_)] != 0; }

    int64_t prune() {
        s_.keep.resize(size_t(count_));
        const T* weight = arrays_[0].values + base_;
        if (rule_.prune == FleetPrune::sign_magnitude)
            return keep_signs(weight, count_, rule_.fraction, s_.keep.data(), s_.prune);
        const int64_t removed = int64_t(rule_.fraction * double(count_));
        keep_largest(weight, count_, removed, s_.keep.data(), s_.prune);
        return removed;
    }

    // Empty places are numbered row by row, as in sample_empty.
    bool grow_at_random(int64_t count) {
        const int64_t empty = layer_.n_in * layer_.n_out - count_ + count;
        draw_distinct(count, empty, rule_.grow_keys[agent_], s_.bits, s_.places);
        s_.grown.clear();
        int64_t before = 0;  // empty places of the rows before
        size_t at = 0;
        for (int64_t r = 0; r < layer_.n_in; ++r) {
            const int64_t end = layer_.ptr[row0_ + r + 1];
            int64_t k = layer_.ptr[row0_ + r], shift = 0, room = layer_.n_out;
            for (int64_t j = k; j < end; ++j) room -= kept(j);
            for (; at < s_.places.size() && s_.places[at] - before < room; ++at) {
                const int64_t place = s_.places[at] - before;
                for (; k < end; ++k) {
                    if (!kept(k)) continue;
                    if (column(k) > place + shift) break;
                    ++shift;
                }
                s_.grown.push_back(int32_t(place + shift));
            }
            before += room;
            s_.grown_ptr[size_t(r) + 1] = int64_t(at);
        }
        return true;
    }

    bool grow_by_gradient(int64_t count) {
        const auto& g = rule_.gradient;
        const auto taken = [&](int64_t row, int64_t column0, int64_t width, T* scores) {
            const int32_t* begin = layer_.index + layer_.ptr[row0_ + row];
            const int32_t* end = layer_.index + layer_.ptr[row0_ + row + 1];
            const int32_t* at = column0 ? std::lower_bound(begin, end, int32_t(column0_ + column0)) : begin;
            for (; at != end && *at - column0_ < column0 + width; ++at)
                if (kept(at - layer_.index)) scores[*at - column0_ - column0] = std::numeric_limits<T>::quiet_NaN();
        };
        const T* x = g.x + row0_ * g.stride;
        const T* dy = g.dy + int64_t(column0_) * g.stride;
        if (layer_.n_in * layer_.n_out <= int64_t(1) << 32)
            largest_gradients<T, uint32_t>(x, dy, g.stride, layer_.n_in, layer_.n_out, count, s_.few, s_.places, taken);
        else
            largest_gradients<T, uint64_t>(x, dy, g.stride, layer_.n_in, layer_.n_out, count, s_.many, s_.places,
                                           taken);
        s_.grown.clear();
        size_t at = 0;
        for (int64_t r = 0; r < layer_.n_in; ++r) {
            for (; at < s_.places.size() && s_.places[at] < (r + 1) * layer_.n_out; ++at)
                s_.grown.push_back(int32_t(s_.places[at] - r * layer_.n_out));
            s_.grown_ptr[size_t(r) + 1] = int64_t(at);
        }
        return int64_t(s_.places.size()) == count;
    }

    // Connections that were removed and chosen to grow again remain instead.
    void keep_chosen_again() {
        int64_t at = 0, g = 0;
        for (int64_t r = 0; r < layer_.n_in; ++r) {
            int64_t k = layer_.ptr[row0_ + r];
            const int64_t k_end = layer_.ptr[row0_ + r + 1], g_end = s_.grown_ptr[size_t(r) + 1];
            for (; g < g_end; ++g) {
                const int32_t chosen = s_.grown[size_t(g)];
                while (k < k_end && column(k) < chosen) ++k;
                if (k < k_end && column(k) == chosen) s_.keep[size_t(k - base_)] = 1;
                else s_.grown[size_t(at++)] = chosen;
            }
            s_.grown_ptr[size_t(r) + 1] = at;
        }
        s_.grown.resize(size_t(at));
    }

    void draw_fresh() {
        s_.fresh.assign(s_.grown.size(), T(0));
        if (!rule_.fresh_keys || s_.grown.empty()) return;
        WeightScale scale = rule_.scale;
        if (rule_.added) scale.added = rule_.added[agent_];
        if (scale.by_fan_in) {  // once the change is applied
            s_.fan_in.assign(size_t(layer_.n_out), 0);
            for (int64_t k = base_; k < base_ + count_; ++k) s_.fan_in[size_t(column(k))] += kept(k);
            for (const int32_t output : s_.grown) ++s_.fan_in[size_t(output)];
        }
        WeightStream stream(rule_.draw, rule_.fresh_keys[agent_]);
        for (size_t g = 0; g < s_.grown.size(); ++g)
            s_.fresh[g] = T(stream.at(int64_t(g)) * scale.of(scale.by_fan_in ? s_.fan_in[size_t(s_.grown[g])] : 0));
    }

    // What new connections get in an array of state.
    T fill_of(const FleetArray<T>& array) {
        if (!array.median || s_.grown.empty()) return T(0);
        double median = 0;
        numbered_anew([&] { median = kept_median(array.values + base_, s_.keep.data(), count_, 1); });
        return T(median);
    }

    // What remains and what grows, in order; as many as before.
    void merge() {
        const size_t n_arrays = arrays_.size();
        T fill[3];
        for (size_t a = 0; a < n_arrays; ++a) fill[a] = fill_of(arrays_[a]);
        int64_t at = base_, g = 0;
        const auto take_grown = [&] {
            out_.index[at] = s_.grown[size_t(g)] + column0_;
            out_.arrays[0][at] = s_.fresh[size_t(g)];
            for (size_t a = 1; a < n_arrays; ++a) out_.arrays[a][at] = fill[a];
            ++at;
            ++g;
        };
        for (int64_t r = 0; r < layer_.n_in; ++r) {
            const int64_t g_end = s_.grown_ptr[size_t(r) + 1];
            for (int64_t k = layer_.ptr[row0_ + r]; k < layer_.ptr[row0_ + r + 1]; ++k) {
                if (!kept(k)) continue;
                while (g < g_end && s_.grown[size_t(g)] < column(k)) take_grown();
                out_.index[at] = layer_.index[k];
                for (size_t a = 0; a < n_arrays; ++a) out_.arrays[a][at] = arrays_[a].values[k];
                ++at;
            }
            while (g < g_end) take_grown();
            out_.ptr[row0_ + r + 1] = at;
        }
    }

    const Blocks& layer_;
    const FleetRule<T>& rule_;
    const std::vector<FleetArray<T>>& arrays_;
    NewBlocks<T>& out_;
    Scratch<T> s_;
    int64_t agent_ = 0, row0_ = 0, base_ = 0, count_ = 0;
    int32_t column0_ = 0;
    bool outside_ = false;
};

}  // namespace

template <class T>
NewBlocks<T> fleet_evolve(const Blocks& layer, const FleetRule<T>& rule, const std::vector<FleetArray<T>>& arrays,
                          int threads) {
    NewBlocks<T> out(layer, arrays.size());
    int64_t work = (layer.size() + layer.rows() + layer.columns()) * 32;
    if (!rule.grow_keys) work += layer.rows() * layer.n_out * rule.gradient.stride;
    std::mutex lock;
    layer.in_parts(threads_for(work, threads), [&](int64_t first, int64_t last) {
        AgentEvolution<T> evolution(layer, rule, arrays, out);
        for (int64_t agent = first; agent < last; ++agent) {
            if (evolution.run(agent)) continue;
            const std::lock_guard guard(lock);
            if (out.failed < 0 || agent < out.failed) {
                out.failed = agent;
                out.outside = evolution.outside();
            }
            return;
        }
    });
    return out;
}
template NewBlocks<float> fleet_evolve(const Blocks&, const FleetRule<float>&, const std::vector<FleetArray<float>>&,
                                       int);
template NewBlocks<double> fleet_evolve(const Blocks&, const FleetRule<double>&, const std::vector<FleetArray<double>>&,
                                        int);

}  // namespace ts
