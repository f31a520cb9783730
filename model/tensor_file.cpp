#include "model/tensor_file.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

#include "kernels/error.h"
#include "model/json_text.h"
#include "model/message.h"
#include "model/platform_file.h"

namespace mambo {
namespace {

constexpr std::uint64_t max_header = 100'000'000;  // the format's own limit
constexpr std::size_t max_dimensions = 16;

// All element types of the format, so that a file with others than ours is still listed and
// checked.
struct ElementType {
  std::string_view name;
  std::uint64_t bytes;
};
constexpr std::array element_types = {
    ElementType{"BOOL", 1}, ElementType{"U8", 1},      ElementType{"I8", 1},
    ElementType{"U16", 2},  ElementType{"I16", 2},     ElementType{"F16", 2},
    ElementType{"BF16", 2}, ElementType{"U32", 4},     ElementType{"I32", 4},
    ElementType{"F32", 4},  ElementType{"U64", 8},     ElementType{"I64", 8},
    ElementType{"F64", 8},  ElementType{"F8_E4M3", 1}, ElementType{"F8_E5M2", 1}};

std::optional<std::uint64_t> element_bytes(std::string_view dtype) {
  for (const ElementType& t : element_types) {
    if (t.name == dtype) return t.bytes;
  }
  return std::nullopt;
}

std::uint64_t read_length(std::span<const std::byte> bytes) {  // little-endian, wherever it lies
  std::uint64_t n = 0;
  for (std::size_t i = 8; i-- > 0;) n = (n << 8U) | std::to_integer<std::uint64_t>(bytes[i]);
  return n;
}

std::string_view header_text(std::span<const std::byte> bytes, const std::string& name) {
  if (bytes.empty()) throw Error(name + ": expected a safetensors file, found an empty file");
  if (bytes.size() < 8) {
    throw Error(name + ": expected a safetensors file, found only " + std::to_string(bytes.size()) +
                " bytes");
  }
  const std::uint64_t length = read_length(bytes);
  if (length > bytes.size() - 8) {
    throw Error(name + ": header of " + std::to_string(length) +
                " bytes reaches beyond the end of the file: expected at most " +
                std::to_string(bytes.size() - 8) + " (not a safetensors file, or a truncated one)");
  }
  if (length > max_header) {
    throw Error(name + ": expected a header of at most " + std::to_string(max_header) +
                " bytes, found " + std::to_string(length));
  }
  const auto* text = reinterpret_cast<const char*>(bytes.data() + 8);
  if (length == 0 || text[0] != '{') {
    throw Error(name + ": expected a safetensors header that begins with {, found " +
                (length == 0 ? "none" : printable({text, 1})));
  }
  return {text, static_cast<std::size_t>(length)};
}

std::vector<std::int64_t> read_shape(const Json& value, const std::string& where) {
  if (!value.is_array() || value.size() > max_dimensions) {
    throw Error(where + ": shape: expected an array of at most " + std::to_string(max_dimensions) +
                " dimensions, found " + shown(value));
  }
  std::vector<std::int64_t> shape;
  for (const Json& d : value) {
    shape.push_back(json_int(d, where, "shape", 0, std::numeric_limits<std::int64_t>::max()));
  }
  return shape;
}

// Elements, or nothing when the product leaves 63 bits.
std::optional<std::uint64_t> element_count(const std::vector<std::int64_t>& shape) {
  constexpr auto max = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (std::count(shape.begin(), shape.end(), 0) != 0) return 0;
  std::uint64_t n = 1;
  for (const std::int64_t d : shape) {
    if (static_cast<std::uint64_t>(d) > max / n) return std::nullopt;
    n *= static_cast<std::uint64_t>(d);
  }
  return n;
}

struct Extent {
  std::uint64_t begin, end;
};

Extent read_extent(const Json& value, const std::string& where, std::uint64_t data_bytes) {
  if (!value.is_array() || value.size() != 2) {
    throw Error(where + ": data_offsets: expected [begin, end], found " + shown(value));
  }
  const auto most = static_cast<std::int64_t>(data_bytes);
  const auto begin = json_int(value[0], where, "data_offsets: begin", 0, most);
  const auto end = json_int(value[1], where, "data_offsets: end", begin, most);
  return {static_cast<std::uint64_t>(begin), static_cast<std::uint64_t>(end)};
}

void check_size(const TensorEntry& entry, const std::string& where) {
  const std::optional<std::uint64_t> width = element_bytes(entry.dtype_name);
  if (!width) return;  // a type of the future: listed, and refused by get
  const std::optional<std::uint64_t> count = element_count(entry.shape);
  const bool fits = count && *count <= std::numeric_limits<std::uint64_t>::max() / *width;
  if (!fits || *count * *width != entry.bytes.size()) {
    throw Error(where + ": expected " +
                (fits ? std::to_string(*count * *width) : "a sane number of") + " bytes for " +
                printable(entry.dtype_name) + " " + shape_text(entry.shape) + ", found " +
                std::to_string(entry.bytes.size()));
  }
}

TensorEntry read_entry(const Json& value, std::span<const std::byte> data,
                       const std::string& where) {
  if (!value.is_object()) throw Error(where + ": expected an object, found " + shown(value));
  const auto field = [&](const char* key) -> const Json& {
    const auto it = value.find(key);
    if (it == value.end()) throw Error(where + ": expected the key " + key + ", found none");
    return *it;
  };
  TensorEntry entry;
  entry.dtype_name = json_string(field("dtype"), where, "dtype");
  entry.shape = read_shape(field("shape"), where);
  const Extent e = read_extent(field("data_offsets"), where, data.size());
  entry.bytes =
      data.subspan(static_cast<std::size_t>(e.begin), static_cast<std::size_t>(e.end - e.begin));
  check_size(entry, where);
  return entry;
}

// The format wants every byte to belong to exactly one tensor. A gap or an overlap means a damaged
// file, or one made to mislead.
void check_cover(const std::map<std::string, TensorEntry>& tensors, std::span<const std::byte> data,
                 const std::string& name) {
  std::vector<std::pair<std::span<const std::byte>, const std::string*>> parts;
  parts.reserve(tensors.size());
  for (const auto& [key, entry] : tensors) parts.emplace_back(entry.bytes, &key);
  std::sort(parts.begin(), parts.end(), [](const auto& a, const auto& b) {
    return std::pair(a.first.data(), a.first.size()) < std::pair(b.first.data(), b.first.size());
  });
  std::uint64_t expected = 0;
  for (const auto& [bytes, key] : parts) {
    const auto begin = static_cast<std::uint64_t>(bytes.data() - data.data());
    if (begin != expected) {
      throw Error(name + ": tensor " + printable(*key) + ": expected its data to begin at " +
                  std::to_string(expected) + ", found " + std::to_string(begin) + " (" +
                  (begin < expected ? "overlaps the tensor before" : "leaves a gap") + ")");
    }
    expected += bytes.size();
  }
  if (expected != data.size()) {
    throw Error(name + ": expected " + std::to_string(expected) + " bytes of tensors, found " +
                std::to_string(data.size()));
  }
}

}  // namespace

TensorFile TensorFile::open(const std::filesystem::path& path) {
  Mapping mapping = map_file(path);
  TensorFile file = parse(mapping.bytes, path.string());
  file.mapping_ = std::move(mapping.owner);
  return file;
}

TensorFile TensorFile::parse(std::span<const std::byte> bytes, const std::string& name) {
  const std::string_view text = header_text(bytes, name);
  const std::span<const std::byte> data = bytes.subspan(8 + text.size());
  const Json header = parse_json(text, name + ": header");

  TensorFile file;
  file.name_ = name;
  file.bytes_ = bytes;
  for (const auto& [key, value] : header.items()) {
    if (key == "__metadata__") {
      const std::string where = name + ": metadata";
      if (!value.is_object()) throw Error(where + ": expected an object, found " + shown(value));
      for (const auto& [k, v] : value.items()) {
        file.metadata_[k] = json_string(v, where, printable(k));
      }
      continue;
    }
    file.tensors_[key] = read_entry(value, data, name + ": tensor " + printable(key));
  }
  check_cover(file.tensors_, data, name);
  return file;
}

TensorView TensorFile::get(const std::string& tensor,
                           const std::vector<std::int64_t>& shape) const {
  const std::string where = name_ + ": tensor " + printable(tensor);
  const auto it = tensors_.find(tensor);
  if (it == tensors_.end()) throw Error(where + ": expected " + shape_text(shape) + ", found none");
  const TensorEntry& entry = it->second;
  if (entry.shape != shape) {
    throw Error(where + ": expected shape " + shape_text(shape) + ", found " +
                shape_text(entry.shape));
  }
  TensorView view;
  bool known = false;
  for (const DType t : {DType::f32, DType::f16, DType::bf16, DType::u8}) {
    if (entry.dtype_name == dtype_name(t)) {
      view.dtype = t;
      known = true;
    }
  }
  if (!known) {
    throw Error(where + ": expected F32, F16, BF16 or U8, found " + printable(entry.dtype_name));
  }
  view.data = entry.bytes.data();
  // From the bytes, which were checked against the shape: no product to overflow.
  view.rows = shape.size() < 2 ? 1 : shape.front();
  view.cols =
      view.rows == 0
          ? 0
          : static_cast<std::int64_t>(entry.bytes.size() / dtype_size(view.dtype)) / view.rows;
  return view;
}

}  // namespace mambo
