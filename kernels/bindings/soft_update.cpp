// Soft updates for Python.
#include "topology/soft_update.hpp"

#include <nanobind/stl/shared_ptr.h>

#include <algorithm>

#include "base/bfloat16.hpp"
#include "base/threads.hpp"
#include "bindings/bindings.hpp"
#include "topology/reindex.hpp"

namespace ts {
namespace {

// int32 columns or packed uint32 coordinates.
using Numbers = nb::ndarray<nb::ro, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

SortedRows rows_of(const Array<const int64_t>& ptr, const Numbers& number, const char* name) {
    const nb::dlpack::dtype type = number.dtype();
    require(type == nb::dtype<int32_t>() || type == nb::dtype<uint32_t>(), "indices are int32 or uint32");
    require(ptr.shape(0) >= 1, "row pointers are empty");
    const int64_t rows = int64_t(ptr.shape(0)) - 1;
    require_length(number, ptr.data()[rows], name, "as the row pointers say");
    return {rows, ptr.data(), static_cast<const uint32_t*>(number.data())};
}

void require_rows(const Difference& d, const Array<const int64_t>& t_ptr, const Array<const int64_t>& s_ptr) {
    const int64_t rows = d.row.back();
    require_length(t_ptr, rows + 1, "t_ptr", "as the difference has rows");
    require_length(s_ptr, rows + 1, "s_ptr", "as the difference has rows");
    require(t_ptr.data()[rows] == d.first_size && s_ptr.data()[rows] == d.second_size,
            "the difference is that of other connections");
}

template <class Held>
auto* as_stored(Held* data) {
    if constexpr (sizeof(Held) == 2)
        return reinterpret_cast<std::conditional_t<std::is_const_v<Held>, const bf16, bf16>*>(data);
    else return data;
}

// How NumPy holds values of type S.
template <class S>
using Held = std::conditional_t<sizeof(S) == 2, uint16_t, S>;

template <class S>
Mixed<S> mixed_of(const Difference& d, const Array<const int64_t>& t_ptr, const Array<const int64_t>& s_ptr,
                  const Held<S>* t, size_t t_size, const Array<const Held<S>>& s, double tau) {
    require_rows(d, t_ptr, s_ptr);
    require(int64_t(t_size) == d.first_size, "t has not one value per connection");
    require_length(s, d.second_size, "s", "one per connection");
    return {d, t_ptr.data(), s_ptr.data(), as_stored(t), as_stored(s.data()), Computed<S>(tau)};
}

void require_choice(const Difference& d, const Choice& choice) {
    require(int64_t(choice.chunks.size()) == d.chunks() &&
                (!choice.changes() || choice.difference->first_size == d.first_size - choice.removed + choice.added),
            "the choice is that of other connections");
}

template <class S>
auto give_stored(Buffer<S>&& buffer) {
    const size_t size = size_t(buffer.size());
    S* data = buffer.release();
    nb::capsule owner(data, [](void* p) noexcept { std::free(p); });
    return Owned<Held<S>>(reinterpret_cast<Held<S>*>(data), {size}, owner);
}

template <class S>
void bind_values(nb::module_& m) {
    using H = Held<S>;
    m.def(
        "mix",
        [](std::vector<Array<H>> t, std::vector<Array<const H>> s, double tau, const std::vector<uint64_t>& keys,
           int threads) {
            require(t.size() == s.size() && t.size() == keys.size(), "t, s and keys are not as many");
            std::vector<Pair<S>> pairs;
            for (size_t i = 0; i < t.size(); ++i) {
                require_length(s[i], int64_t(t[i].shape(0)), "an array of s", "as t's");
                pairs.push_back({as_stored(t[i].data()), as_stored(s[i].data()), int64_t(t[i].shape(0)), keys[i]});
            }
            nb::gil_scoped_release free_lock;
            mix(pairs, Computed<S>(tau), threads);
        },
        nb::arg("t"), nb::arg("s"), nb::arg("tau"), nb::arg("keys"), nb::arg("threads"));
    m.def(
        "choose_largest",
        [](const Difference& difference, Array<const int64_t> t_ptr, Array<const int64_t> s_ptr, Array<const H> t,
           Array<const H> s, double tau, double expected, int threads) {
            const auto mixed = mixed_of<S>(difference, t_ptr, s_ptr, t.data(), t.shape(0), s, tau);
            nb::gil_scoped_release free_lock;
            return choose(mixed, expected, threads);
        },
        nb::arg("difference"), nb::arg("t_ptr").noconvert(), nb::arg("s_ptr").noconvert(), nb::arg("t").noconvert(),
        nb::arg("s").noconvert(), nb::arg("tau"), nb::arg("expected"), nb::arg("threads"));
    m.def(
        "mix_where_kept",
        [](const Difference& difference, Array<const int64_t> t_ptr, Array<const int64_t> s_ptr, Array<H> t,
           Array<const H> s, double tau, uint64_t key, int threads) {
            const auto mixed = mixed_of<S>(difference, t_ptr, s_ptr, t.data(), t.shape(0), s, tau);
            nb::gil_scoped_release free_lock;
            mix_where_kept(mixed, as_stored(t.data()), key, threads);
        },
        nb::arg("difference"), nb::arg("t_ptr").noconvert(), nb::arg("s_ptr").noconvert(), nb::arg("t").noconvert(),
        nb::arg("s").noconvert(), nb::arg("tau"), nb::arg("key"), nb::arg("threads"));
    m.def(
        "merge_chosen_values",
        [](const Difference& difference, const Choice& choice, Array<const int64_t> t_ptr, Array<const int64_t> s_ptr,
           Array<const H> t, Array<const H> s, double tau, uint64_t key, int threads) {
            const auto mixed = mixed_of<S>(difference, t_ptr, s_ptr, t.data(), t.shape(0), s, tau);
            require_choice(difference, choice);
            Merged<S> out;
            {
                nb::gil_scoped_release free_lock;
                out = merge_chosen(mixed, choice, nullptr, nullptr, false, key, threads);
            }
            return give_stored(std::move(out.value));
        },
        nb::arg("difference"), nb::arg("choice"), nb::arg("t_ptr").noconvert(), nb::arg("s_ptr").noconvert(),
        nb::arg("t").noconvert(), nb::arg("s").noconvert(), nb::arg("tau"), nb::arg("key"), nb::arg("threads"));
    m.def(
        "merge_chosen",
        [](const Difference& difference, const Choice& choice, Array<const int64_t> t_ptr, Numbers t_index,
           Array<const int64_t> s_ptr, Numbers s_index, Array<const H> t, Array<const H> s, double tau, uint64_t key,
           int threads) {
            const auto mixed = mixed_of<S>(difference, t_ptr, s_ptr, t.data(), t.shape(0), s, tau);
            const SortedRows t_rows = rows_of(t_ptr, t_index, "t_index"), s_rows = rows_of(s_ptr, s_index, "s_index");
            const bool packed = t_index.dtype() == nb::dtype<uint32_t>();
            require_choice(difference, choice);
            Merged<S> out;
            {
                nb::gil_scoped_release free_lock;
                out = merge_chosen(mixed, choice, t_rows.number, s_rows.number, true, key, threads);
            }
            Buffer<uint32_t>& number = out.number;
            const size_t size = size_t(number.size());
            nb::object index;
            if (packed) {
                index = nb::cast(give(std::move(number)));
            } else {
                void* data = number.release();
                nb::capsule owner(data, [](void* p) noexcept { std::free(p); });
                index = nb::cast(Owned<int32_t>(static_cast<int32_t*>(data), {size}, owner));
            }
            return nb::make_tuple(give(std::move(out.ptr)), index, give_stored(std::move(out.value)));
        },
        nb::arg("difference"), nb::arg("choice"), nb::arg("t_ptr").noconvert(), nb::arg("t_index").noconvert(),
        nb::arg("s_ptr").noconvert(), nb::arg("s_index").noconvert(), nb::arg("t").noconvert(),
        nb::arg("s").noconvert(), nb::arg("tau"), nb::arg("key"), nb::arg("threads"));
}

// Weights and biases of layers and of those that they are drawn towards, place by place.
template <class T>
struct LayerPairs {
    std::vector<Array<T>> t;
    std::vector<Array<const T>> s;
    std::vector<Pair<T>> pairs;
    int64_t size = 0;

