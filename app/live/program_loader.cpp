#include "app/live/program_loader.h"

#include <utility>
#include <vector>

#include "app/files/audio_file.h"
#include "app/files/loudness.h"

namespace mambo {
namespace {

bool is_cpu(const Engine& engine) { return engine.backend() == Backend::cpu; }

}  // namespace

std::shared_ptr<const Engine> ProgramLoader::upload(const Model& model, const std::string& backend,
                                                    std::string* notice) const {
  std::string none;
  std::string* to = notice != nullptr ? notice : &none;
  return options_.engines ? options_.engines(model.network(), backend, options_.engine, to)
                          : make_engine(model.network(), backend, options_.engine, to);
}

ProgramLoader::Loaded ProgramLoader::open(const Path& path, const LoadOptions& load) const {
  Loaded loaded;
  report_(Activity::loading_model, 0);
  loaded.model = Model::load(path, load, [this](double share) {
    return report_(Activity::loading_model, 0.3F * static_cast<float>(share));
  });
  loaded.engine = upload(*loaded.model, options_.backend, &loaded.notice);
  if (!report_(Activity::loading_model, 1)) throw Cancelled();
  return loaded;
}

ProgramLoader::Prepared ProgramLoader::prepare(const std::shared_ptr<const Model>& model,
                                               const std::shared_ptr<const Engine>& engine,
                                               const Path& clip, int tap_layer) const {
  Prepared next;
  next.clip = clip;
  std::vector<std::uint8_t> codes;
  if (!clip.empty()) {
    report_(Activity::loading_clip, 0);
    ClipCodes loaded = load_clip_codes(
        clip, model->config().sample_rate, model->config().encoding, {}, [this](double share) {
          return report_(Activity::loading_clip, static_cast<float>(share));
        });
    next.clip_seconds = loaded.seconds;
    codes = std::move(loaded.codes);
    next.clip_lufs = loudness_of_end(codes, model->config().encoding, model->config().sample_rate);
  }
  prefilling(0);
  const auto absorb = [&](const std::shared_ptr<const Engine>& on) {
    return make_program(model, on, codes, tap_layer, options_.chunk,
                        [this](float done) { return prefilling(done); });
  };
  try {
    next.program = absorb(engine);
  } catch (const DeviceError& e) {
    if (is_cpu(*engine)) throw;
    next.notice = std::string("The GPU refused (") + e.what() + "); the CPU computes";
  }
  // Not in the handler: the exception may hold what the GPU's memory is needed for.
  if (next.program == nullptr)
    next.program = absorb(upload(*model, backend_name(Backend::cpu), nullptr));
  return next;
}

std::unique_ptr<Program> ProgramLoader::revive(const Program& lost,
                                               std::span<const std::uint8_t> drawn,
                                               std::uint64_t drawn_in_all) const {
  if (is_cpu(*lost.engine)) throw Error("there is no other engine");
  prefilling(0);
  return revive_program(lost, upload(*lost.model, backend_name(Backend::cpu), nullptr), drawn,
                        drawn_in_all, [this](float done) { return prefilling(done); });
}

}  // namespace mambo
