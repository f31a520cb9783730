// Where the program's own files are: shipped assets, the user's configuration. Platform calls only
// here.
#pragma once

#include <filesystem>

namespace mambo {

// $MAMBO_ASSETS; else, seen from the program's folder, ../share/mambo/assets, where it is
// installed, or assets or ../assets, where it was built. Where there is none, the first, for errors
// to name.
std::filesystem::path assets_dir();
std::filesystem::path config_dir();  // $XDG_CONFIG_HOME/mambo, ~/.config/mambo; created on demand
std::filesystem::path default_model();  // the shipped model
// The shipped clip that suits a model: of drums.safetensors drums-house.wav, of digits the first
// digit-….wav, of another model the first that begins with its name; else piano's best clip. Empty
// when there is none.
std::filesystem::path default_seed_clip(const std::filesystem::path& model = {});

}  // namespace mambo
