// A safetensors file (github.com/huggingface/safetensors, format of 2023): 8 bytes of header
// length, a JSON header, then the tensors. Read into memory once; every offset is checked against
// the file before the tensors are read. Written under a temporary name and renamed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/network.h"
#include "model/output_file.h"
#include "model/progress.h"

namespace mambo {

struct TensorEntry {
  std::string dtype_name;  // as written, e.g. "F32", "I64"
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;  // borrowed from the file
};

class TensorFile {
 public:
  // Throws Error (missing, empty, truncated, not safetensors, header beyond the file, overlapping
  // or out-of-range offsets, sizes that do not match shape and dtype).
  static TensorFile open(const std::filesystem::path& path, const LoadProgress& progress = {});
  // Of a file, whose header alone is read. Throws Error likewise, for what is in the header.
  static std::map<std::string, std::string> metadata_of(const std::filesystem::path& path);
  // The same checks over bytes in memory (borrowed): what the fuzz target calls.
  static TensorFile parse(std::span<const std::byte> bytes, const std::string& name);

  const std::string& name() const { return name_; }
  const std::map<std::string, TensorEntry>& tensors() const { return tensors_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  std::uint64_t file_bytes() const { return bytes_.size(); }
  std::span<const std::byte> all_bytes() const { return bytes_; }
  bool has(const std::string& tensor) const { return tensors_.count(tensor) != 0; }
  // The tensor as F32, F16, BF16 or U8 view whose dimensions multiply to rows x cols with `shape`
  // exactly; throws Error naming the tensor, the expected and the found shape or dtype.
  TensorView get(const std::string& tensor, const std::vector<std::int64_t>& shape) const;

 private:
  std::string name_;
  std::shared_ptr<const void> owner_;  // of the bytes
  std::span<const std::byte> bytes_;
  std::map<std::string, TensorEntry> tensors_;
  std::map<std::string, std::string> metadata_;
};

// Writes tensors one after another as they come, so that a file larger than memory can be written:
// declare all, then write each in order, in as many pieces as liked, then finish (which renames the
// temporary file to `path`). Without finish, nothing is left behind. `replace`: what may lie there.
class TensorWriter {
 public:
  struct Declaration {
    std::string name;
    DType dtype;
    std::vector<std::int64_t> shape;
  };
  TensorWriter(std::filesystem::path path, const std::vector<Declaration>& tensors,
               const std::map<std::string, std::string>& metadata = {},
               Replace replace = Replace::nothing());
  ~TensorWriter();
  TensorWriter(const TensorWriter&) = delete;
  TensorWriter& operator=(const TensorWriter&) = delete;
  // Appends at byte `offset` of tensor `index` (order of declaration). Throws Error on a full disk.
  void write(std::size_t index, std::uint64_t offset, std::span<const std::byte> bytes);
  void finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mambo
