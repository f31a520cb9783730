// Where the program's own files are: shipped assets, the user's configuration. Platform calls only here.
#pragma once

#include <filesystem>

namespace mambo {

std::filesystem::path assets_dir();   // beside the program, or the source tree's, or $MAMBO_ASSETS
std::filesystem::path config_dir();   // $XDG_CONFIG_HOME/mambo, ~/.config/mambo; created on demand
std::filesystem::path default_model();      // the shipped model
std::filesystem::path default_seed_clip();  // the shipped seed

}  // namespace mambo
