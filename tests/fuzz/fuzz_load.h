// Called by the fuzz targets and the mutation test: everything that reads untrusted bytes.
#pragma once

#include <cstddef>
#include <span>

namespace mambo::fuzz {

// Reads the bytes as a model file, as far as possible: header, configuration, shapes, the decoded
// weights. Only Error may be thrown, and is caught here. Returns whether a whole model was found.
bool load(std::span<const std::byte> bytes);

// The same for a configuration alone: the native one and an ecosystem folder's.
void parse_configs(std::span<const std::byte> text);

// A folder of the ecosystem: config.json, a zero byte, model.safetensors.
bool load_ecosystem(std::span<const std::byte> bytes);

}  // namespace mambo::fuzz
