// Owned memory for arrays that grow with connections: cache-line aligned, on huge pages where the
// system offers them (random access to millions of rows is bound by address translation otherwise).
#pragma once

#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace ts {

template <class T>
class Buffer {
  public:
    Buffer() = default;
    explicit Buffer(int64_t size) : size_(size) {
        // From a quarter of a huge page on, fewer address translations are worth the unused memory.
        const size_t bytes = size_t(size > 0 ? size : 1) * sizeof(T);
        const size_t alignment = bytes >= kHuge / 4 ? kHuge : 64;
        const size_t rounded = (bytes + alignment - 1) / alignment * alignment;
        data_ = static_cast<T*>(std::aligned_alloc(alignment, rounded));
        if (!data_) throw std::bad_alloc();
#if defined(__linux__) && defined(MADV_HUGEPAGE)
        if (alignment == kHuge) madvise(data_, rounded, MADV_HUGEPAGE);
#endif
    }
    Buffer(Buffer&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    Buffer& operator=(Buffer&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        return *this;
    }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    ~Buffer() { std::free(data_); }

    T* data() { return data_; }
    const T* data() const { return data_; }
    int64_t size() const { return size_; }
    T& operator[](int64_t i) { return data_[i]; }
    const T& operator[](int64_t i) const { return data_[i]; }
    T* release() {
        size_ = 0;
        return std::exchange(data_, nullptr);
    }
    // Shrinks the reported size; the memory stays allocated.
    void truncate(int64_t size) { size_ = size; }

  private:
    static constexpr size_t kHuge = size_t(1) << 21;
    T* data_ = nullptr;
    int64_t size_ = 0;
};

}  // namespace ts
