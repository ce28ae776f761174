// The best of many candidates that several threads find, in memory linear in how many are wanted.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

namespace ts {

// Candidate: has `score`, at least 0, and `place`; the better one is the lesser. No two are equal, so the best `count`
// are the same set in whatever order they are offered.
template <class Candidate>
class Best {
    using Score = decltype(Candidate::score);

  public:
    explicit Best(int64_t count) : count_(count), room_(count + std::max<int64_t>(count / 2, 1 << 14)) {
        held_.reserve(size_t(room_));
    }
    // Nothing below this can be among the best.
    Score floor() const { return floor_.load(std::memory_order_relaxed); }
    void offer(const std::vector<Candidate>& some) {
        const std::lock_guard guard(lock_);
        for (const Candidate& one : some) {
            held_.push_back(one);
            if (int64_t(held_.size()) == room_) cut();
        }
    }
    // Sorted by place.
    const std::vector<Candidate>& take() {
        if (int64_t(held_.size()) > count_) cut();
        std::sort(held_.begin(), held_.end(), [](const auto& a, const auto& b) { return a.place < b.place; });
        return held_;
    }

  private:
    void cut() {
        std::nth_element(held_.begin(), held_.begin() + (count_ - 1), held_.end());
        held_.resize(size_t(count_));
        floor_.store(held_.back().score, std::memory_order_relaxed);
    }
    int64_t count_, room_;
    std::vector<Candidate> held_;
    std::atomic<Score> floor_{0};
    std::mutex lock_;
};

}  // namespace ts
