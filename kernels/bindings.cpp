// The door to Python for losses, batches and frozen networks. Checks shapes, releases the interpreter lock, calls the
// kernels.
#include "bindings.hpp"

#include <algorithm>
#include <atomic>

#include "batch.hpp"
#include "connectivity.hpp"
#include "dispatch.hpp"
#include "frozen.hpp"
#include "shared_lock.hpp"
#include "threads.hpp"

namespace ts {
namespace {

template <class T>
void bind_losses(nb::module_& m) {
    m.def("loss_and_gradient",
          [](int kind, Rows<T> z, int64_t batch, Maybe<Array<const int32_t>> label, Maybe<Rows<const T>> target,
             Array<const T> sample_weight, int threads) {
              LossArgs<T> a;
              a.kind = Loss(kind);
              a.outputs = int64_t(z.shape(0));
              a.stride = int64_t(z.shape(1));
              a.batch = batch;
              require(batch <= a.stride && sample_weight.shape(0) == z.shape(1), "one weight a column");
              if (a.kind == Loss::softmax_cross_entropy) {
                  require(label && int64_t(label->shape(0)) >= batch, "one label a sample");
                  for (int64_t b = 0; b < batch; ++b)
                      require(label->data()[b] >= 0 && label->data()[b] < a.outputs, "a label is out of range");
              } else {
                  require(target && target->shape(0) == z.shape(0) && target->shape(1) == z.shape(1), "targets are outputs x stride");
              }
              a.z = z.data();
              a.label = pointer(label);
              a.target = target ? target->data() : nullptr;
              a.sample_weight = sample_weight.data();
              nb::gil_scoped_release free_lock;
              return loss_and_gradient(a, threads);
          },
          nb::arg("kind"), nb::arg("z").noconvert(), nb::arg("batch"), nb::arg("label").noconvert().none(),
          nb::arg("target").noconvert().none(), nb::arg("sample_weight").noconvert(), nb::arg("threads"));
    m.def("softmax", [](Rows<T> z, int threads) {
        nb::gil_scoped_release free_lock;
        softmax(z.data(), int64_t(z.shape(0)), int64_t(z.shape(1)), threads);
    }, nb::arg("z").noconvert(), nb::arg("threads"));
    m.def("sigmoid", [](Rows<T> z, int threads) {
        nb::gil_scoped_release free_lock;
        sigmoid(z.data(), int64_t(z.size()), threads);
    }, nb::arg("z").noconvert(), nb::arg("threads"));
}

using AnyMatrix = nb::ndarray<nb::ro, nb::ndim<2>, nb::device::cpu>;

// Calls body with a pointer of the matrix's own type; false where the type is not one of ours.
template <class Body>
bool by_type(const AnyMatrix& x, Body&& body) {
    const nb::dlpack::dtype type = x.dtype();
    const auto is = [&]<class S>(S*) { return type == nb::dtype<S>() ? (body(static_cast<const S*>(x.data())), true) : false; };
    return is((float*)nullptr) || is((double*)nullptr) || is((uint8_t*)nullptr) || is((int8_t*)nullptr) ||
           is((uint16_t*)nullptr) || is((int16_t*)nullptr) || is((int32_t*)nullptr) || is((uint32_t*)nullptr) ||
           is((int64_t*)nullptr) || is((uint64_t*)nullptr);
}

template <class T>
void bind_batch(nb::module_& m) {
    m.def("load_dense",
          [](AnyMatrix x, Array<const int64_t> rows, Maybe<Array<const double>> shift, Maybe<Array<const double>> factor,
             Rows<T> out, int threads) {
              const int64_t features = int64_t(x.shape(1)), batch = int64_t(rows.shape(0)), stride = int64_t(out.shape(1));
              require(out.shape(0) == x.shape(1) && batch <= stride, "out is features x stride");
              require(!shift || (int64_t(shift->shape(0)) == features && factor && int64_t(factor->shape(0)) == features),
                      "one shift and factor a feature");
              for (int64_t b = 0; b < batch; ++b)
                  require(rows.data()[b] >= 0 && rows.data()[b] < int64_t(x.shape(0)), "a row number is out of range");
              int64_t bad = -1;
              bool known;
              {
                  nb::gil_scoped_release free_lock;
                  known = by_type(x, [&](auto* data) {
                      bad = load_dense(data, x.stride(0), x.stride(1), rows.data(), batch, features, pointer(shift),
                                       pointer(factor), out.data(), stride, threads);
                  });
              }
              require(known, "no loader for this data type");
              return bad;
          },
          nb::arg("x"), nb::arg("rows").noconvert(), nb::arg("shift").noconvert().none(), nb::arg("factor").noconvert().none(),
          nb::arg("out").noconvert(), nb::arg("threads"));
    m.def("load_sparse",
          [](Array<const int64_t> ptr, Array<const int32_t> index, Array<const T> value, Maybe<Array<const double>> shift,
             Maybe<Array<const double>> factor, Rows<T> out, int threads) {
              const Connections con = view(ptr, index);
              const int64_t features = int64_t(out.shape(0)), stride = int64_t(out.shape(1));
              require(value.shape(0) == index.shape(0) && con.rows <= stride, "out is features x stride");
              require(!shift || (int64_t(shift->shape(0)) == features && factor && int64_t(factor->shape(0)) == features),
                      "one shift and factor a feature");
              for (size_t k = 0; k < index.shape(0); ++k)
                  require(index.data()[k] >= 0 && index.data()[k] < features, "a column number is out of range");
              nb::gil_scoped_release free_lock;
              return load_sparse(con.ptr, con.index, value.data(), con.rows, features, pointer(shift), pointer(factor),
                                 out.data(), stride, threads);
          },
          nb::arg("ptr").noconvert(), nb::arg("index").noconvert(), nb::arg("value").noconvert(),
          nb::arg("shift").noconvert().none(), nb::arg("factor").noconvert().none(), nb::arg("out").noconvert(),
          nb::arg("threads"));
}

template <class T>
void bind_frozen(nb::module_& m, const char* name) {
    nb::class_<FrozenNetwork<T>>(m, name)
        .def(nb::init<int64_t>(), nb::arg("inputs"))
        .def("append",
             [](FrozenNetwork<T>& net, Array<const int64_t> ptr, Array<const int32_t> index, Array<const uint32_t> position,
                Array<const T> weight, Array<const T> bias, int activation, double slope) {
                 Connections con = view(ptr, index);
                 require(position.shape(0) == index.shape(0) && weight.shape(0) == index.shape(0), "one weight a connection");
                 require(bias.shape(0) == size_t(con.rows), "one bias an output neuron");
                 require(first_invalid(con, net.outputs()) < 0, "an index is out of range");
                 con.position = position.data();
                 nb::gil_scoped_release free_lock;
                 net.append(con, weight.data(), bias.data(), Activation(activation), slope);
             },
             nb::arg("ptr").noconvert(), nb::arg("index").noconvert(), nb::arg("position").noconvert(),
             nb::arg("weight").noconvert(), nb::arg("bias").noconvert(), nb::arg("activation"), nb::arg("slope"))
        .def("run",
             [](const FrozenNetwork<T>& net, AnyMatrix x, Maybe<Array<const double>> shift, Maybe<Array<const double>> factor,
                Rows<T> out, bool softmaxed, int threads) {
                 const int64_t samples = int64_t(x.shape(0)), inputs = net.inputs(), outputs = net.outputs();
                 require(int64_t(x.shape(1)) == inputs, "x is samples x inputs");
                 require(int64_t(out.shape(0)) == samples && int64_t(out.shape(1)) == outputs, "out is samples x outputs");
                 require(!shift || (int64_t(shift->shape(0)) == inputs && factor && int64_t(factor->shape(0)) == inputs),
                         "one shift and factor a feature");
                 std::atomic<int64_t> bad{-1};
                 bool known;
                 {
                     nb::gil_scoped_release free_lock;
                     known = by_type(x, [&](auto* data) {
                         parallel_ranges(samples, threads, [&](int64_t begin, int64_t end) {
                             Buffer<T> scratch(net.scratch_size());
                             for (int64_t s = begin; s < end; ++s) {
                                 const int64_t wrong = load_dense(data, x.stride(0), x.stride(1), &s, 1, inputs, pointer(shift),
                                                                  pointer(factor), scratch.data(), 1, 1);
                                 if (wrong >= 0) {
                                     const int64_t here = s * inputs + wrong;
                                     int64_t first = bad;
                                     while ((first < 0 || here < first) && !bad.compare_exchange_weak(first, here)) {}
                                 }
                                 T* z = out.data() + s * outputs;
                                 std::copy_n(net.run(scratch.data()), outputs, z);
                                 if (softmaxed) softmax(z, outputs, 1, 1);
                             }
                         });
                     });
                 }
                 require(known, "no loader for this data type");
                 return bad.load();
             },
             nb::arg("x"), nb::arg("shift").noconvert().none(), nb::arg("factor").noconvert().none(),
             nb::arg("out").noconvert(), nb::arg("softmaxed"), nb::arg("threads"));
}

void bind_shared_lock(nb::module_& m) {
    // The interpreter lock is given up only where there is something to wait for.
    nb::class_<SharedLock>(m, "SharedLock")
        .def(nb::init<>())
        .def("acquire_shared", [](SharedLock& lock) {
            if (lock.try_lock_shared()) return;
            nb::gil_scoped_release free_lock;
            lock.lock_shared();
        })
        .def("release_shared", [](SharedLock& lock) {
            require(lock.held_shared(), "the lock is not held");
            lock.unlock_shared();
        })
        .def("acquire", [](SharedLock& lock) {
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

}  // namespace
}  // namespace ts

using namespace ts;

NB_MODULE(_kernels, m) {
    m.doc() = "Truly sparse kernels: forward, backward with update, losses, connectivity and its evolution.";
    nb::class_<UpdateRule>(m, "UpdateRule")
        .def(nb::init<>())
        .def_rw("kind", &UpdateRule::kind)
        .def_rw("learning_rate", &UpdateRule::learning_rate)
        .def_rw("momentum", &UpdateRule::momentum)
        .def_rw("l2", &UpdateRule::l2)
        .def_rw("decay", &UpdateRule::decay)
        .def_rw("beta1", &UpdateRule::beta1)
        .def_rw("beta2", &UpdateRule::beta2)
        .def_rw("epsilon", &UpdateRule::epsilon)
        .def_rw("correction1", &UpdateRule::correction1)
        .def_rw("correction2", &UpdateRule::correction2)
        .def_rw("key", &UpdateRule::key);
    bind_layers(m);
    bind_shared_lock(m);
    bind_losses<float>(m);
    bind_losses<double>(m);
    bind_topology(m);
    bind_tiles(m);
    bind_batch<float>(m);
    bind_batch<double>(m);
    bind_frozen<float>(m, "FrozenNetwork32");
    bind_frozen<double>(m, "FrozenNetwork64");
    m.def("empty_bytes", [](int64_t size) {
        require(size >= 0, "a size is at least 0");
        return give(Buffer<uint8_t>(size));
    }, nb::arg("size"));
    m.def("padded_batch", [](int64_t batch) { return padded_batch(batch); }, nb::arg("batch"));
    m.def("bit_stride", [](int64_t stride) { return bit_stride(stride); }, nb::arg("stride"));
    m.def("available_isas", &available_isas);
    m.def("current_isa", [] { return current_isa(); });
    m.def("use_isa", &use_isa, nb::arg("name"));
}
