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

// The format allows 100 MB; the largest network has 100,000 tensors, of 130 bytes each.
constexpr std::uint64_t max_header = 1U << 24U;
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

// Bytes of the header of a file of `size` bytes that begins with `start` (nine bytes will do).
std::size_t header_length(std::span<const std::byte> start, std::uint64_t size,
                          const std::string& name) {
  if (size == 0) throw Error(name + ": expected a safetensors file, found an empty file");
  if (start.size() < 8) {
    throw Error(name + ": expected a safetensors file, found only " + std::to_string(size) +
                " bytes");
  }
  const std::uint64_t length = read_length(start);
  if (length > size - 8) {
    throw Error(name + ": header of " + std::to_string(length) +
                " bytes reaches beyond the end of the file: expected at most " +
                std::to_string(size - 8) + " (not a safetensors file, or a truncated one)");
  }
  if (length > max_header) {
    throw Error(name + ": expected a header of at most " + std::to_string(max_header) +
                " bytes, found " + std::to_string(length));
  }
  const char first = length == 0 || start.size() < 9 ? '\0' : static_cast<char>(start[8]);
  if (first != '{') {
    throw Error(name + ": expected a safetensors header that begins with {, found " +
                (length == 0 ? "none" : printable({&first, 1})));
  }
  return static_cast<std::size_t>(length);
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

constexpr const char* metadata_key = "__metadata__";

std::map<std::string, std::string> read_metadata(const Json& value, const std::string& name) {
  std::map<std::string, std::string> metadata;
  if (value.is_null()) return metadata;  // as good as absent, to the format's own library too
  const std::string where = name + ": metadata";
  if (!value.is_object()) throw Error(where + ": expected an object, found " + shown(value));
  for (const auto& [key, text] : value.items()) {
    metadata[key] = json_string(text, where, printable(key));
  }
  return metadata;
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

TensorFile TensorFile::open(const std::filesystem::path& path, const LoadProgress& progress) {
  InputFile input(path);
  std::array<std::byte, 9> start{};
  const std::size_t got = input.read(start);
  // What is no model is refused by its beginning, whatever its size.
  const std::size_t head = 8 + header_length({start.data(), got}, input.size(), path.string());
  FileBytes whole = room_for(path, input.size());
  std::copy_n(start.begin(), got, whole.bytes.begin());
  if (input.read(whole.bytes.subspan(got, head - got)) < head - got) {
    throw Error(path.string() + ": became shorter while it was read");
  }
  TensorFile file = parse(whole.bytes, path.string());
  fill(whole, head, input, path, progress);
  file.owner_ = std::move(whole.owner);
  return file;
}

std::map<std::string, std::string> TensorFile::metadata_of(const std::filesystem::path& path) {
  InputFile input(path);
  std::array<std::byte, 9> start{};
  const std::size_t got = input.read(start);
  const std::size_t length = header_length({start.data(), got}, input.size(), path.string());
  std::string text(length, '{');  // as header_length() found it
  if (input.read(std::as_writable_bytes(std::span(text)).subspan(1)) < length - 1) {
    throw Error(path.string() + ": became shorter while it was read");
  }
  const Json header = parse_json(text, path.string() + ": header");
  const auto it = header.find(metadata_key);
  return it == header.end() ? std::map<std::string, std::string>()
                            : read_metadata(*it, path.string());
}

TensorFile TensorFile::parse(std::span<const std::byte> bytes, const std::string& name) {
  const std::size_t length =
      header_length(bytes.first(std::min<std::size_t>(bytes.size(), 9)), bytes.size(), name);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data() + 8), length);
  const std::span<const std::byte> data = bytes.subspan(8 + length);
  const Json header = parse_json(text, name + ": header");

  TensorFile file;
  file.name_ = name;
  file.bytes_ = bytes;
  for (const auto& [key, value] : header.items()) {
    if (key == metadata_key) {
      file.metadata_ = read_metadata(value, name);
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
