#include "kernels/cuda/tap_reduction.h"

#include <algorithm>
#include <cstddef>

#include "kernels/cuda/tap.h"

namespace mambo::cuda {

void TapReduction::begin(DeltaTap& tap) {
  tap.steps = 0;
  tap.first_step = 0;
  std::fill(tap.layers.begin(), tap.layers.end(), LayerSummary{});
  std::fill(tap.said.begin(), tap.said.end(), LayerSummary{});
}

void TapReduction::enqueue(StreamBuffers& buffers, std::uint64_t position, int steps,
                           const DeltaTap& tap) const {
  const std::vector<LayerDev>& layers = network_.net.records().layers;
  const int n = static_cast<int>(layers.size());
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const LayerDev& l = layers[i];
    buffers.jobs[i] = {l.tap_at, l.dp, network_.d_inner[i],
                       network_.layer_steps(l, position, steps)};
  }
  const auto summarise = [&](const DeviceBuffer<float>& delta, int chosen,
                             PinnedBuffer<LayerSummary>& results) {
    summarise_tap(delta.data(), buffers.jobs.data(), buffers.device_jobs.data(), n, chosen,
                  results.data(), buffers.rows.data(), buffers.stream.get());
  };
  summarise(buffers.tap, tap.layer < n ? tap.layer : -1, buffers.results);
  if (buffers.args[0].said != nullptr) summarise(buffers.said, -1, buffers.said_results);
}

void TapReduction::add(const StreamBuffers& buffers, std::uint64_t position, DeltaTap& tap) const {
  const std::vector<LayerDev>& layers = network_.net.records().layers;
  for (std::size_t i = 0; i < tap.layers.size() && i < layers.size(); ++i)
    tap.layers[i].add(buffers.results[i]);
  // Where nothing is played by hand the two are equal.
  const auto& said = buffers.args[0].said != nullptr ? buffers.said_results : buffers.results;
  for (std::size_t i = 0; i < tap.said.size() && i < layers.size(); ++i) tap.said[i].add(said[i]);
  if (tap.layer < 0 || tap.layer >= static_cast<int>(layers.size())) return;
  const auto i = static_cast<std::size_t>(tap.layer);
  const auto width = static_cast<std::size_t>(network_.d_inner[i]);
  const auto have = static_cast<std::size_t>(tap.steps);
  const std::size_t room = tap.delta.size() / width - have;
  const std::size_t rows = std::min(room, static_cast<std::size_t>(buffers.jobs[i].steps));
  if (rows > 0 && tap.steps == 0) tap.first_step = position / network_.stride_of(layers[i]);
  std::copy_n(buffers.rows.data(), rows * width,
              tap.delta.begin() + static_cast<std::ptrdiff_t>(have * width));
  tap.steps += static_cast<int>(rows);
}

}  // namespace mambo::cuda
