// What plays, shared by the session's owner and its worker: replaced as a whole, so that neither
// sees parts of two programs. Never used by the generator thread.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "app/live/layer_values.h"
#include "app/live/observation.h"
#include "kernels/engine.h"
#include "model/model.h"

namespace mambo {

class NowPlaying {
 public:
  struct Facts {
    std::shared_ptr<const Model> model;  // null until one is loaded
    std::shared_ptr<const Engine> engine;
    std::string engine_notice;   // why it is not the engine hoped for; mostly empty
    std::filesystem::path clip;  // empty: from silence. Before there is a model: the clip to come
    double clip_seconds = 0;
    std::optional<double> clip_lufs;  // of its end (app/files/loudness.h); empty: silence
    ObservationSource observations;
    std::shared_ptr<const LayerValues> layers;  // of its controls; null until there is a model
    double rate() const { return model ? model->config().sample_rate : 0; }  // Hz; 0: no model
  };

  Facts get() const {
    const std::lock_guard lock(mutex_);
    return facts_;
  }
  // f(Facts&) or f(const Facts&) under the lock; returns what f returns.
  template <class F>
  auto change(F f) {
    const std::lock_guard lock(mutex_);
    return f(facts_);
  }
  template <class F>
  auto look(F f) const {
    const std::lock_guard lock(mutex_);
    return f(facts_);
  }

 private:
  mutable std::mutex mutex_;
  Facts facts_;
};

}  // namespace mambo
