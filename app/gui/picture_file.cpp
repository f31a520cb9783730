#include "app/gui/picture_file.h"

#include <fmt/core.h>
#include <stb_image_write.h>

#include <algorithm>
#include <system_error>

#include "kernels/error.h"

namespace mambo::gui {

void save_png(const std::filesystem::path& path, int width, int height,
              std::vector<std::uint8_t> rgba) {
  const auto row = static_cast<std::size_t>(width) * 4;
  for (int y = 0; y < height / 2; ++y) {
    std::swap_ranges(rgba.begin() + static_cast<std::ptrdiff_t>(row * y),
                     rgba.begin() + static_cast<std::ptrdiff_t>(row * (y + 1)),
                     rgba.begin() + static_cast<std::ptrdiff_t>(row * (height - 1 - y)));
  }
  for (std::size_t i = 3; i < rgba.size(); i += 4) rgba[i] = 255;
  const std::filesystem::path aside = std::filesystem::path(path).concat(".new");
  std::error_code error;
  const int written =
      stbi_write_png(aside.c_str(), width, height, 4, rgba.data(), static_cast<int>(row));
  if (written != 0) std::filesystem::rename(aside, path, error);
  if (written == 0 || error) {
    std::error_code ignored;
    std::filesystem::remove(aside, ignored);
    throw Error(fmt::format("the screenshot cannot be written to {}{}", path.string(),
                            error ? ": " + error.message() : std::string()));
  }
}

}  // namespace mambo::gui
