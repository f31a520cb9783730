#include "listen.h"

#include <gtest/gtest.h>

#include <random>

#include "app/files/audio_file.h"
#include "app/files/codes.h"
#include "model/voice.h"
#include "tests/model/temp_folder.h"
#include "tests/model/tiny_model.h"

namespace mambo::testing {

namespace {

void write_tiny_model(const std::filesystem::path& path) {
  const TinyModel tiny;
  std::vector<TensorWriter::Declaration> declarations;
  for (const auto& [name, t] : tiny.tensors) declarations.push_back({name, t.dtype, t.shape});
  TensorWriter writer(path, declarations, {{"mambo.config", tiny.config}});
  std::mt19937 rng(1);
  std::normal_distribution<float> normal(0, 0.5F);
  for (std::size_t i = 0; i < declarations.size(); ++i) {
    std::size_t n = 1;
    for (const std::int64_t d : declarations[i].shape) n *= static_cast<std::size_t>(d);
    std::vector<float> numbers(n);
    for (float& x : numbers) x = normal(rng);
    writer.write(i, 0, std::as_bytes(std::span(numbers)));
  }
  writer.finish();
}

}  // namespace

const std::filesystem::path& model_path() {
  static const TempFolder folder;
  static const std::filesystem::path path = [] {
    if (!kSanitized) return std::filesystem::path(MAMBO_ASSETS "/models/piano-lab.safetensors");
    write_tiny_model(folder / "tiny.safetensors");
    return folder / "tiny.safetensors";
  }();
  return path;
}

std::filesystem::path short_clip(const std::filesystem::path& folder) {
  const Clip whole = load_clip(kClip, 16000);
  const std::filesystem::path path = folder / "short.wav";
  AudioWriter writer(path, WriterOptions{});  // 16 kHz
  writer.write(std::span(whole.samples).first(24000));
  writer.close();
  return path;
}

void leave_noise_alone(Session& session) {
  if (kSanitized) session.set(ControlId::guard, 0);
}

bool bring_up(Session& session, const std::filesystem::path& clip) {
  leave_noise_alone(session);
  if (!clip.empty()) session.open_clip(clip);
  session.open_model(model_path());
  const bool up = within(20, [&] {
    return session.model() != nullptr && session.status().activity == Activity::ready;
  });
  EXPECT_TRUE(up) << session.status().message;
  EXPECT_EQ(session.clip_path(), clip) << session.status().message;
  return up && session.clip_path() == clip;
}

std::vector<Observation> watch(Session& session, std::size_t samples, std::uint64_t after) {
  std::vector<Observation> seen;
  std::size_t n = 0;
  within(20, [&] {
    const Observation* o = nullptr;
    for (; n < samples && (o = session.front()) != nullptr; session.pop()) {
      if (o->generation <= after) continue;
      if (!seen.empty() && seen.back().generation != o->generation) {  // it started anew
        seen.clear();
        n = 0;
      }
      if (!o->from_clip) n += o->codes.size();
      seen.push_back(*o);
    }
    return n >= samples;
  });
  EXPECT_GE(n, samples) << "too few observations in 20 s";
  return seen;
}

std::vector<std::uint8_t> codes_of(const std::vector<Observation>& seen, bool from_clip) {
  std::vector<std::uint8_t> codes;
  for (const Observation& o : seen) {
    if (o.from_clip == from_clip) codes.insert(codes.end(), o.codes.begin(), o.codes.end());
  }
  return codes;
}

struct Offline::Impl {
  explicit Impl(const std::string& backend) : engine(make_engine(model->network(), backend)) {}
  std::shared_ptr<const Model> model = Model::load(model_path());
  std::unique_ptr<Engine> engine;
  Voice generator{*engine};
  Snapshot before = generator.snapshot();
  std::vector<std::uint8_t> clip{silence_code};
};

Offline::Offline(const std::filesystem::path& clip, std::uint64_t rng_seed,
                 const std::string& backend)
    : impl_(std::make_unique<Impl>(backend)) {
  const Config& config = impl_->model->config();
  if (!clip.empty()) {
    impl_->clip = encode(load_clip(clip, config.sample_rate).samples, config.encoding);
  }
  impl_->generator.prefill(impl_->clip);
  impl_->generator.set_rng(rng_seed);
}
Offline::~Offline() = default;

std::vector<std::uint8_t> Offline::codes(std::size_t n, const SamplingParams& p) {
  impl_->generator.save_into(impl_->before);
  impl_->generator.set_sampling(p);
  std::vector<std::uint8_t> codes(n);
  impl_->generator.generate(codes);
  return codes;
}

std::vector<float> Offline::samples(std::size_t n) {
  const std::array<float, 256> table = decode_table(impl_->model->config().encoding);
  std::vector<float> samples;
  for (const std::uint8_t c : codes(n)) samples.push_back(table[c]);
  return samples;
}

int Offline::rate() const { return impl_->model->config().sample_rate; }
const std::vector<std::uint8_t>& Offline::clip() const { return impl_->clip; }
void Offline::step_back() { impl_->generator.restore(impl_->before); }

}  // namespace mambo::testing
