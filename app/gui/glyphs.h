// Letters beyond those of the window's own font, for names of files: found among the system's fonts
// when a name needs them, since Dear ImGui 1.86 draws its letters ahead. GUI thread only.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

namespace mambo::gui {

// Letters of one face of a font's file, as ranges that Dear ImGui takes: pairs, ended by 0.
struct Fallback {
  std::string file;
  int face = 0;
  std::vector<unsigned short> ranges;
};

class Glyphs {
 public:
  // `words` as the window can show them: letters that run from right to left in the order of the
  // eye and joined, what no font has as <U+1F3B9>, bytes that are no UTF-8 as <FF>. Valid until
  // begin_frame(). Cost: none for plain words, a look into a table for others.
  const char* shown(const char* words);
  // Letters as they are typed: they are fetched, but stay as they are.
  void need(const char* words);

  void begin_frame();                        // forgets old words
  bool wants_more() const { return more_; }  // letters are needed that fallbacks() did not have yet
  // All that are needed, by font. Asks fontconfig for new ones: milliseconds, at first more.
  const std::vector<Fallback>& fallbacks();

 private:
  void note(unsigned code);
  std::string converted(const std::string& words);

  static constexpr std::size_t most = 4000;  // different letters
  std::set<unsigned> wanted_, absent_;
  std::vector<Fallback> fallbacks_;
  std::map<std::string, std::string> words_;
  bool more_ = false;
};

// The window's: Dear ImGui has one table of letters, too.
Glyphs& glyphs();

}  // namespace mambo::gui
