// A moment of a voice that can be kept: what a slot shows of itself, how slots are mixed, and the
// portable form that files hold (model/moment_file.h).
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "kernels/network.h"

namespace mambo {

inline constexpr int kSlots = 8;
inline constexpr int kBefore = kSlots;  // for recall: where the voice was before it was moved
inline constexpr int kNoSlot = -1;

// The last second before a moment, as the lowest and the highest sample of each column, oldest
// first. Columns before the beginning of the run are 0.
struct MomentPicture {
  static constexpr std::size_t kColumns = 64;
  std::array<float, kColumns> low{}, high{};
  bool operator==(const MomentPicture&) const = default;
};

// Up to four slots and what each counts; weights are normalised when it is played.
struct Morph {
  static constexpr std::size_t kMost = 4;
  static constexpr std::uint32_t kWhole = 1U << 14U;  // of a weight: exact in files and in float
  static constexpr std::uint32_t kAllTiers = 0xffff;
  std::array<int, kMost> slots{kNoSlot, kNoSlot, kNoSlot, kNoSlot};
  std::array<std::uint32_t, kMost> weights{};  // 0 to kWhole
  std::uint32_t tiers = kAllTiers;             // bit s: tier s; the others are of slots[0]
  bool operator==(const Morph&) const = default;

  // share 0: a, 1: b.
  static Morph between(int a, int b, double share, std::uint32_t tiers = kAllTiers);
  // A pad with slot i at corner i: upper left, upper right, lower left, lower right; x to the
  // right, y down, 0 to 1. A corner may be kNoSlot.
  static Morph on_pad(const std::array<int, kMost>& slots, double x, double y,
                      std::uint32_t tiers = kAllTiers);
};

// In the layout of StateLayout: the same on every engine of the network.
struct Moment {
  std::vector<float> state;
  std::uint64_t position = 0;  // samples absorbed since the zero state
  std::uint64_t rng_seed = 0, drawn = 0;
  MomentPicture picture;
  std::string name;
  // Of what it came from; empty where it was not read from a file.
  std::filesystem::path path;
  std::string sha256;
};

// Samples after which every group of every tier begins anew: the states of a network can be mixed
// where their positions are multiples of it.
std::uint64_t common_stride(const NetworkView& net);

}  // namespace mambo
