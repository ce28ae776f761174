// Many readers or one writer. A waiting writer has priority over readers that come later, so it waits only for the
// current readers.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace ts {

class SharedLock {
  public:
    bool try_lock_shared() {
        std::lock_guard<std::mutex> hold(mutex_);
        if (writing_ || waiting_ > 0) return false;
        ++readers_;
        return true;
    }
    void lock_shared() {
        std::unique_lock<std::mutex> hold(mutex_);
        changed_.wait(hold, [&] { return !writing_ && waiting_ == 0; });
        ++readers_;
    }
    void unlock_shared() {
        std::lock_guard<std::mutex> hold(mutex_);
        if (--readers_ == 0) changed_.notify_all();
    }
    bool try_lock() {
        std::lock_guard<std::mutex> hold(mutex_);
        if (writing_ || readers_ > 0) return false;
        writing_ = true;
        return true;
    }
    void lock() {
        std::unique_lock<std::mutex> hold(mutex_);
        ++waiting_;
        changed_.wait(hold, [&] { return !writing_ && readers_ == 0; });
        --waiting_;
        writing_ = true;
    }
    void unlock() {
        std::lock_guard<std::mutex> hold(mutex_);
        writing_ = false;
        changed_.notify_all();
    }
    // Whether Python may release it: false where it is not held.
    bool held_shared() {
        std::lock_guard<std::mutex> hold(mutex_);
        return readers_ > 0;
    }
    bool held() {
        std::lock_guard<std::mutex> hold(mutex_);
        return writing_;
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    int64_t readers_ = 0, waiting_ = 0;
    bool writing_ = false;
};

}  // namespace ts
