// Chooses the instruction set at run time: tables of its loops.
#pragma once

#include <string>
#include <vector>

#include "inference/slices.hpp"
#include "input/corrupt.hpp"
#include "layer/fleet_rows.hpp"
#include "layer/layer.hpp"
#include "layer/losses.hpp"
#include "layer/units.hpp"
#include "tiled/tiles.hpp"
#include "topology/gradient_tile.hpp"
#include "topology/mixing.hpp"

namespace ts {

// Instruction sets in this build that this processor runs, widest first.
std::vector<std::string> available_isas();
const std::string& current_isa();
void use_isa(const std::string& name);  // std::invalid_argument where it is not available

// The loops of the current instruction set.
template <class T>
const LayerKernels<T>& layer_kernels();
template <class T>
const LossKernels<T>& loss_kernels();
template <class T>
const SliceKernels<T>& slice_kernels();
template <class T>
const GrowthKernels<T>& growth_kernels();
const TileKernels& tile_kernels();
template <class S>
const MixingKernels<S>& mixing_kernels();
const WalkKernels& walk_kernels();
template <class T>
const CorruptKernels<T>& corrupt_kernels();
template <class T>
const UnitKernels<T>& unit_kernels();
template <class T>
const FleetKernels<T>& fleet_kernels();

}  // namespace ts
