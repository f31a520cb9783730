// Manual pages and completions for shells, made from the command line's own options: what --help
// says, in the forms that man, bash, zsh and fish read. Pure functions; for build time only
// (pages_main.cpp).
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace mambo {

// roff. command: one of app's, for mambo-render(1); or app itself, for mambo(1).
std::string man_page(const CLI::App& app, const CLI::App& command, const std::string& version);
std::string bash_completion(const CLI::App& app);
std::string zsh_completion(const CLI::App& app);
std::string fish_completion(const CLI::App& app);

}  // namespace mambo
