#include "model/json_text.h"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <string>

#include "model/message.h"
#include "tests/model/temp_folder.h"

namespace mambo {
namespace {

using testing::error_of;

std::string refusal(const std::string& text) {
  return error_of([&] { parse_json(text, "f"); });
}

TEST(JsonText, IsWhatTheLibraryReads) {
  for (const std::string text :
       {"{}", "[]", "3", "-3", "1.5", "18446744073709551615", "\"a\\u00e9\"", "null", "true",
        R"({"z":1,"a":[1,{"b":[]},null,-2.5e3],"m":{"x":"y","w":{}}})"}) {
    EXPECT_EQ(parse_json(text, "f"), Json::parse(text)) << text;
    EXPECT_EQ(parse_json(text, "f").dump(), Json::parse(text).dump()) << "the order of the keys";
  }
}

TEST(JsonText, ManyKeysTakeNoSquareOfTheirNumber) {
  std::string text = "{";
  for (int i = 0; i < 400'000; ++i) text += "\"" + std::to_string(i) + "\":0,";
  text.back() = '}';
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(parse_json(text, "f").size(), 400'000U);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

TEST(JsonText, AKeyThatIsThereTwiceIsNamed) {
  for (const char* text : {R"({"b":1,"a":2,"b":3})", R"([{"x":{"b":1,"b":2}}])",
                           R"({"b":{"b":1},"c":[{"b":2}],"b":0})"}) {
    EXPECT_EQ(refusal(text), "f: expected each key once, found b twice") << text;
  }
}

TEST(JsonText, DepthAndNumberOfValuesAreBounded) {
  EXPECT_NO_THROW(parse_json(std::string(32, '[') + std::string(32, ']'), "f"));
  for (const std::size_t depth : {std::size_t{33}, std::size_t{100'000}}) {
    EXPECT_EQ(refusal(std::string(depth, '[')),
              "f: expected JSON nested at most 32 deep, found more");
  }
  std::string many = "[0";
  for (int i = 0; i < (1 << 21); ++i) many += ",0";
  EXPECT_EQ(refusal(many + "]"), "f: expected JSON of at most 2097152 values, found more");
}

TEST(JsonText, WhatIsNoJsonIsSaidWithItsPlaceAndNothingOfTheLibrary) {
  const std::pair<std::string, const char*> cases[] = {
      {"", "f: expected JSON, found none at column 1: its end"},
      {"RIFF", "f: expected JSON, found none at column 1: \"R\" there"},
      {"{\"a\":\n  ?}", "f: expected JSON, found none at line 2, column 3: \""},
      {"{\"a\":1", "f: expected JSON, found none at column 7: its end"},
      {"[1e999]", "f: expected JSON"},
      {"\xFF\xFE", "f: expected JSON"},
      {std::string("\0", 1), "f: expected JSON"}};
  for (const auto& [text, words] : cases) {
    const std::string said = refusal(text);
    EXPECT_EQ(said.rfind(words, 0), 0U) << said;
    for (const char* leak : {"json.exception", "parse error", "syntax error", "parsing"}) {
      EXPECT_EQ(said.find(leak), std::string::npos) << said;
    }
  }
}

TEST(JsonFieldsTest, HoldsEachValueToItsKindAndRange) {
  const Json json = parse_json(
      R"({"half":0.5,"e23":1e23,"big":90000000000000000000,"minus":-1,"word":"x","no":null,)"
      R"("yes":true,"five":5,"nul":"a\u0000b","out":"../x","hash":"abc"})",
      "f");
  const JsonFields f(json, "f");
  EXPECT_EQ(f.integer("five", 0, 9), 5);
  EXPECT_EQ(f.real("half", 0, 1), 0.5);
  EXPECT_EQ(f.whole("five", 9), 5U);
  EXPECT_EQ(f.text_or("no", "z"), "z");
  EXPECT_EQ(f.text_or("none", "z"), "z");
  EXPECT_EQ(f.file_name("word"), "x");
  const std::pair<std::function<void()>, const char*> cases[] = {
      {[&] { f.integer("half", 0, 9); }, "f: half: expected an integer from 0 to 9, found 0.5"},
      {[&] { f.integer("e23", 0, 9); }, "f: e23: expected an integer from 0 to 9, found "},
      {[&] { f.integer("big", 0, 9); }, "f: big: expected an integer"},
      {[&] { f.integer("five", 0, 4); }, "f: five: expected an integer from 0 to 4, found 5"},
      {[&] { f.integer("yes", 0, 4); }, "f: yes: expected an integer from 0 to 4, found true"},
      {[&] { f.whole("minus", UINT64_MAX); }, "f: minus: expected a whole number from 0 to"},
      {[&] { f.whole("big", UINT64_MAX); }, "f: big: expected a whole number from 0 to"},
      {[&] { f.real("e23", 0, 1); }, "f: e23: expected a number from 0.0 to 1.0, found "},
      {[&] { f.real("word", 0, 1); }, "f: word: expected a number"},
      {[&] { f.text("five"); }, "f: five: expected a string, found 5"},
      {[&] { f.text("none"); }, "f: expected none, found none"},
      {[&] {
         f.one_of("word", {"a", "b"});
       },
       "f: word: expected a or b, found x"},
      {[&] { f.path("nul"); }, "f: nul: expected the name of a file, found one with a NUL: a?b"},
      {[&] { f.file_name("out"); }, "f: out: expected the plain name of a file"},
      {[&] { f.hash("hash"); }, "f: hash: expected a SHA-256 of 64 digits, found abc"},
      {[&] { f.only({"half"}); }, "f: unknown key: expected one of half, found e23"}};
  for (const auto& [read, words] : cases) {
    const std::string said = error_of(read);
    EXPECT_EQ(said.rfind(words, 0), 0U) << said;
  }
}

TEST(PlainName, IsOneInTheFolderAtHand) {
  for (const std::string name : {"a.wav", "\xC3\xA9tude 1.wav", "..a", "a..", "-"}) {
    EXPECT_TRUE(is_plain_name(name)) << name;
  }
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), std::string("a/b"), std::string("/a"),
        std::string("../a"), std::string("a\0b", 3), std::string("a\nb"), std::string("a\x7F"),
        std::string(256, 'a')}) {
    EXPECT_FALSE(is_plain_name(name)) << name;
  }
}

TEST(Printable, ShowsForeignTextWithoutItsCommands) {
  const std::string letters = "\xC3\xA9\xE6\x97\xA5\xF0\x9F\x8E\xB9";
  EXPECT_EQ(printable(letters), letters);
  EXPECT_EQ(printable("a\x1B[2Jb\nc\x7F"), "a?[2Jb?c?");
  EXPECT_EQ(printable("a\xC2\x9B[2J"), "a?[2J");                // C1: an escape to some terminals
  EXPECT_EQ(printable("a\xE2\x80\xAEgpj.exe"), "a?gpj.exe");    // right to left from here on
  EXPECT_EQ(printable("a\xFF\xC3x\xED\xA0\x80z"), "a??x???z");  // no UTF-8
  EXPECT_EQ(printable("\xC3\xA9\xC3\xA9", 3), "\xC3\xA9...");   // not inside a character
}

}  // namespace
}  // namespace mambo
