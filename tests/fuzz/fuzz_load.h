// What the fuzz target and the mutation test call: everything that reads a stranger's bytes.
#pragma once

#include <cstddef>
#include <span>

namespace mambo::fuzz {

// Takes the bytes for a model file, as far as they lead: header, configuration, shapes, the decoded
// weights. Only Error may come of it, and is swallowed. Returns whether a whole model was found.
bool load(std::span<const std::byte> bytes);

// The same for a configuration alone: the native one and an ecosystem folder's.
void parse_configs(std::span<const std::byte> text);

}  // namespace mambo::fuzz
