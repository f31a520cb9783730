#include "app/gui/glyphs.h"

#include <fmt/core.h>
#include <fontconfig/fontconfig.h>
#include <fribidi/fribidi.h>

#include <algorithm>
#include <memory>
#include <string_view>

namespace mambo::gui {
namespace {

constexpr unsigned own_end = 0x500;         // Latin, Greek, Cyrillic: the window's font has them
constexpr unsigned end_of_table = 0x10000;  // Dear ImGui's numbers of letters have 16 bits
constexpr unsigned bad_byte = 0x110000;     // plus the byte

bool is_own(unsigned code) {
  return code < own_end || (code >= 0x2010 && code <= 0x203A) ||
         (code >= 0x2190 && code <= 0x2193) || code == 0x2212 || code == 0x221E || code == 0x2264 ||
         code == 0x2265;
}

// What joins or chooses letters and has no shape of its own.
bool is_invisible(unsigned code) {
  return (code >= 0x200B && code <= 0x200F) || (code >= 0x202A && code <= 0x202E) ||
         (code >= 0xFE00 && code <= 0xFE0F) || code == 0xFEFF;
}

std::vector<unsigned> decoded(std::string_view text) {
  std::vector<unsigned> codes;
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = [&text](std::size_t at) {
      return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U;
    };
    const unsigned b = byte(i);
    const int more = b < 0x80                ? 0
                     : b >= 0xC2 && b < 0xE0 ? 1
                     : b >= 0xE0 && b < 0xF0 ? 2
                     : b >= 0xF0 && b < 0xF5 ? 3
                                             : -1;
    unsigned code = more <= 0 ? b : b & (0x3FU >> static_cast<unsigned>(more));
    bool good = more >= 0;
    for (int k = 1; good && k <= more; ++k) {
      const unsigned next = byte(i + static_cast<std::size_t>(k));
      good = (next & 0xC0U) == 0x80U;
      code = code << 6U | (next & 0x3FU);
    }
    codes.push_back(good ? code : bad_byte + b);
    i += good ? static_cast<std::size_t>(more) + 1 : 1;
  }
  return codes;
}

void encode(unsigned code, std::string& text) {  // below 0x10000
  const auto add = [&text](unsigned byte) { text += static_cast<char>(byte); };
  if (code < 0x80) {
    add(code);
  } else if (code < 0x800) {
    add(0xC0U | code >> 6U);
    add(0x80U | (code & 0x3FU));
  } else {
    add(0xE0U | code >> 12U);
    add(0x80U | (code >> 6U & 0x3FU));
    add(0x80U | (code & 0x3FU));
  }
}

// From the order of reading to that of the eye, letters joined where the script does.
void order_for_the_eye(std::vector<unsigned>& codes) {
  const auto right_to_left = [](unsigned c) {
    return (c >= 0x590 && c < 0x900) || (c >= 0xFB1D && c < 0xFE00) || (c >= 0xFE70 && c < 0xFEFF);
  };
  if (std::none_of(codes.begin(), codes.end(), right_to_left)) return;
  const std::vector<FriBidiChar> in(codes.begin(), codes.end());
  std::vector<FriBidiChar> out(in.size() + 1);
  FriBidiParType direction = FRIBIDI_PAR_LTR;  // the row that it stands in is
  const auto n = static_cast<FriBidiStrIndex>(in.size());
  if (fribidi_log2vis(in.data(), n, &direction, out.data(), nullptr, nullptr, nullptr) == 0) return;
  codes.assign(out.begin(), out.begin() + n);
  std::erase(codes, static_cast<unsigned>(FRIBIDI_CHAR_FILL));  // of two letters that became one
}

template <class T, void (*destroy)(T*)>
struct Destroy {
  void operator()(T* object) const { destroy(object); }
};
using Pattern = std::unique_ptr<FcPattern, Destroy<FcPattern, FcPatternDestroy>>;
using FontSet = std::unique_ptr<FcFontSet, Destroy<FcFontSet, FcFontSetDestroy>>;
using CharSet = std::unique_ptr<FcCharSet, Destroy<FcCharSet, FcCharSetDestroy>>;

// The system's font with outlines that it prefers for this letter; an empty name: there is none.
Fallback font_for(unsigned code) {
  const Pattern wanted(FcPatternCreate());
  const CharSet letter(FcCharSetCreate());
  FcCharSetAddChar(letter.get(), code);
  FcPatternAddCharSet(wanted.get(), FC_CHARSET, letter.get());
  FcPatternAddBool(wanted.get(), FC_SCALABLE, FcTrue);
  FcPatternAddString(wanted.get(), FC_FAMILY, reinterpret_cast<const FcChar8*>("sans-serif"));
  FcConfigSubstitute(nullptr, wanted.get(), FcMatchPattern);
  FcDefaultSubstitute(wanted.get());
  FcResult result = FcResultNoMatch;
  const FontSet fonts(FcFontSort(nullptr, wanted.get(), FcFalse, nullptr, &result));
  for (int i = 0; fonts != nullptr && i < fonts->nfont; ++i) {
    FcPattern* font = fonts->fonts[i];
    FcCharSet* has = nullptr;
    FcChar8* file = nullptr;
    FcChar8* format = nullptr;
    int face = 0;
    FcBool colour = FcFalse;
    if (FcPatternGetCharSet(font, FC_CHARSET, 0, &has) != FcResultMatch ||
        FcCharSetHasChar(has, code) == FcFalse ||
        FcPatternGetString(font, FC_FILE, 0, &file) != FcResultMatch ||
        FcPatternGetString(font, FC_FONTFORMAT, 0, &format) != FcResultMatch) {
      continue;
    }
    FcPatternGetBool(font, FC_COLOR, 0, &colour);
    FcPatternGetInteger(font, FC_INDEX, 0, &face);
    const std::string_view kind(reinterpret_cast<const char*>(format));
    if (colour != FcFalse || face > 0xFFFF || (kind != "TrueType" && kind != "CFF")) continue;
    return {reinterpret_cast<const char*>(file), face, {}};
  }
  return {};
}

}  // namespace

