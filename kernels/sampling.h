// How the next code is drawn: the definition that every backend follows, so that the same logits
// and the same random number give the same code everywhere. Randomness is an input: u comes from a
// counter-based generator, so sample i of random seed s is the same however the work is cut into
// chunks.
#pragma once

#include <cstdint>

namespace mambo {

// temperature 0: the most likely code (the lowest one of equals). Otherwise a code's weight is
// w = exp(logit / temperature), its own probability p what the model gives it: softmax of the
// logits at temperature 1, whatever the temperature. Truncation, in this order:
//
//   gate   in a step whose entropy (of p, in bits) is not above it, nothing is cut (0: every step
//   may
//          be cut)
//   top_k  the top_k largest weights stay (0: all)
//   top_p  of these the largest that together have at least this share of their sum (1: all)
//   min_p  of these what is at least min_p of the largest weight (0: all)
//   floor  what these three have cut comes back if its own probability is at least this (1:
//   nothing)
//
// Codes exactly as likely as the last one kept are kept too. One of what is left is drawn, with
// probability in proportion to w.
//
// What they are for: a note begins with a code that is rare (1e-4) in a step of low entropy, which
// top_p and min_p cut as they cut the noise of a step of high entropy. A floor of 1e-5 keeps it
// wherever it occurs; a gate keeps the tails of all steps of low entropy.
struct SamplingParams {
  float temperature = 1.0F;
  int top_k = 0;
  float top_p = 1.0F;
  float min_p = 0.0F;
  float floor = 1.0F;
  float gate = 0.0F;  // bits

  bool operator==(const SamplingParams&) const = default;
};

// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011), the first
// word of the block for counter `index` and key `seed`, as a float in [0, 1) with 24 bits.
#if defined(__CUDACC__)
__host__ __device__
#endif
    inline float
    philox_uniform(std::uint64_t seed, std::uint64_t index) {
  std::uint32_t c0 = static_cast<std::uint32_t>(index);
  std::uint32_t c1 = static_cast<std::uint32_t>(index >> 32U);
  std::uint32_t c2 = 0;
  std::uint32_t c3 = 0;
  std::uint32_t k0 = static_cast<std::uint32_t>(seed);
  std::uint32_t k1 = static_cast<std::uint32_t>(seed >> 32U);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = 0xD2511F53ULL * c0;
    const std::uint64_t p1 = 0xCD9E8D57ULL * c2;
    const std::uint32_t n0 = static_cast<std::uint32_t>(p1 >> 32U) ^ c1 ^ k0;
    const std::uint32_t n2 = static_cast<std::uint32_t>(p0 >> 32U) ^ c3 ^ k1;
    c1 = static_cast<std::uint32_t>(p1);
    c3 = static_cast<std::uint32_t>(p0);
    c0 = n0;
    c2 = n2;
    k0 += 0x9E3779B9U;
    k1 += 0xBB67AE85U;
  }
  return static_cast<float>(c0 >> 8U) * (1.0F / 16777216.0F);
}

}  // namespace mambo
