#include <algorithm>
#include <bit>
#include <limits>
#include <utility>

#include "kernels/error.h"
#include "model/json_text.h"
#include "model/message.h"
#include "model/output_file.h"
#include "model/tensor_file.h"

namespace mambo {
namespace {

std::uint64_t byte_count(const TensorWriter::Declaration& d) {
  constexpr std::uint64_t max = std::numeric_limits<std::int64_t>::max();
  std::uint64_t n = dtype_size(d.dtype);
  for (const std::int64_t dim : d.shape) {
    if (dim < 0 || (dim > 0 && n > max / static_cast<std::uint64_t>(dim))) {
      throw Error("tensor " + d.name + ": expected a shape that fits a file, found " +
                  shape_text(d.shape));
    }
    n *= static_cast<std::uint64_t>(dim);
  }
  return n;
}

}  // namespace

struct TensorWriter::Impl {
  struct Slot {
    std::string name;
    std::uint64_t begin, size;
    std::uint64_t written = 0;  // bytes, however they were cut
  };
  Impl(std::filesystem::path target, Replace replace)
      : path(target), file(std::move(target), std::move(replace)) {}

  std::filesystem::path path;
  OutputFile file;
  std::vector<Slot> slots;
};

TensorWriter::TensorWriter(std::filesystem::path path, const std::vector<Declaration>& tensors,
                           const std::map<std::string, std::string>& metadata, Replace replace)
    : impl_(std::make_unique<Impl>(std::move(path), std::move(replace))) {
  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t at = 0;
  for (const Declaration& d : tensors) {
    if (header.contains(d.name)) {
      throw Error(impl_->path.string() + ": expected each tensor once, found " + d.name + " twice");
    }
    const std::uint64_t size = byte_count(d);
    header[d.name] = {
        {"dtype", dtype_name(d.dtype)}, {"shape", d.shape}, {"data_offsets", {at, at + size}}};
    impl_->slots.push_back({d.name, at, size});
    at += size;
  }
  // Metadata may hold a path, and a path may be no UTF-8: a replaced character beats no file.
  std::string text = header.dump(-1, ' ', false, Json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' ');  // tensors begin at a multiple of 8, as readers like
  std::string start(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) start[i] = static_cast<char>(text.size() >> (8 * i));
  start += text;
  impl_->file.write(0, std::as_bytes(std::span(start)));
  for (Impl::Slot& s : impl_->slots) s.begin += start.size();
}

TensorWriter::~TensorWriter() = default;

void TensorWriter::write(std::size_t index, std::uint64_t offset,
                         std::span<const std::byte> bytes) {
  Impl::Slot& slot = impl_->slots.at(index);
  if (offset > slot.size || bytes.size() > slot.size - offset) {
    throw Error(impl_->path.string() + ": tensor " + slot.name + ": expected at most " +
                std::to_string(slot.size) + " bytes, found a write of " +
                std::to_string(bytes.size()) + " at " + std::to_string(offset));
  }
  impl_->file.write(slot.begin + offset, bytes);
  slot.written += bytes.size();
}

void TensorWriter::finish() {
  for (const Impl::Slot& slot : impl_->slots) {
    if (slot.written < slot.size) {
      throw Error(impl_->path.string() + ": tensor " + slot.name + ": expected " +
                  std::to_string(slot.size) + " bytes, found only " + std::to_string(slot.written) +
                  " written");
    }
  }
  impl_->file.commit();
}

}  // namespace mambo
