// The readers-writer lock for Python.
#include "base/shared_lock.hpp"
#include "bindings/bindings.hpp"

namespace ts {

void bind_locks(nb::module_& m) {
    // The interpreter lock is given up only where there is something to wait for.
    nb::class_<SharedLock>(m, "SharedLock")
        .def(nb::init<>())
        .def("acquire_shared",
             [](SharedLock& lock) {
                 if (lock.try_lock_shared()) return;
                 nb::gil_scoped_release free_lock;
                 lock.lock_shared();
             })
        .def("release_shared",
             [](SharedLock& lock) {
                 require(lock.held_shared(), "the lock is not held");
                 lock.unlock_shared();
             })
        .def("acquire",
             [](SharedLock& lock) {
                 if (lock.try_lock()) return;
                 nb::gil_scoped_release free_lock;
                 lock.lock();
             })
        .def("try_acquire", &SharedLock::try_lock)
        .def("release", [](SharedLock& lock) {
            require(lock.held(), "the lock is not held");
            lock.unlock();
        });
}

}  // namespace ts
