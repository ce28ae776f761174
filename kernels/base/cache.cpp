#include "base/cache.hpp"

#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#endif

namespace ts {

int64_t near_bytes() {
    static const int64_t bytes = [] {
        int64_t second_level = 0;
#if defined(_SC_LEVEL2_CACHE_SIZE)
        second_level = sysconf(_SC_LEVEL2_CACHE_SIZE);  // 0 or -1 where the system does not report it
#endif
        return (second_level > 0 ? second_level : int64_t(1) << 20) / 4 * 3;
    }();
    return bytes;
}

}  // namespace ts
