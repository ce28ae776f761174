#include "topology/choose.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include "isa/dispatch.hpp"
#include "topology/prune.hpp"

namespace ts {
namespace {

constexpr double kSlack = 1.1;  // by which the threshold may differ from that of the update before

template <class C>
MagnitudeBits<C> bits_of(C magnitude) {
    MagnitudeBits<C> bits;
    std::memcpy(&bits, &magnitude, sizeof(bits));
    return bits;
}

// Mixed magnitudes of a chunk that decide, and where they lie: t's up to some bound, and of those that s alone has the
// ones from some bound on.
template <class C>
struct Candidates {
    std::vector<C> of_t, of_s;
    std::vector<uint32_t> t_place, s_place;
};

// A chunk's events, and how many connections of either set come before each.
struct Steps {
    const uint32_t* event;
    int64_t count;
    const uint32_t *first, *second;

    Steps(const WalkKernels& walk, const EventList& list, uint32_t* of_first, uint32_t* of_second)
        : event(list.event), count(list.count), first(of_first), second(of_second) {
        walk.starts(event, count, of_first, of_second);
    }

    // The event at or after `from` in which a set (first or second) has its connection number `place`.
    int64_t find(const uint32_t* set, uint32_t place, int64_t from) const {
        int64_t step = 1;
        while (from + step < count && set[from + step] <= place) {
            from += step;
            step *= 2;
        }
        return std::upper_bound(set + from, set + std::min(from + step, count), place) - set - 1;
    }
};

template <class S>
class Chooser {
    using C = Computed<S>;
    using Bits = MagnitudeBits<C>;

  public:
    Chooser(const Mixed<S>& mixed, int threads)
        : m_(mixed), d_(mixed.difference), threads_(threads_of(mixed, threads)), kernels_(mixing_kernels<S>()),
          walk_(walk_kernels()), found_(size_t(d_.chunks())) {}

    Choice run(double expected) {
        const Smallest cut = find_cut(expected);
        Choice choice = apply(Bits(cut.threshold), cut.ties);
        C threshold;
        const auto bits = Bits(cut.threshold);
        std::memcpy(&threshold, &bits, sizeof(threshold));
        choice.threshold = double(threshold);
        return choice;
    }

  private:
    static constexpr Bits kMost = std::numeric_limits<Bits>::max();

    // The union exceeds s by what t alone has: so many go.
    Smallest find_cut(double expected) {
        const int64_t rank = d_.first_only;
        Smallest cut;
        if (expected >= 0 && cut_between(bits_of(C(expected / kSlack)), bits_of(C(expected * kSlack)), rank, cut))
            return cut;
        // What one side alone has are at least so many, which bounds the smallest of all.
        if (!cut_between(0, rank > 0 ? bound_of_differing(rank) : 0, rank, cut)) cut_between(0, kMost, rank, cut);
        return cut;
    }

    // The `rank` smallest, where all that lie below `least` are among them and none above `most`; else false.
    bool cut_between(Bits least, Bits most, int64_t rank, Smallest& cut) {
        const int64_t room = largest_chunk(m_) + most_events(d_);
        Scratch<S> aligned(largest_chunk(m_), threads_);
        Scratch<C> magnitude(room, threads_);
        Scratch<uint32_t> place(room, threads_);
        std::vector<std::vector<C>> between(found_.size());
        std::vector<int64_t> below(found_.size(), 0);
        parallel_for(d_.chunks(), threads_, [&](int64_t c) {
            const MixedChunk<S> chunk = chunk_of(m_, c);
            Candidates<C>& f = found_[c];
            C* values = magnitude.mine();
            uint32_t* places = place.mine();
            kernels_.align(chunk, aligned.mine());
            const int64_t of_t =
                kernels_.smallest(chunk.t, aligned.mine(), t_size(m_, c), m_.tau, most, values, places);
            f.of_t.assign(values, values + of_t);
            f.t_place.assign(places, places + of_t);
            const int64_t alone = walk_.places(chunk.event, chunk.events, kSecondOnly, places);
            kernels_.alone(chunk.s, places, alone, false, m_.tau, values);
            int64_t of_s = 0;
            for (int64_t k = 0; k < alone; ++k) {
                values[of_s] = values[k];
                places[of_s] = places[k];
                of_s += bits_of(values[of_s]) >= least;
            }
            f.of_s.assign(values, values + of_s);
            f.s_place.assign(places, places + of_s);
            below[c] = alone - of_s;
            int64_t n = 0;
            for (const C value : f.of_s) {
                values[n] = value;
                n += bits_of(value) <= most;
            }
            for (const C value : f.of_t) {
                values[n] = value;
                const bool is_below = bits_of(value) < least;
                n += !is_below;
                below[c] += is_below;
            }
            between[c].assign(values, values + n);
        });
        std::vector<Marked<C>> parts;
        int64_t inside = 0;
        for (size_t c = 0; c < found_.size(); ++c) {
            parts.push_back({between[c].data(), nullptr, int64_t(between[c].size())});
            inside += parts.back().count;
            rank -= below[c];
        }
        if (rank < 0 || rank > inside) return false;
        cut = rank > 0 ? smallest_magnitudes(parts, rank, threads_) : Smallest{uint64_t(least), 0};
        return true;
    }

