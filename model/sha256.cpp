#include "model/sha256.h"

#if MAMBO_HAS_OPENSSL
#include <openssl/evp.h>
#endif

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "kernels/error.h"
#include "model/platform_file.h"

namespace mambo {

#if MAMBO_HAS_OPENSSL

namespace {

class Hash {
 public:
  Hash() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
    expect(context_ != nullptr && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
  }
  void add(std::span<const std::byte> bytes) {
    expect(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
  }
  std::string hex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    expect(EVP_DigestFinal_ex(context_.get(), digest.data(), &size) == 1);
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (unsigned int i = 0; i < size; ++i) {
      text += digits[digest[i] >> 4U];
      text += digits[digest[i] & 0xFU];
    }
    return text;
  }

 private:
  static void expect(bool there) {
    if (!there) {
      throw Error("SHA-256: expected the system's OpenSSL to offer it, found that it does not");
    }
  }
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

std::string sha256_hex(std::span<const std::byte> bytes) {
  Hash hash;
  hash.add(bytes);
  return hash.hex();
}

std::string sha256_file(const std::filesystem::path& path, const LoadProgress& progress) {
  InputFile file(path);
  Hash hash;
  std::vector<std::byte> block(1U << 20U);
  std::uint64_t done = 0;
  while (const std::size_t n = file.read(block)) {
    hash.add(std::span(block).first(n));
    done += n;
    tell(progress, std::min(1.0, static_cast<double>(done) / static_cast<double>(file.size())));
  }
  return hash.hex();
}

#else  // an engine build on a machine without OpenSSL's headers

std::string sha256_hex(std::span<const std::byte> /*bytes*/) {
  throw Error("SHA-256: expected a build with OpenSSL, found one without");
}
std::string sha256_file(const std::filesystem::path& /*path*/, const LoadProgress& /*progress*/) {
  return sha256_hex({});
}

#endif

}  // namespace mambo
