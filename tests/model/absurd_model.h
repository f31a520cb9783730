// A model whose weights are finite, but beyond all sense.
#pragma once

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "model/tensor_file.h"

namespace mambo::testing {

// A copy of `model`, of float32, at `path`, with every number of `tensor` set to `value`.
inline void copy_with_weights(const std::filesystem::path& model, const std::filesystem::path& path,
                              const std::string& tensor, float value) {
  const TensorFile file = TensorFile::open(model);
  std::vector<char> bytes(file.all_bytes().size());
  std::memcpy(bytes.data(), file.all_bytes().data(), bytes.size());
  const auto& at = file.tensors().at(tensor).bytes;
  const auto first = static_cast<std::size_t>(at.data() - file.all_bytes().data());
  for (std::size_t i = 0; i + sizeof value <= at.size(); i += sizeof value)
    std::memcpy(bytes.data() + first + i, &value, sizeof value);
  std::ofstream(path, std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace mambo::testing