    Bits bound_of_differing(int64_t rank) {
        std::vector<std::vector<C>> all(found_.size());
        const int64_t room = most_events(d_);
        Scratch<C> magnitude(room, threads_);
        Scratch<uint32_t> place(room, threads_);
        parallel_for(d_.chunks(), threads_, [&](int64_t c) {
            const MixedChunk<S> chunk = chunk_of(m_, c);
            C* values = magnitude.mine();
            uint32_t* places = place.mine();
            const int64_t first = walk_.places(chunk.event, chunk.events, kFirstOnly, places);
            kernels_.alone(chunk.t, places, first, true, m_.tau, values);
            const int64_t second = walk_.places(chunk.event, chunk.events, kSecondOnly, places);
            kernels_.alone(chunk.s, places, second, false, m_.tau, values + first);
            all[c].assign(values, values + first + second);
        });
        std::vector<Marked<C>> parts;
        for (const auto& part : all) parts.push_back({part.data(), nullptr, int64_t(part.size())});
        return Bits(smallest_magnitudes(parts, rank, threads_).threshold);
    }

    Choice apply(Bits threshold, int64_t n_ties) {
        const int64_t chunks = d_.chunks();
        std::vector<int64_t> ties(size_t(chunks + 1), 0);  // at the threshold, in the chunks before
        Choice choice;
        choice.chunks.resize(size_t(chunks));
        parallel_for(chunks, threads_, [&](int64_t c) {
            for (const auto* some : {&found_[c].of_t, &found_[c].of_s})
                for (const C value : *some) ties[c + 1] += bits_of(value) == threshold;
        });
        for (int64_t c = 0; c < chunks; ++c) ties[c + 1] += ties[c];
        parallel_for(chunks, threads_, [&](int64_t c) {
            const Candidates<C>& f = found_[c];
            const int64_t here = ties[c + 1] - ties[c], go = std::clamp<int64_t>(n_ties - ties[c], 0, here);
            const auto [t_ties, s_ties] = go == 0 || go == here ? std::pair(go, go) : split_ties(c, threshold, go);
            Choice::Chunk& chosen = choice.chunks[c];
            filter(f.of_t, f.t_place, threshold, t_ties, true, chosen.removed);
            filter(f.of_s, f.s_place, threshold, s_ties, false, chosen.from);
        });
        for (const Choice::Chunk& chunk : choice.chunks) {
            choice.removed += int64_t(chunk.removed.size());
            choice.added += int64_t(chunk.from.size());
        }
        if (choice.changes()) follow(choice);
        return choice;
    }

    // Those whose magnitudes lie below the threshold or are one of the first `ties` at it (below: true), or the others.
    static void filter(const std::vector<C>& magnitude, const std::vector<uint32_t>& number, Bits threshold,
                       int64_t ties, bool below, std::vector<uint32_t>& out) {
        out.resize(magnitude.size());
        size_t found = 0;
        for (size_t k = 0; k < magnitude.size(); ++k) {
            const Bits bits = bits_of(magnitude[k]);
            const bool tie = bits == threshold;
            out[found] = number[k];
            found += ((bits < threshold) | (tie & (ties > 0))) == below;
            ties -= tie;
        }
        out.resize(found);
    }

    // How many of t's and of s's ties are among the first `count` of a chunk.
    std::pair<int64_t, int64_t> split_ties(int64_t c, Bits threshold, int64_t count) {
        const Candidates<C>& f = found_[c];
        std::vector<uint32_t> of_t, of_s;
        for (size_t k = 0; k < f.of_t.size(); ++k)
            if (bits_of(f.of_t[k]) == threshold) of_t.push_back(f.t_place[k]);
        for (size_t k = 0; k < f.of_s.size(); ++k)
            if (bits_of(f.of_s[k]) == threshold) of_s.push_back(f.s_place[k]);
        std::vector<uint32_t> first(size_t(most_events(d_))), second(first.size());
        const EventList list{d_.event.data() + d_.start[c], d_.start[c + 1] - d_.start[c]};
        const std::vector<uint32_t> before = places_in_t(Steps(walk_, list, first.data(), second.data()), of_s);
        int64_t k = 0, x = 0;
        while (k + x < count) {
            if (x == int64_t(before.size()) || (k < int64_t(of_t.size()) && of_t[k] < before[x])) ++k;
            else ++x;
        }
        return {k, x};
    }

