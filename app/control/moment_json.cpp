#include "app/control/moment_json.h"

#include <array>
#include <cmath>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>

#include "kernels/error.h"

namespace mambo {
namespace {

struct Key {
  ControlId id;
  const char* key;
};
constexpr std::array kKeys = {Key{ControlId::slot, "slot"},       Key{ControlId::store, "store"},
                              Key{ControlId::unstore, "unstore"}, Key{ControlId::clear, "clear"},
                              Key{ControlId::recall, "recall"},   Key{ControlId::morph, "morph"},
                              Key{ControlId::jump, "jump"},       Key{ControlId::land, "land"},
                              Key{ControlId::fork, "fork"},       Key{ControlId::keep, "keep"}};
constexpr std::uint64_t kMostSamples = 1ULL << 40U;
constexpr int kMostTiers = 16;

Json morph_json(const Morph& morph) {
  Json j;
  Json slots = Json::array();
  Json weights = Json::array();
  for (std::size_t i = 0; i < Morph::kMost; ++i) {
    slots.push_back(morph.slots[i] == kNoSlot ? Json(nullptr) : Json(morph.slots[i] + 1));
    weights.push_back(static_cast<double>(morph.weights[i]) / Morph::kWhole);
  }
  j["slots"] = slots;
  j["weights"] = weights;
  if (morph.tiers != Morph::kAllTiers) {
    Json tiers = Json::array();
    for (int t = 0; t < kMostTiers; ++t) {
      if ((morph.tiers >> static_cast<unsigned>(t) & 1U) != 0) tiers.push_back(t);
    }
    j["tiers"] = tiers;
  }
  return j;
}

const Json& list(const JsonFields& f, const char* key, std::size_t least, std::size_t most) {
  const Json& array = f.at(key);
  if (!array.is_array() || array.size() < least || array.size() > most) {
    throw Error(f.where() + ": " + key + ": expected a list of " + std::to_string(least) + " to " +
                std::to_string(most) + ", found " + shown(array));
  }
  return array;
}

Morph read_morph(const JsonFields& f) {
  f.only({"slots", "weights", "tiers"});
  Morph m;
  const Json& slots = list(f, "slots", Morph::kMost, Morph::kMost);
  const Json& weights = list(f, "weights", Morph::kMost, Morph::kMost);
  for (std::size_t i = 0; i < Morph::kMost; ++i) {
    if (!slots[i].is_null()) {
      m.slots[i] = static_cast<int>(json_int(slots[i], f.where(), "slots", 1, kSlots)) - 1;
    }
    const double share = json_real(weights[i], f.where(), "weights", 0, 1) * Morph::kWhole;
    m.weights[i] = static_cast<std::uint32_t>(std::lround(share));
    if (share != std::floor(share)) {
      throw Error(f.where() + ": weights: expected multiples of 1/" +
                  std::to_string(Morph::kWhole) + ", found " + shown(weights[i]));
    }
  }
  if (!f.has("tiers")) return m;
  m.tiers = 0;
  for (const Json& t : list(f, "tiers", 0, kMostTiers)) {
    m.tiers |= 1U << static_cast<unsigned>(json_int(t, f.where(), "tiers", 0, kMostTiers - 1));
  }
  return m;
}

Kept read_kept(const JsonFields& f) {
  f.only({"rng_seed", "samples", "from"});
  Kept k;
  k.rng_seed = f.whole("rng_seed", UINT64_MAX);
  k.samples = static_cast<std::uint32_t>(f.whole("samples", Kept::kMostSamples));
  k.at_end = f.one_of("from", {"begin", "end"}) == "end";
  return k;
}

}  // namespace

const char* moment_key(ControlId id) {
  for (const Key& k : kKeys) {
    if (k.id == id) return k.key;
  }
  return "";
}

Json moment_json(const std::vector<PlayedMoment>& moments, const ControlEvent& e) {
  Json j;
  switch (e.id) {
    case ControlId::slot: {
      const PlayedMoment& moment = moments.at(e.value.whole);
      j["number"] = slot_of(e) + 1;
      j["path"] = moment.path.string();
      j["sha256"] = moment.sha256;
      return j;
    }
    case ControlId::recall:
      return slot_of(e) == kBefore ? Json("before") : Json(slot_of(e) + 1);
    case ControlId::fork:
      return slot_of(e) == kNoSlot ? Json("now") : Json(slot_of(e) + 1);
    case ControlId::morph:
      return morph_json(morph_of(e));
    case ControlId::jump:
      j = sample_of(e);
      return j;
    case ControlId::land:
      j = true;
      return j;
    case ControlId::keep: {
      const Kept k = kept_of(e);
      j["rng_seed"] = k.rng_seed;
      j["samples"] = k.samples;
      j["from"] = k.at_end ? "end" : "begin";
      return j;
    }
    default:
      j = slot_of(e) + 1;
      return j;
  }
}

std::optional<ControlId> moment_in(const JsonFields& line) {
  for (const Key& k : kKeys) {
    if (line.has(k.key)) return k.id;
  }
  return std::nullopt;
}

ControlEvent read_moment_event(const JsonFields& line, ControlId id, std::uint64_t at,
                               std::vector<PlayedMoment>& moments) {
  const char* const key = moment_key(id);
  line.only({"at", key});
  const Json& value = line.at(key);
  const std::string where = line.where() + ": " + key;
  ControlEvent e;
  switch (id) {
    case ControlId::slot: {
      const JsonFields f(value, where);
      f.only({"number", "path", "sha256"});
      const int slot = f.integer("number", 1, kSlots) - 1;
      e = content_event(slot, moments.size(), at == 0 ? Source::start : Source::owner);
      moments.push_back({f.path("path"), f.hash("sha256")});
      break;
    }
    case ControlId::morph:
      e = morph_event(read_morph(JsonFields(value, where)));
      break;
    case ControlId::jump:
      e = jump_event(line.whole(key, kMostSamples));
      break;
    case ControlId::land:
      if (!json_bool(value, line.where(), key)) throw Error(where + ": expected true, found false");
      e.id = id;
      break;
    case ControlId::keep:
      e = keep_event(read_kept(JsonFields(value, where)));
      break;
    default: {
      const bool recall = id == ControlId::recall;
      const bool fork = id == ControlId::fork;
      if ((recall || fork) && value.is_string()) {
        line.one_of(key, {recall ? "before" : "now"});
        e = slot_event(id, recall ? kBefore : kNoSlot);
      } else {
        e = slot_event(id, line.integer(key, 1, kSlots) - 1);
      }
    }
  }
  e.at = at;
  return e;
}

}  // namespace mambo
