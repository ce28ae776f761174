// Frozen networks for Python.
#include "bindings/bindings.hpp"

#include <nanobind/stl/shared_ptr.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <shared_mutex>

#include "base/threads.hpp"
#include "bindings/any_matrix.hpp"
#include "inference/policy.hpp"
#include "input/batch.hpp"
#include "layer/losses.hpp"
#include "topology/sampling.hpp"

namespace ts {
namespace {

// One array of weights and one of biases for each layer, of its length.
template <class T>
void require_layers(const FrozenNetwork<T>& net, const std::vector<Array<const T>>& weights,
                    const std::vector<Array<const T>>& biases) {
    require(int64_t(weights.size()) == net.layers() && int64_t(biases.size()) == net.layers(),
            "there must be weights and biases for each layer");
    for (int64_t l = 0; l < net.layers(); ++l) {
        require_length(weights[size_t(l)], net.connections(l), "weights", "one per connection");
        require_length(biases[size_t(l)], net.rows(l), "biases", "one per output neuron");
        require(net.prepared(l), "the layer has not been prepared for a refresh");
    }
}

template <class T>
void bind_frozen(nb::module_& m, const char* name) {
    nb::class_<FrozenNetwork<T>>(m, name)
        .def(nb::init<int64_t>(), nb::arg("inputs"))
        .def(
            "append",
            [](FrozenNetwork<T>& net, Array<const int64_t> ptr, Array<const int32_t> index,
               Array<const uint32_t> position, Array<const T> weight, Array<const T> bias,
               const KernelActivation& activation, bool side) {
                Connections con = view(ptr, index);
                require_length(position, int64_t(index.shape(0)), "position", "one per connection");
                require_length(weight, int64_t(index.shape(0)), "weight", "one per connection");
                require_length(bias, con.rows, "bias", "one per output neuron");
                require(first_invalid(con, side ? net.inputs() : net.outputs()) < 0, "an index is out of range");
                require(!side || con.rows == net.outputs(), "a layer beside the others gives their outputs");
                con.position = position.data();
                nb::gil_scoped_release free_lock;
                net.append(con, weight.data(), bias.data(), activation.first, activation.second, side);
            },
            nb::arg("ptr").noconvert(), nb::arg("index").noconvert(), nb::arg("position").noconvert(),
            nb::arg("weight").noconvert(), nb::arg("bias").noconvert(), nb::arg("activation"), nb::arg("side") = false)
        .def(
            "prepare_refresh",
            [](FrozenNetwork<T>& net, int64_t number, Array<const int64_t> ptr, Array<const int32_t> index,
               Array<const uint32_t> position) {
                Connections con = view(ptr, index);
                require(number >= 0 && number < net.layers(), "there is no such layer");
                require_length(position, int64_t(index.shape(0)), "position", "one per connection");
                con.position = position.data();
                require(net.fits(number, con), "the layer has other connections");
                net.prepare_refresh(number, con);
            },
            nb::arg("number"), nb::arg("ptr").noconvert(), nb::arg("index").noconvert(),
            nb::arg("position").noconvert())
        .def(
            "refresh",
            [](FrozenNetwork<T>& net, const std::vector<Array<const T>>& weights,
               const std::vector<Array<const T>>& biases) {
                require_layers(net, weights, biases);
                const std::lock_guard<std::shared_mutex> alone(net.mutex());
                for (size_t l = 0; l < weights.size(); ++l)
                    net.refresh(int64_t(l), weights[l].data(), biases[l].data());
            },
            nb::arg("weights"), nb::arg("biases"))
        .def(
            "layer",
            [](const FrozenNetwork<T>& net, int64_t number) {
                require(number >= 0 && number < net.layers(), "there is no such layer");
                Buffer<int64_t> ptr(net.rows(number) + 1);
                Buffer<int32_t> index(net.connections(number));
                Buffer<T> weight(index.size()), bias(net.rows(number));
                net.give(number, ptr.data(), index.data(), weight.data(), bias.data());
                return nb::make_tuple(give(std::move(ptr)), give(std::move(index)), give(std::move(weight)),
                                      give(std::move(bias)));
            },
            nb::arg("number"))
        .def(
            "run",
            [](const FrozenNetwork<T>& net, AnyMatrix x, Scale offset, Scale factor, Rows<T> out, bool softmaxed,
               int threads) {
                const int64_t samples = int64_t(x.shape(0)), inputs = net.inputs(), outputs = net.outputs();
                require_shape(x, samples, inputs, "x", "samples x inputs");
                require_shape(out, samples, outputs, "out", "samples x outputs");
                require_scaling(offset, factor, inputs);
                std::atomic<int64_t> bad{-1};
                bool known;
                {
                    nb::gil_scoped_release free_lock;
                    const std::shared_lock<std::shared_mutex> reading(net.mutex());
                    known = by_type(x, [&](auto* data) {
                        parallel_ranges(samples, threads, [&](int64_t begin, int64_t end) {
                            Buffer<T> scratch(net.scratch_size());
                            for (int64_t s = begin; s < end; ++s) {
                                const int64_t wrong =
                                    load_dense(data, x.stride(0), x.stride(1), &s, 1, inputs, pointer(offset),
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
                if (!known) refuse("no loader for " + type_name(x));
                return bad.load();
            },
            nb::arg("x"), nb::arg("offset").noconvert().none(), nb::arg("factor").noconvert().none(),
            nb::arg("out").noconvert(), nb::arg("softmaxed"), nb::arg("threads"));
}

using AnyArray = nb::ndarray<nb::ro, nb::device::cpu>;

// What `run` of a policy says where it has not answered; what is not negative is the place of a value that is not
// finite.
constexpr int64_t kDone = -1, kOtherShape = -2, kOtherType = -3;
// Observations from which on other Python threads may run meanwhile.
constexpr int64_t kFew = 8;

template <class T>
void set_scale(FrozenPolicy<T>& policy, const Scale& offset, const Scale& factor) {
    const auto values = [](const Scale& scale) {
        return scale ? std::vector<double>(scale->data(), scale->data() + scale->shape(0)) : std::vector<double>();
    };
    policy.offset = values(offset);
    policy.factor = values(factor);
}

// Answers one observation, or several row by row: choices where there are such, else actions, or the first `width`
// outputs where that is not negative.
template <class T>
int64_t answer(const FrozenPolicy<T>& policy, const AnyArray& x, T* values, int64_t* choices, int64_t width) {
    const FrozenNetwork<T>& net = *policy.network;
    const bool one = x.ndim() == 1;
    const int64_t samples = one ? 1 : int64_t(x.shape(0)), inputs = net.inputs();
    int64_t bad = kDone;
    const bool known = by_type(x, [&](auto* data) {
        const std::shared_lock<std::shared_mutex> reading(net.mutex());
        Buffer<T> scratch(net.scratch_size());
        for (int64_t s = 0; s < samples && bad < 0; ++s) {
            const int64_t wrong = load_dense(data, one ? 0 : x.stride(0), x.stride(one ? 0 : 1), &s, 1, inputs,
                                             policy.offsets(), policy.factors(), scratch.data(), 1, 1);
            if (wrong >= 0) bad = s * inputs + wrong;
            const T* z = net.run(scratch.data());
            if (choices) choices[s] = policy.choose(z);
            else if (width < 0) policy.act(z, values + s * policy.actions);
            else std::copy_n(z, width, values + s * width);
        }
    });
    return known ? bad : kOtherType;
}

template <class T>
void bind_policy(nb::module_& m, const char* name) {
    using P = FrozenPolicy<T>;
    nb::class_<P>(m, name)
        .def(
            "__init__",
            [](P* self, std::shared_ptr<FrozenNetwork<T>> net, Head head, int64_t actions, Maybe<Array<const T>> low,
               Maybe<Array<const T>> high, Scale offset, Scale factor) {
                require(actions >= 1 && actions <= net->outputs(), "there are fewer outputs than actions");
                require((head == Head::tanh) == bool(low) && bool(low) == bool(high), "tanh alone has a range");
                require_length(low, actions, "low", "one per action");
                require_length(high, actions, "high", "one per action");
                require_scaling(offset, factor, net->inputs());
                P policy{std::move(net), head, actions, {}, {}, {}, {}};
                if (low) policy.low.assign(low->data(), low->data() + actions);
                if (high) policy.high.assign(high->data(), high->data() + actions);
                set_scale(policy, offset, factor);
                new (self) P(std::move(policy));
            },
            nb::arg("network"), nb::arg("head"), nb::arg("actions"), nb::arg("low").none(), nb::arg("high").none(),
            nb::arg("offset").none(), nb::arg("factor").none())
        .def(
            "refresh",
            [](P& policy, const std::vector<Array<const T>>& weights, const std::vector<Array<const T>>& biases,
               Scale offset, Scale factor) {
                FrozenNetwork<T>& net = *policy.network;
                require_layers(net, weights, biases);
                require_scaling(offset, factor, net.inputs());
                const std::lock_guard<std::shared_mutex> alone(net.mutex());
                for (size_t l = 0; l < weights.size(); ++l)
                    net.refresh(int64_t(l), weights[l].data(), biases[l].data());
                set_scale(policy, offset, factor);
            },
            nb::arg("weights"), nb::arg("biases"), nb::arg("offset").none(), nb::arg("factor").none())
        .def(
            "run",
            [](const P& policy, AnyArray x, nb::ndarray<nb::c_contig, nb::device::cpu> out, size_t ndim,
               bool raw) -> int64_t {
                const FrozenNetwork<T>& net = *policy.network;
                require(ndim == 1 || ndim == 2, "observations have one dimension or two");
                if (x.ndim() != ndim || int64_t(x.shape(ndim - 1)) != net.inputs()) return kOtherShape;
                const int64_t samples = ndim == 1 ? 1 : int64_t(x.shape(0));
                const bool chosen = policy.head == Head::argmax && !raw;
                const int64_t width = raw ? net.outputs() : chosen ? 1 : policy.actions;
                require(out.dtype() == (chosen ? nb::dtype<int64_t>() : nb::dtype<T>()), "out is of another type");
                require(int64_t(out.size()) == samples * width, "out is of another size");
                T* values = chosen ? nullptr : static_cast<T*>(out.data());
                int64_t* choices = chosen ? static_cast<int64_t*>(out.data()) : nullptr;
                if (samples <= kFew) return answer(policy, x, values, choices, raw ? width : -1);
                nb::gil_scoped_release free_lock;
                return answer(policy, x, values, choices, raw ? width : -1);
            },
            nb::arg("x"), nb::arg("out").noconvert(), nb::arg("ndim"), nb::arg("raw") = false);
}

}  // namespace

void bind_inference(nb::module_& m) {
    nb::enum_<Head>(m, "Head", nb::is_arithmetic())
        .value("IDENTITY", Head::identity)
        .value("TANH", Head::tanh)
        .value("ARGMAX", Head::argmax);
    bind_frozen<float>(m, "FrozenNetwork32");
    bind_frozen<double>(m, "FrozenNetwork64");
    bind_policy<float>(m, "FrozenPolicy32");
    bind_policy<double>(m, "FrozenPolicy64");
}

}  // namespace ts
