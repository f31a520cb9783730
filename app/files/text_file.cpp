#include "app/files/text_file.h"

#include <span>
#include <utility>

namespace mambo {

void write_text_file(const std::filesystem::path& path, std::string_view text, Replace replace) {
  OutputFile file(path, std::move(replace));
  file.write(0, std::as_bytes(std::span(text)));
  file.commit();
}

}  // namespace mambo
