#include "app/control/target.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace mambo {
namespace {

// A layer's number: which run of blocks it is in, then which block of that run.
constexpr int kBlocks = 2048;
constexpr int kCenter = 7;  // down.0 to down.6 are before it, up.0 to up.6 after it
constexpr int kPlaces = 15;
static_assert(kPlaces * kBlocks <= INT16_MAX);
static_assert(kCenter == kMostTiers - 1);

// A number as target_text() writes it, up to `most`; takes it from the text.
std::optional<int> take_number(std::string_view& text, int most) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const auto length = static_cast<std::size_t>(end - text.data());
  if (error != std::errc() || value < 0 || value > most) return std::nullopt;
  if (length > 1 && text.front() == '0') return std::nullopt;
  text.remove_prefix(length);
  return value;
}

bool take(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) return false;
  text.remove_prefix(word.size());
  return true;
}

std::optional<int> take_place(std::string_view& text) {
  if (take(text, "center")) return kCenter;
  const bool down = take(text, "down.");
  if (!down && !take(text, "up.")) return std::nullopt;
  const std::optional<int> tier = take_number(text, kCenter - 1);
  if (!tier) return std::nullopt;
  return down ? *tier : kCenter + 1 + *tier;
}

}  // namespace

std::string target_text(std::int16_t target) {
  if (target == kAllTargets) return "all";
  if (target < 0) return fmt::format("tier{}", tier_of_target(target));
  const int place = target / kBlocks;
  const int block = target % kBlocks;
  if (place == kCenter) return fmt::format("center.{}", block);
  const bool down = place < kCenter;
  return fmt::format("{}.{}.{}", down ? "down" : "up", down ? place : place - kCenter - 1, block);
}

std::optional<std::int16_t> parse_target(std::string_view text) {
  if (text == "all") return kAllTargets;
  if (take(text, "tier")) {
    const std::optional<int> tier = take_number(text, kMostTiers - 1);
    if (!tier || !text.empty()) return std::nullopt;
    return tier_target(*tier);
  }
  const std::optional<int> place = take_place(text);
  if (!place || !take(text, ".")) return std::nullopt;
  const std::optional<int> block = take_number(text, kBlocks - 1);
  if (!block || !text.empty()) return std::nullopt;
  return static_cast<std::int16_t>(*place * kBlocks + *block);
}

LayerMap::LayerMap(const NetworkView& net) : tiers_(static_cast<int>(net.tiers.size())) {
  layers_.reserve(net.layers.size());
  for (const LayerView& l : net.layers) {
    Layer layer;
    const std::optional<std::int16_t> target = parse_target(l.name);
    if (target && *target >= 0) layer.target = *target;
    layer.tier = static_cast<std::int16_t>(l.tier);
    layer.selects = !l.time_invariant();
    layers_.push_back(layer);
  }
}

bool LayerMap::reaches_any(std::int16_t target, ControlId id) const {
  for (int layer = 0; layer < size(); ++layer) {
    if (reaches(target, id, layer)) return true;
  }
  return false;
}

std::string LayerMap::why_not(std::int16_t target, ControlId id) const {
  if (reaches_any(target, id)) return {};
  const std::string name = target_text(target);
  const std::string what = fmt::format("{}.{}", control_spec(id).key, name);
  if (!reaches_any(target, ControlId::read)) {
    return fmt::format("{}: expected all or a target of this model ({}), found {}", what, words(),
                       name);
  }
  return fmt::format(
      "{}: expected a selective layer (s6), found none in {}: a time-invariant layer (s4d) takes "
      "read and forget alone",
      what, target == kAllTargets ? "this model" : name);
}

std::string LayerMap::words() const {
  std::string out = tiers_ > 1 ? fmt::format("tier0 to tier{}", tiers_ - 1) : "tier0";
  for (std::size_t i = 0; i < layers_.size();) {
    std::size_t end = i + 1;
    const bool named = layers_[i].target != kAllTargets;
    while (named && end < layers_.size() && layers_[end].target == layers_[end - 1].target + 1) {
      ++end;
    }
    if (named) {
      out += ", " + target_text(layers_[i].target);
      if (end - i > 1) out += " to " + target_text(layers_[end - 1].target);
    }
    i = end;
  }
  return out;
}

}  // namespace mambo
