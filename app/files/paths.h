// Where the program's own files are: shipped assets, the user's configuration. Platform calls only
// here.
#pragma once

#include <filesystem>
#include <string>

namespace mambo {

// $MAMBO_ASSETS; else, seen from the program's folder, ../share/mambo/assets, where it is
// installed, or assets or ../assets, where it was built. Where there is none, the first, for errors
// to name.
std::filesystem::path assets_dir();
std::filesystem::path config_dir();  // $XDG_CONFIG_HOME/mambo, ~/.config/mambo; created on demand
// The user's folder for music: XDG_MUSIC_DIR of $XDG_CONFIG_HOME/user-dirs.dirs, which a desktop
// writes in the user's language; else ~/Music where that is a folder. Empty: there is none.
std::filesystem::path music_dir();
std::filesystem::path recordings_dir();  // music_dir(), or out/ here where there is none
std::filesystem::path default_model();   // the shipped model
// The shipped clip that suits a model: of drums.safetensors drums-house.wav, of digits the first
// digit-….wav, of another model the first that begins with its name; else piano's best clip. Empty
// when there is none.
std::filesystem::path default_seed_clip(const std::filesystem::path& model = {});
// Which models a shipped clip is meant for: the name of the shipped model that has it as its own
// (drums-latin.wav: "drums"), else of the shipped model that has none of its own, piano. Empty: no
// shipped clip.
std::string family_of_seed_clip(const std::filesystem::path& clip);
// The same of a model: its own name where clips are shipped for it, else piano's.
std::string family_of_model(const std::filesystem::path& model);

}  // namespace mambo
