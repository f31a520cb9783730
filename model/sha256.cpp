#include "model/sha256.h"

#if MAMBO_HAS_OPENSSL
#include <openssl/evp.h>
#endif

#include <array>

#include "kernels/error.h"

namespace mambo {

#if MAMBO_HAS_OPENSSL

std::string sha256_hex(std::span<const std::byte> bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) {
    throw Error("SHA-256: expected the system's OpenSSL to offer it, found that it does not");
  }
  constexpr std::string_view digits = "0123456789abcdef";
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) {
    hex += digits[digest[i] >> 4U];
    hex += digits[digest[i] & 0xFU];
  }
  return hex;
}

#else  // an engine build on a machine without OpenSSL's headers

std::string sha256_hex(std::span<const std::byte> /*bytes*/) {
  throw Error("SHA-256: expected a build with OpenSSL, found one without");
}

#endif

}  // namespace mambo
