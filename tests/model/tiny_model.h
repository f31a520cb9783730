// A native model of a few hundred numbers, built here so that a test can damage one part of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "model/tensor_file.h"

namespace mambo::testing {

struct TinyModel {
  struct Tensor {
    std::vector<std::int64_t> shape;
    DType dtype = DType::f32;
    std::int64_t strange = -1;  // an element that is NaN
  };
  // Two tiers of widths 3 and 6, one block per half-stage; N = 2, K = 3, R = 1.
  std::string config =
      R"({"format":"mambo-1","name":"tiny","sample_rate":16000,"encoding":"mulaw8",)"
      R"("vocab_size":256,"d_model":3,"pool":[4],"layers":[1,1],"widen":2,"expand":2,)"
      R"("d_state":2,"d_conv":3,"norm_eps":1e-5})";
  std::map<std::string, Tensor> tensors;

  TinyModel() {
    tensors["embed.weight"] = {{256, 3}};
    tensors["head.weight"] = {{256, 3}};
    tensors["norm_f.weight"] = {{3}};
    tensors["down_pool.0.weight"] = {{6, 12}};
    tensors["down_pool.0.bias"] = {{6}};
    tensors["up_pool.0.weight"] = {{12, 6}};
    tensors["up_pool.0.bias"] = {{12}};
    add_block("down.0.0.", 3);
    add_block("center.0.", 6);
    add_block("up.0.0.", 3);
  }

  void add_block(const std::string& prefix, std::int64_t d) {
    const std::int64_t inner = 2 * d;
    tensors[prefix + "norm.weight"] = {{d}};
    tensors[prefix + "in_proj.weight"] = {{2 * inner, d}};
    tensors[prefix + "conv1d.weight"] = {{inner, 1, 3}};
    tensors[prefix + "conv1d.bias"] = {{inner}};
    tensors[prefix + "x_proj.weight"] = {{1 + 2 * 2, inner}};
    tensors[prefix + "dt_proj.weight"] = {{inner, 1}};
    tensors[prefix + "dt_proj.bias"] = {{inner}};
    tensors[prefix + "A_log"] = {{inner, 2}};
    tensors[prefix + "D"] = {{inner}};
    tensors[prefix + "out_proj.weight"] = {{d, inner}};
  }

  // The outermost tier time-invariant, M = 3.
  void use_s4d() {
    config.replace(config.rfind('}'), 1, R"(,"mixer":["s4d","s6"]})");
    for (const char* block : {"down.0.0.", "up.0.0."}) {
      const std::string prefix = block;
      for (const char* t : {"x_proj.weight", "dt_proj.weight", "dt_proj.bias"})
        tensors.erase(prefix + t);
      tensors[prefix + "log_dt"] = {{6}};
      tensors[prefix + "A_log"] = {{6, 3}};
      tensors[prefix + "A_im"] = {{6, 3}};
      tensors[prefix + "C"] = {{6, 3, 2}};
    }
  }

  // Every tensor is zeros, except the strange element: only shapes matter here.
  void write(const std::filesystem::path& path) const {
    std::map<std::string, std::string> metadata;
    if (!config.empty()) metadata["mambo.config"] = config;
    write_tensors(path, tensors, metadata);
  }

  static void write_tensors(const std::filesystem::path& path,
                            const std::map<std::string, Tensor>& tensors,
                            const std::map<std::string, std::string>& metadata) {
    std::vector<TensorWriter::Declaration> declarations;
    declarations.reserve(tensors.size());
    for (const auto& [name, t] : tensors) declarations.push_back({name, t.dtype, t.shape});
    std::filesystem::remove(path);  // one that was loaded is an input, which no output replaces
    TensorWriter writer(path, declarations, metadata);
    for (std::size_t i = 0; i < declarations.size(); ++i) {
      std::size_t bytes = dtype_size(declarations[i].dtype);
      for (const std::int64_t d : declarations[i].shape) bytes *= static_cast<std::size_t>(d);
      std::vector<std::byte> body(bytes);
      const Tensor& t = tensors.at(declarations[i].name);
      if (t.strange >= 0) {  // the highest bytes, of which the last is the sign and the exponent
        const std::size_t size = dtype_size(t.dtype);
        const std::size_t end = (static_cast<std::size_t>(t.strange) + 1) * size;
        body[end - 1] = std::byte{0x7F};
        body[end - 2] = std::byte{0xC0};
      }
      writer.write(i, 0, body);
    }
    writer.finish();
  }
};

}  // namespace mambo::testing
