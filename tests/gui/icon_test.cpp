// The icon in the window and the one in the desktop's menu are one drawing.
#include "app/gui/icon.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <regex>
#include <string>

namespace mambo::gui {
namespace {

TEST(Icon, IsTheDrawingOfTheDesktop) {
  std::ifstream file(MAMBO_ASSETS "/../packaging/mambo.svg");
  const std::string svg{std::istreambuf_iterator<char>(file), {}};
  constexpr int size = 256;  // two pixels per unit of the drawing
  const std::vector<std::uint8_t> icon = draw_icon(size);
  ASSERT_EQ(icon.size(), size * size * 4U);
  const auto pixel = [&](double x, double y) {  // "#rrggbb aa"
    const auto column = static_cast<std::size_t>(std::lround(2 * x));
    const std::size_t at = (static_cast<std::size_t>(std::lround(2 * y)) * size + column) * 4;
    std::array<char, 16> text{};
    std::snprintf(text.data(), text.size(), "#%02x%02x%02x %02x", icon[at], icon[at + 1],
                  icon[at + 2], icon[at + 3]);
    return std::string(text.data());
  };
  EXPECT_EQ(pixel(0, 0).substr(8), "00") << "a round corner";
  EXPECT_EQ(pixel(127.5, 64).substr(8), "ff") << "a straight edge";
  const std::string ground = "#14181f ff";
  ASSERT_NE(svg.find("fill=\"#14181f\""), std::string::npos);
  int bars = 0;
  const std::regex group(R"re(<g stroke="(#[0-9a-f]{6})"[^>]*>\s*<path d="([^"]*)")re");
  for (std::sregex_iterator g(svg.begin(), svg.end(), group), none; g != none; ++g) {
    const std::string colour = (*g)[1].str() + " ff";
    const std::string path = (*g)[2];
    const std::regex bar(R"(M(\d+) (\d+)v(\d+))");
    for (std::sregex_iterator b(path.begin(), path.end(), bar); b != none; ++b, ++bars) {
      const double x = std::stod((*b)[1]), top = std::stod((*b)[2]), length = std::stod((*b)[3]);
      for (const double y : {top - 3, top + length / 2, top + length + 2.5}) {
        EXPECT_EQ(pixel(x, y), colour) << x << ", " << y;  // within the stroke and its round ends
      }
      for (const double y : {top - 4.5, top + length + 4.5}) EXPECT_EQ(pixel(x, y), ground) << x;
      EXPECT_EQ(pixel(x - 4.5, top), ground) << x;
    }
  }
  EXPECT_EQ(bars, 8);
}

}  // namespace
}  // namespace mambo::gui
