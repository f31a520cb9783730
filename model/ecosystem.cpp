// The ecosystem's folder: what transformers' MambaForCausalLM.save_pretrained writes (model_type
// "mamba"). Keys that do not change the computation are theirs and are passed over; absent ones
// have the defaults of transformers' MambaConfig.
#include <array>
#include <string>
#include <string_view>

#include "kernels/error.h"
#include "model/json_text.h"
#include "model/message.h"
#include "model/network_builder.h"

namespace mambo {
namespace {

class Keys {
 public:
  Keys(const Json& object, const std::string& where) : object_(object), where_(where) {}

  std::int64_t integer(const char* key, std::int64_t otherwise, std::int64_t max) const {
    const Json* v = find(key);
    return json_int(v != nullptr ? *v : Json(otherwise), where_, key, 1, max);
  }
  double real(const char* key, double otherwise, double min, double max) const {
    const Json* v = find(key);
    return v != nullptr ? json_real(*v, where_, key, min, max) : otherwise;
  }
  bool boolean(const char* key, bool otherwise) const {
    const Json* v = find(key);
    return v != nullptr ? json_bool(*v, where_, key) : otherwise;
  }
  std::string string(const char* key, const char* otherwise) const {
    const Json* v = find(key);
    return v != nullptr ? json_string(*v, where_, key) : otherwise;
  }
  const Json* find(const char* key) const {  // null in JSON is as good as absent
    const auto it = object_.find(key);
    return it == object_.end() || it->is_null() ? nullptr : &*it;
  }

 private:
  const Json& object_;
  const std::string& where_;
};

void check_architecture(const Keys& keys, const std::string& where) {
  const std::string type = keys.string("model_type", "");
  if (type != "mamba") {
    throw Error(where + ": model_type: expected mamba (MambaForCausalLM), found " +
                (type.empty() ? "none" : printable(type)));
  }
  const std::string act = keys.string("hidden_act", "silu");
  if (act != "silu" && act != "swish") {  // two names of one function
    throw Error(where + ": hidden_act: expected silu, found " + printable(act));
  }
  if (const std::int64_t v = keys.integer("vocab_size", 50280, INT64_MAX); v != 256) {
    throw Error(where + ": vocab_size: expected 256 (8-bit audio codes), found " +
                std::to_string(v) + (v > 256 ? ": a model of text, not of sound?" : ""));
  }
}

// "auto" is a sixteenth of the width, rounded up.
std::int64_t read_dt_rank(const Keys& keys, const std::string& where, std::int64_t d) {
  const Json* v = keys.find("time_step_rank");
  if (v == nullptr || *v == "auto") return (d + 15) / 16;
  if (!v->is_number_integer()) {
    throw Error(where + ": time_step_rank: expected an integer or auto, found " + shown(*v));
  }
  return json_int(*v, where, "time_step_rank", 1, 1 << 18);
}

void read_audio_keys(const Keys& keys, const std::string& where, Config& c) {
  c.sample_rate = 16000;
  if (const Json* rate = keys.find("sample_rate")) {
    c.sample_rate =
        static_cast<int>(json_int(*rate, where, "sample_rate", kLowestRate, kHighestRate));
  }
  const std::string encoding = keys.string("encoding", "mulaw8");
  try {
    c.encoding = parse_encoding(encoding);
  } catch (const Error& e) {
    throw Error(where + ": " + e.what());
  }
}

// What the folder says about where it comes from; it has no field for provenance.
std::string provenance(const Keys& keys) {
  Json about;
  about["source"] = "folder of transformers' MambaForCausalLM";
  for (const char* key : {"transformers_version", "_name_or_path"}) {
    if (const Json* v = keys.find(key); v != nullptr && v->is_string()) about[key] = *v;
  }
  return about.dump();
}

}  // namespace

EcosystemConfig parse_ecosystem_config(std::string_view json, const std::string& where,
                                       const std::string& name) {
  const Json object = parse_json(json, where);
  if (!object.is_object()) throw Error(where + ": expected an object, found " + shown(object));
  const Keys keys(object, where);
  check_architecture(keys, where);

  EcosystemConfig e;
  Config& c = e.config;
  c.name = printable(name, 200);
  c.vocab_size = 256;
  c.d_model = static_cast<int>(keys.integer("hidden_size", 768, 16384));
  c.layers = {static_cast<int>(keys.integer("num_hidden_layers", 32, 512))};
  c.widen = 1;
  c.expand = static_cast<int>(keys.integer("expand", 2, 16));
  c.d_state = static_cast<int>(keys.integer("state_size", 16, 256));
  c.d_conv = static_cast<int>(keys.integer("conv_kernel", 4, 64));
  c.norm_eps = keys.real("layer_norm_epsilon", 1e-5, 1e-12, 1.0);
  c.about = provenance(keys);
  const std::int64_t inner = keys.integer("intermediate_size", c.d_inner(0), 1 << 18);
  if (inner != c.d_inner(0)) {
    throw Error(where + ": intermediate_size: expected expand x hidden_size = " +
                std::to_string(c.d_inner(0)) + ", found " + std::to_string(inner));
  }
  e.dt_rank = static_cast<int>(read_dt_rank(keys, where, c.d_model));
  e.use_bias = keys.boolean("use_bias", false);
  e.use_conv_bias = keys.boolean("use_conv_bias", true);
  e.tied = keys.boolean("tie_word_embeddings", true);
  read_audio_keys(keys, where, c);
  return e;
}

NetworkView build_ecosystem(const TensorFile& file, const EcosystemConfig& e) {
  WeightSource source(file);
  const Config& c = e.config;
  NetworkView net = network_shape(c);
  const std::int64_t v = c.vocab_size;
  const std::int64_t d = c.d_model;

  net.embed = source.need("backbone.embeddings.weight", {v, d});
  for (int i = 0; i < c.layers[0]; ++i) {
    const std::string number = std::to_string(i);
    const std::string prefix = "backbone.layers." + number + ".";
    LayerView layer =
        build_block(source, c, 0, Side::center, "center." + number,
                    {.norm = prefix,
                     .mixer = prefix + "mixer.",
                     .proj_bias = e.use_bias ? Presence::required : Presence::absent,
                     .conv_bias = e.use_conv_bias ? Presence::required : Presence::absent});
    const int rank = layer.dt_rank();
    if (rank != 0 && rank != e.dt_rank) {
      throw Error(file.name() + ": tensor " + prefix + "mixer.x_proj.weight: expected " +
                  std::to_string(e.dt_rank + 2 * c.d_state) +
                  " rows (time_step_rank + 2 x state_size), found " +
                  std::to_string(rank + 2 * c.d_state));
    }
    net.layers.push_back(std::move(layer));
  }
  net.tiers[0].down_end = static_cast<int>(net.layers.size());
  net.tiers[0].up_begin = net.tiers[0].up_end = net.tiers[0].down_end;
  net.norm_f = source.need("backbone.norm_f.weight", {d});
  if (e.tied) {
    source.ignore("lm_head.weight");  // some writers store the shared matrix twice
    net.head = net.embed;
  } else {
    net.head = source.need("lm_head.weight", {v, d});
  }
  source.finish();
  return net;
}

}  // namespace mambo