Glyphs& glyphs() {
  static Glyphs all;
  return all;
}

void Glyphs::note(unsigned code) {
  if (is_own(code) || code >= end_of_table || wanted_.size() >= most) return;
  if (wanted_.insert(code).second) more_ = true;
}

const char* Glyphs::shown(const char* words) {
  const std::string_view text(words);
  // Below 0x500 the first byte of a letter is below D4; the signs that the window itself uses come
  // through the table.
  if (std::all_of(text.begin(), text.end(),
                  [](char c) { return static_cast<unsigned char>(c) < 0x80; })) {
    return words;
  }
  auto it = words_.find(words);
  if (it == words_.end()) it = words_.emplace(words, converted(words)).first;
  return it->second.c_str();
}

std::string Glyphs::converted(const std::string& words) {
  std::vector<unsigned> codes = decoded(words);
  order_for_the_eye(codes);
  std::string text;
  for (const unsigned code : codes) {
    if (is_invisible(code)) continue;
    if (code >= bad_byte) {
      text += fmt::format("<{:02X}>", code - bad_byte);
    } else if (code >= end_of_table || absent_.contains(code) ||
               (wanted_.size() >= most && !wanted_.contains(code) && !is_own(code))) {
      text += fmt::format("<U+{:04X}>", code);
    } else {
      note(code);
      encode(code, text);
    }
  }
  return text;
}

void Glyphs::need(const char* words) {
  for (const unsigned code : decoded(words)) note(code);
}

void Glyphs::begin_frame() {
  if (words_.size() > 500) words_.clear();
}

const std::vector<Fallback>& Glyphs::fallbacks() {
  if (!more_) return fallbacks_;
  more_ = false;
  words_.clear();
  std::map<std::pair<std::string, int>, Fallback> fonts;
  for (Fallback& f : fallbacks_) fonts[{f.file, f.face}] = f;
  const auto has = [&fonts](unsigned code) {
    return std::any_of(fonts.begin(), fonts.end(), [code](const auto& f) {
      const auto& r = f.second.ranges;
      return std::find(r.begin(), r.end(), static_cast<unsigned short>(code)) != r.end();
    });
  };
  for (const unsigned code : wanted_) {
    if (absent_.contains(code) || has(code)) continue;
    Fallback font = font_for(code);
    if (font.file.empty()) {
      absent_.insert(code);
      continue;
    }
    Fallback& f = fonts.try_emplace({font.file, font.face}, font).first->second;
    if (!f.ranges.empty()) f.ranges.pop_back();  // the end
    f.ranges.insert(f.ranges.end(), 2, static_cast<unsigned short>(code));
    f.ranges.push_back(0);
  }
  fallbacks_.clear();
  for (auto& [name, font] : fonts) fallbacks_.push_back(std::move(font));
  return fallbacks_;
}

}  // namespace mambo::gui
