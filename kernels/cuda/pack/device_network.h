// One network as the streaming kernels want it, on one device.
//
// A matrix is packed in tiles of 16 rows by 16 columns, each lane's eight weights of a tile side by
// side, in the order in which a warp's mma.m16n8k16 wants its A fragment; so a tile is one 16-byte
// load a lane (two in float32), and a row of tiles is contiguous. Columns of a pair of tiles are
// permuted (which a sum does not mind) so that a lane's share of the vector is contiguous, too:
// lane (r = lane / 4, q = lane % 4) of tiles 2c, 2c + 1 holds, of rows r and r + 8, columns
// 32 c + 8 q + 0..3 (tile 2c) and + 4..7 (tile 2c + 1).
//
// Widths are padded to 32 with zeros (state_plan.h). norm.weight is folded into in_proj and head,
// so the norm itself is one factor that is applied after the product.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/cuda/plan/state_plan.h"
#include "kernels/cuda/runtime/memory.h"
#include "kernels/engine.h"

namespace mambo::cuda {

constexpr int kMaxTiers = 12;
// Steps of one launch at most: bounded, so that what travels through pinned memory is allocated
// once. LaunchLength makes launches shorter where a display on the same GPU would wait for them.
constexpr int kMaxSteps = 512;

// Elements of a packed matrix of `rows` x `cols` (both padded already).
constexpr std::size_t tile_row_elements(int cols) { return static_cast<std::size_t>(cols) * 16; }

// ---- What kernels see: plain data ---------------------------------------------------------------
// A channel tile is 8 channels: one tile of in_proj (their 8 rows of u, then their 8 rows of z) and
// one record of all else that belongs to a channel. A record begins with its mixer's two matrices:
//   S6   A [8][h_floats] * log2 e; dt_proj [8][second]
//   S4D  decay [8][h_floats]; gain [8][second]: of h = decay h + u, y = sum Re(gain h). Real and
//        imaginary parts side by side, gain's with its sign turned, so that all is added
// and goes on with what every layer has, the last but one the mixer's (S6: dt_proj's bias; S4D:
// delta itself):
//   in_proj bias [16], conv [K][8], conv bias [8], for delta [8], D [8]
struct LayerDev {
  const void* in_proj;          // [dp/8 tiles][wp/16]...
  const void* x_proj;           // rows: delta (rp), B (np), C (np); S4D has none: xp is 0
  const void* out_proj;         // [wp/16 tiles][dp/16]...
  const float* records;         // [dp/8][record_floats]
  const float* out_bias;        // [wp]
  std::uint32_t conv_at, h_at;  // in the state, floats
  std::uint32_t tap_at;         // in the tap's buffer: [steps of a launch][dp], floats
  std::uint32_t by_hand_at;     // in a table of what is played by hand (by_hand_table.h), floats
  Mixer mixer;
  int tier, width, wp, dp, rp, xp, record_floats;
  int h_floats;  // per channel (StatePlan)
  int second;    // columns of the mixer's second matrix: S6 dt_rank padded to 4, S4D h_floats
};

struct TierDev : TierShape {
  const void* down_pool;  // [wp of the next/16][pool*wp/16]...
  const void* up_pool;    // [pool*wp/16][wp of the next/16]...
  const float* down_bias;
  const float* up_bias;
  std::uint32_t pool_buffer_at, skip_at;  // in the state, floats
  int wp;
};

struct NetDev {
  const LayerDev* layers;
  const TierDev* tiers;
  const void* embed;  // [V][wp of tier 0], as weights are stored
  const void* head;   // [vp/16 tiles][wp/16]...
  const float* head_bias;
  std::uint32_t logits_at;
  int n_layers, n_tiers, K, np, vocab, vp;
  float eps;
};

// ---- The host's side ----------------------------------------------------------------------------
// All records of a network: shapes and places in the state. Pointers to weights are null until a
// DeviceNetwork sets them. What planning knows of a network (plan/), with or without a device.
struct NetworkRecords {
  WeightStorage storage = WeightStorage::half;
  std::vector<LayerDev> layers;
  std::vector<TierDev> tiers;
  NetDev view{};               // layers and tiers: on the device, or null
  std::size_t tap_floats = 0;  // delta of every layer over kMaxSteps

  std::size_t element() const { return storage == WeightStorage::half ? 2 : 4; }
};
// Throws DeviceError when there are more than kMaxTiers tiers. Reads no weights.
NetworkRecords network_records(const NetworkView& net, const StatePlan& plan,
                               WeightStorage storage);

class DeviceNetwork {
 public:
  // Packs the weights and uploads them to the current device. Throws DeviceError.
  DeviceNetwork(const NetworkView& net, const StatePlan& plan, WeightStorage storage);

  const NetworkRecords& records() const { return records_; }  // pointers are the device's
  std::size_t weight_bytes() const { return blob_.bytes(); }

 private:
  NetworkRecords records_;
  DeviceBuffer<std::byte> blob_;
  DeviceBuffer<LayerDev> device_layers_;
  DeviceBuffer<TierDev> device_tiers_;
};

}  // namespace mambo::cuda