    // False where layers have other connections, types or sizes, or cannot be written.
    bool add(const nb::handle& layer, const nb::handle& source) {
        if (!nb::object(layer.attr("connectivity")).is(nb::object(source.attr("connectivity")))) return false;
        for (const char* name : {"values", "bias"}) {
            Array<T> to;
            Array<const T> from;
            if (!nb::try_cast(nb::object(layer.attr(name)), to, false)) return false;
            if (!nb::try_cast(nb::object(source.attr(name)), from, false)) return false;
            const int64_t count = int64_t(to.shape(0));
            if (count != int64_t(from.shape(0))) return false;
            size += count;
            pairs.push_back({to.data(), from.data(), count, 0});
            t.push_back(std::move(to));
            s.push_back(std::move(from));
        }
        return true;
    }
    // Whether what is written lies in the memory of anything else.
    bool overlap() const {
        const auto meet = [](const T* a, int64_t a_count, const T* b, int64_t b_count) {
            return a_count > 0 && b_count > 0 && a < b + b_count && b < a + a_count;
        };
        for (size_t i = 0; i < pairs.size(); ++i)
            for (size_t j = 0; j < pairs.size(); ++j)
                if (meet(pairs[i].t, pairs[i].count, pairs[j].s, pairs[j].count) ||
                    (j > i && meet(pairs[i].t, pairs[i].count, pairs[j].t, pairs[j].count)))
                    return true;
        return false;
    }
    void mix(double tau, int threads) const {
        if (tau == 1)
            for (const Pair<T>& pair : pairs) std::copy_n(pair.s, pair.count, pair.t);
        else if (tau > 0) ts::mix(pairs, T(tau), threads);
    }
};

template <class T>
bool mix_layers(const std::vector<std::pair<nb::list, nb::list>>& networks, double tau, int threads) {
    LayerPairs<T> all;
    for (const auto& [layers, sources] : networks) {
        if (layers.size() != sources.size()) return false;
        for (size_t l = 0; l < layers.size(); ++l)
            if (!all.add(layers[l], sources[l])) return false;
    }
    if (all.overlap()) return false;
    if (all.size < kWorkPerThread) {
        all.mix(tau, 1);
    } else {
        nb::gil_scoped_release free_lock;
        all.mix(tau, threads);
    }
    return true;
}

void bind_sets(nb::module_& m) {
    m.def(
        "mix_layers",
        [](const std::vector<std::pair<nb::list, nb::list>>& networks, double tau, int threads) {
            return mix_layers<float>(networks, tau, threads) || mix_layers<double>(networks, tau, threads);
        },
        nb::arg("networks"), nb::arg("tau"), nb::arg("threads"));

    nb::class_<Difference>(m, "Difference")
        .def(
            "__init__",
            [](Difference* self, Array<const int64_t> first_ptr, Numbers first_index, Array<const int64_t> second_ptr,
               Numbers second_index, int threads) {
                const SortedRows first = rows_of(first_ptr, first_index, "first_index"),
                                 second = rows_of(second_ptr, second_index, "second_index");
                require_length(second_ptr, first.rows + 1, "second_ptr", "as first_ptr");
                nb::gil_scoped_release free_lock;
                new (self) Difference(difference(first, second, threads));
            },
            nb::arg("first_ptr").noconvert(), nb::arg("first_index").noconvert(), nb::arg("second_ptr").noconvert(),
            nb::arg("second_index").noconvert(), nb::arg("threads"))
        .def_ro("first_only", &Difference::first_only)
        .def_ro("second_only", &Difference::second_only);
    nb::class_<Choice>(m, "Choice")
        .def_ro("removed", &Choice::removed)
        .def_ro("added", &Choice::added)
        .def_ro("threshold", &Choice::threshold)
        .def_prop_ro("changes", &Choice::changes)
        .def_prop_ro("difference", [](const Choice& choice) { return choice.difference; });
    m.def(
        "reindex",
        [](const Choice& choice, Array<const int64_t> t_ptr, Array<const int32_t> t_index, Array<const int64_t> s_ptr,
           Array<const int32_t> s_index, Array<const int64_t> ptr, Array<const int32_t> index,
           Array<const int64_t> out_ptr, Array<const int32_t> out_index, Array<const uint32_t> position, int threads) {
            const SortedRows t = rows_of(t_ptr, Numbers(t_index), "t_index"), s = rows_of(s_ptr, Numbers(s_index), "s"),
                             result = rows_of(ptr, Numbers(index), "index");
            Connections outputs = view(out_ptr, out_index);
            outputs.position = position.data();
            require_length(position, int64_t(out_index.shape(0)), "position", "one per connection");
            require_length(out_index, t.size(), "out_index", "as t_index");
            require(choice.changes(), "the choice changes nothing");
            require(t.rows == choice.difference->row.back() && s.rows == t.rows && result.rows == t.rows,
                    "the choice is that of other connections");
            require(result.size() == choice.difference->first_size && s.size() == choice.difference->second_size &&
                        t.size() == result.size() + choice.removed - choice.added,
                    "the choice is that of other connections");
            Transposed out;
            {
                nb::gil_scoped_release free_lock;
                out = reindex(choice, t, s, result, outputs, threads);
            }
            return nb::make_tuple(give(std::move(out.ptr)), give(std::move(out.index)), give(std::move(out.position)));
        },
        nb::arg("choice"), nb::arg("t_ptr").noconvert(), nb::arg("t_index").noconvert(), nb::arg("s_ptr").noconvert(),
        nb::arg("s_index").noconvert(), nb::arg("ptr").noconvert(), nb::arg("index").noconvert(),
        nb::arg("out_ptr").noconvert(), nb::arg("out_index").noconvert(), nb::arg("position").noconvert(),
        nb::arg("threads"));
}

}  // namespace

void bind_soft_update(nb::module_& m) {
    bind_sets(m);
    bind_values<float>(m);
    bind_values<double>(m);
    bind_values<bf16>(m);
}

}  // namespace ts