    // Before which of t's connections some come that s alone has.
    std::vector<uint32_t> places_in_t(const Steps& steps, const std::vector<uint32_t>& s_places) {
        std::vector<uint32_t> at;
        at.reserve(s_places.size());
        int64_t e = 0;
        for (const uint32_t place : s_places) {
            e = steps.find(steps.second, place, e);
            at.push_back(steps.first[e] + (steps.event[e] >> 2));
        }
        return at;
    }

    // Where the added ones are, and how the result differs from s.
    void follow(Choice& choice) {
        const int64_t chunks = d_.chunks(), room = most_events(d_);
        Scratch<uint32_t> first(room, threads_), second(room, threads_);
        std::vector<std::vector<uint32_t>> events(static_cast<size_t>(chunks));
        std::vector<EventList> lists(static_cast<size_t>(chunks));
        parallel_for(chunks, threads_, [&](int64_t c) {
            Choice::Chunk& chosen = choice.chunks[c];
            const int64_t count = d_.start[c + 1] - d_.start[c];
            lists[c] = {d_.event.data() + d_.start[c], count};
            if (chosen.removed.empty() && chosen.from.empty()) return;
            const Steps steps(walk_, lists[c], first.mine(), second.mine());
            chosen.at = places_in_t(steps, chosen.from);
            events[c] = remaining_events(steps, chosen);
            lists[c] = {events[c].data(), int64_t(events[c].size())};
        });
        choice.difference = std::make_shared<Difference>();
        Difference& next = *choice.difference;
        next.row = d_.row;
        next.first_size = d_.first_size - choice.removed + choice.added;
        next.second_size = d_.second_size;
        join_events(next, lists, threads_);
    }

    // The events of the result and s: those of t and s but where something is removed or added.
    std::vector<uint32_t> remaining_events(const Steps& steps, const Choice::Chunk& chosen) {
        std::vector<uint32_t> events;
        events.reserve(size_t(steps.count) + 2 * chosen.removed.size() + 1);
        const auto &removed = chosen.removed, &added = chosen.from;
        int64_t run = 0, e = 0;
        size_t k = 0, x = 0;
        const auto put = [&](Event what) {
            append_event(events, run, what);
            run = 0;
        };
        while (k < removed.size() || x < added.size()) {
            const int64_t next = std::min(k < removed.size() ? steps.find(steps.first, removed[k], e) : steps.count,
                                          x < added.size() ? steps.find(steps.second, added[x], e) : steps.count);
            if (e < next) {
                run += steps.event[e] >> 2;
                put(Event(steps.event[e] & 3));
                events.insert(events.end(), steps.event + e + 1, steps.event + next);
                e = next;
            }
            uint32_t t = steps.first[e], length = steps.event[e] >> 2;
            const uint32_t what = steps.event[e] & 3;
            for (; k < removed.size() && removed[k] < t + length; ++k) {
                run += removed[k] - t;
                length -= removed[k] - t + 1;
                t = removed[k] + 1;
                put(kSecondOnly);
            }
            run += length;
            if (what == kFirstOnly) {
                if (k < removed.size() && removed[k] == t + length) ++k;
                else put(kFirstOnly);
            } else if (what == kSecondOnly) {
                if (x < added.size() && added[x] == steps.second[e + 1] - 1) ++x, ++run;
                else put(kSecondOnly);
            }
            ++e;
        }
        if (e < steps.count) {
            run += steps.event[e] >> 2;
            put(Event(steps.event[e] & 3));
            events.insert(events.end(), steps.event + e + 1, steps.event + steps.count);
        }
        put(kRunOnly);
        return events;
    }

    const Mixed<S>& m_;
    const Difference& d_;
    int threads_;
    const MixingKernels<S>& kernels_;
    const WalkKernels& walk_;
    std::vector<Candidates<C>> found_;
};

}  // namespace

template <class S>
Choice choose(const Mixed<S>& mixed, double expected, int threads) {
    return Chooser<S>(mixed, threads).run(expected);
}

template Choice choose(const Mixed<bf16>&, double, int);
template Choice choose(const Mixed<float>&, double, int);
template Choice choose(const Mixed<double>&, double, int);

}  // namespace ts
