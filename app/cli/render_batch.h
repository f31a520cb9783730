// Many renderings as one: planned as a whole before anything is drawn; each model is loaded and
// each clip absorbed once.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "app/cli/render_options.h"

namespace mambo {

// `base`: what holds for the run as a whole; orders: what is to be rendered. Returns the exit code.
int render_batch(const RenderOptions& base, const std::vector<RenderOptions>& orders);

// What the model, clip and engine at hand are, for the recipe.
void fill_in(Recipe& r, const Model& model, const Engine& engine);
Finish finish_of(const RenderOptions& o);
// Of the guard, for takes of one clip; the defaults where none has a guard.
TroubleLimits limits_of(std::span<const Take> takes, std::span<const std::uint8_t> clip,
                        const Config& config);

}  // namespace mambo
