// mambo_pages DIR: writes the manual pages and the completions for shells into DIR, as
// app/CMakeLists.txt installs them. A program of the build, not installed.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include "app/cli/commands.h"
#include "app/cli/pages.h"
#include "app/cli/say.h"
#include "app/version.h"

namespace {

void write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary);
  out.exceptions(std::ios::badbit | std::ios::failbit);
  out << text;
  out.close();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 2) throw std::runtime_error("expected a folder");
    const std::filesystem::path folder = argv[1];
    std::filesystem::create_directories(folder);
    CLI::App app;
    mambo::Run run;
    mambo::declare_commands(app, run, {});
    write(folder / "mambo.1", mambo::man_page(app, app, mambo::version()));
    for (const CLI::App* c : app.get_subcommands([](const CLI::App*) { return true; })) {
      write(folder / ("mambo-" + c->get_name() + ".1"), mambo::man_page(app, *c, mambo::version()));
    }
    write(folder / "mambo.bash", mambo::bash_completion(app));
    write(folder / "_mambo", mambo::zsh_completion(app));
    write(folder / "mambo.fish", mambo::fish_completion(app));
    return 0;
  } catch (const std::exception& e) {
    mambo::say("mambo_pages: {}\n", e.what());
    return 1;
  }
}
