#include "model/moment_file.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <span>

#include "kernels/error.h"
#include "kernels/state_layout.h"
#include "model/json_text.h"
#include "model/message.h"
#include "model/output_file.h"
#include "model/sanity.h"
#include "model/tensor_file.h"

namespace mambo {
namespace {

namespace fs = std::filesystem;

constexpr const char* kKey = "mambo.moment";
constexpr int kFormat = 1;
constexpr std::uint64_t kMostSamples = 1ULL << 40U;
constexpr std::size_t kMostOfAName = 200;  // bytes

std::vector<std::int64_t> picture_shape() {
  return {2, static_cast<std::int64_t>(MomentPicture::kColumns)};
}

MomentFacts facts_in(const std::map<std::string, std::string>& metadata, const std::string& where) {
  const auto it = metadata.find(kKey);
  if (it == metadata.end()) {
    throw Error(where + ": expected a moment of mambo, found other tensors");
  }
  const Json json = parse_json(it->second, where + ": moment");
  const JsonFields f(json, where + ": moment");
  f.only({"format", "version", "name", "model_name", "model_sha256", "sample_rate_hz", "position",
          "rng_seed", "drawn"});
  f.integer("format", kFormat, kFormat);
  MomentFacts facts;
  facts.version = f.text("version");
  facts.name = f.text("name");
  if (facts.name.size() > kMostOfAName) {
    throw Error(where + ": moment: name: expected at most " + std::to_string(kMostOfAName) +
                " bytes, found " + std::to_string(facts.name.size()));
  }
  facts.model_name = f.text("model_name");
  facts.model_sha256 = f.hash("model_sha256");
  facts.sample_rate = f.integer("sample_rate_hz", kLowestRate, kHighestRate);
  facts.position = f.whole("position", kMostSamples);
  facts.rng_seed = f.whole("rng_seed", UINT64_MAX);
  facts.drawn = f.whole("drawn", UINT64_MAX);
  return facts;
}

std::vector<float> floats(const TensorFile& file, const std::string& name,
                          const std::vector<std::int64_t>& shape) {
  const TensorView view = file.get(name, shape);
  const std::string where = file.name() + ": tensor " + name;
  if (view.dtype != DType::f32) throw Error(where + ": expected F32");
  std::vector<float> out(static_cast<std::size_t>(view.rows * view.cols));
  std::memcpy(out.data(), view.data, out.size() * sizeof(float));
  return out;
}

void check_finite(std::span<const float> numbers, const std::string& where) {
  const auto bad =
      std::find_if(numbers.begin(), numbers.end(), [](float x) { return !std::isfinite(x); });
  if (bad == numbers.end()) return;
  throw Error(where + ": expected finite numbers, found " + (std::isnan(*bad) ? "NaN" : "inf") +
              " at " + std::to_string(bad - numbers.begin()));
}

}  // namespace

bool is_moment_file(const fs::path& path) {
  try {
    return TensorFile::metadata_of(path).contains(kKey);
  } catch (const Error&) {
    return false;
  }
}

MomentFacts moment_facts(const fs::path& path) {
  return facts_in(TensorFile::metadata_of(path), path.string());
}

Moment read_moment(const fs::path& path, const Model& model, bool to_mix) {
  const std::string where = path.string();
  // The header first: what is of another model is not read.
  const MomentFacts facts = moment_facts(path);
  if (facts.model_sha256 != model.hash()) {
    throw Error(where + ": expected a moment of " + printable(model.config().name) + " (" +
                model.hash().substr(0, 8) + "), found one of " + printable(facts.model_name) +
                " (" + facts.model_sha256.substr(0, 8) + ")");
  }
  if (facts.sample_rate != model.config().sample_rate) {
    throw Error(where + ": expected " + std::to_string(model.config().sample_rate) + " Hz, found " +
                std::to_string(facts.sample_rate));
  }
  const std::uint64_t stride = common_stride(model.network());
  if (to_mix && facts.position % stride != 0) {
    throw Error(where + ": expected a position that is a multiple of " + std::to_string(stride) +
                ", found " + std::to_string(facts.position));
  }
  const StateLayout layout(model.network());
  constexpr std::uint64_t room = 1U << 20U;  // of header and picture
  std::error_code error;
  const std::uintmax_t bytes = fs::file_size(path, error);
  if (!error && bytes > layout.size * sizeof(float) + room) {
    throw Error(where + ": expected " + std::to_string(layout.size * sizeof(float)) +
                " bytes and a header, found " + std::to_string(bytes));
  }
  const TensorFile file = TensorFile::open(path);
  Moment m;
  m.state = floats(file, "state", {static_cast<std::int64_t>(layout.size)});
  const std::span<const float> logits = std::span<const float>(m.state).subspan(layout.logits);
  check_finite(std::span<const float>(m.state).first(layout.logits), where + ": state");
  if (!can_be_drawn_from(logits)) throw Error(where + ": " + why_not_drawn_from(logits));
  const std::vector<float> picture = floats(file, "picture", picture_shape());
  check_finite(picture, where + ": picture");
  for (std::size_t i = 0; i < MomentPicture::kColumns; ++i) {
    m.picture.low[i] = std::clamp(picture[i], -1.0F, 1.0F);
    m.picture.high[i] = std::clamp(picture[MomentPicture::kColumns + i], -1.0F, 1.0F);
  }
  m.position = facts.position;
  m.rng_seed = facts.rng_seed;
  m.drawn = facts.drawn;
  m.name = facts.name;
  return m;
}

void write_moment(const fs::path& path, const Moment& moment, const Model& model,
                  const std::string& version) {
  Json json;
  json["format"] = kFormat;
  json["version"] = version;
  json["name"] = moment.name.substr(0, kMostOfAName);
  json["model_name"] = model.config().name;
  json["model_sha256"] = model.hash();
  json["sample_rate_hz"] = model.config().sample_rate;
  json["position"] = moment.position;
  json["rng_seed"] = moment.rng_seed;
  json["drawn"] = moment.drawn;
  TensorWriter writer(path,
                      {{"state", DType::f32, {static_cast<std::int64_t>(moment.state.size())}},
                       {"picture", DType::f32, picture_shape()}},
                      {{kKey, json.dump(-1, ' ', false, Json::error_handler_t::replace)}},
                      {is_moment_file, "mambo", false});
  writer.write(0, 0, std::as_bytes(std::span(moment.state)));
  writer.write(1, 0, std::as_bytes(std::span(moment.picture.low)));
  writer.write(1, sizeof(moment.picture.low), std::as_bytes(std::span(moment.picture.high)));
  writer.finish();
}

}  // namespace mambo
