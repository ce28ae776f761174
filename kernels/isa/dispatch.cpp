#include "isa/dispatch.hpp"

#include <stdexcept>

namespace ts {

#define TS_DECLARE(isa)                          \
    namespace isa {                              \
    template <class T>                           \
    void fill_forward(LayerKernels<T>& table);   \
    template <class T>                           \
    void fill_backward(LayerKernels<T>& table);  \
    template <class T>                           \
    void fill_losses(LossKernels<T>& table);     \
    template <class T>                           \
    void fill_slices(SliceKernels<T>& table);    \
    template <class T>                           \
    void fill_growth(GrowthKernels<T>& table);   \
    template <class S>                           \
    void fill_mixing(MixingKernels<S>& table);   \
    template <class T>                           \
    void fill_corrupt(CorruptKernels<T>& table); \
    template <class T>                           \
    void fill_units(UnitKernels<T>& table);      \
    template <class T>                           \
    void fill_fleet(FleetKernels<T>& table);     \
    void fill_walk(WalkKernels& table);          \
    void fill_tile_forward(TileKernels& table);  \
    void fill_tile_backward(TileKernels& table); \
    }
TS_DECLARE(baseline)
#if defined(TS_HAVE_AVX2)
TS_DECLARE(avx2)
#endif
#if defined(TS_HAVE_AVX512)
TS_DECLARE(avx512)
#endif

namespace {

// One instruction set's loops for one type.
template <class T>
struct Loops {
    LayerKernels<T> layer;
    LossKernels<T> loss;
    SliceKernels<T> slices;
    GrowthKernels<T> growth;
    MixingKernels<T> mixing;
    CorruptKernels<T> corrupt;
    UnitKernels<T> units;
    FleetKernels<T> fleet;
};

struct Tables {
    std::string isa;
    Loops<float> f;
    Loops<double> d;
    TileKernels tiles;
    MixingKernels<bf16> half_mixing;
    WalkKernels walk;

    template <class T>
    const Loops<T>& loops() const {
        if constexpr (sizeof(T) == 4) return f;
        else return d;
    }
};

#define TS_FILL(name)                      \
    if (isa == #name) {                    \
        const auto fill = [](auto& t) {    \
            name::fill_forward(t.layer);   \
            name::fill_backward(t.layer);  \
            name::fill_losses(t.loss);     \
            name::fill_slices(t.slices);   \
            name::fill_growth(t.growth);   \
            name::fill_mixing(t.mixing);   \
            name::fill_corrupt(t.corrupt); \
            name::fill_units(t.units);     \
            name::fill_fleet(t.fleet);     \
        };                                 \
        fill(t.f);                         \
        fill(t.d);                         \
        name::fill_mixing(t.half_mixing);  \
        name::fill_walk(t.walk);           \
        name::fill_tile_forward(t.tiles);  \
        name::fill_tile_backward(t.tiles); \
    }

Tables make_tables(const std::string& isa) {
    Tables t;
    t.isa = isa;
    TS_FILL(baseline)
#if defined(TS_HAVE_AVX2)
    TS_FILL(avx2)
#endif
#if defined(TS_HAVE_AVX512)
    TS_FILL(avx512)
#endif
    return t;
}

Tables& tables() {
    static Tables chosen = make_tables(available_isas().front());
    return chosen;
}

}  // namespace

std::vector<std::string> available_isas() {
    std::vector<std::string> names;
#if defined(TS_HAVE_AVX512)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512bw"))
        names.push_back("avx512");
#endif
#if defined(TS_HAVE_AVX2)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) names.push_back("avx2");
#endif
    names.push_back("baseline");
    return names;
}

const std::string& current_isa() { return tables().isa; }

void use_isa(const std::string& name) {
    for (const std::string& known : available_isas())
        if (known == name) {
            tables() = make_tables(name);
            return;
        }
    throw std::invalid_argument("instruction set '" + name + "' is not available in this build or on this processor");
}

template <class T>
const LayerKernels<T>& layer_kernels() {
    return tables().template loops<T>().layer;
}

template <class T>
const LossKernels<T>& loss_kernels() {
    return tables().template loops<T>().loss;
}

template <class T>
const SliceKernels<T>& slice_kernels() {
    return tables().template loops<T>().slices;
}

template <class T>
const GrowthKernels<T>& growth_kernels() {
    return tables().template loops<T>().growth;
}

template <class T>
const CorruptKernels<T>& corrupt_kernels() {
    return tables().template loops<T>().corrupt;
}

template <class T>
const UnitKernels<T>& unit_kernels() {
    return tables().template loops<T>().units;
}

template <class T>
const FleetKernels<T>& fleet_kernels() {
    return tables().template loops<T>().fleet;
}

const TileKernels& tile_kernels() { return tables().tiles; }

template <class S>
const MixingKernels<S>& mixing_kernels() {
    if constexpr (sizeof(S) == 2) return tables().half_mixing;
    else return tables().template loops<S>().mixing;
}
template const MixingKernels<bf16>& mixing_kernels();
template const MixingKernels<float>& mixing_kernels();
template const MixingKernels<double>& mixing_kernels();

const WalkKernels& walk_kernels() { return tables().walk; }

#define TS_INSTANTIATE(T)                                \
    template const LayerKernels<T>& layer_kernels();     \
    template const LossKernels<T>& loss_kernels();       \
    template const SliceKernels<T>& slice_kernels();     \
    template const GrowthKernels<T>& growth_kernels();   \
    template const CorruptKernels<T>& corrupt_kernels(); \
    template const UnitKernels<T>& unit_kernels();       \
    template const FleetKernels<T>& fleet_kernels();
TS_INSTANTIATE(float)
TS_INSTANTIATE(double)

}  // namespace ts
