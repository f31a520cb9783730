// Names of files made from fields: "{clip}-{random_seed}.wav".
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace mambo {

struct NameFields {
  std::string clip;    // name of the clip without extension; "silence"
  std::string folder;  // name of the clip's folder
  std::string model;   // name of the model's file without extension
  std::uint64_t random_seed = 0;
  int n = 0;    // of the variation, from 0
  int job = 1;  // line of the job list
};

inline constexpr const char* name_fields = "{clip}, {folder}, {model}, {random_seed}, {n}, {job}";

// Throws UsageError at a field that does not exist; {{ and }} stand for braces.
std::string fill_in(const std::string& pattern, const NameFields& fields);
bool has_field(const std::string& pattern, const char* field);  // "n"
bool has_fields(const std::string& pattern);                    // any at all

std::string literal(const std::string& name);  // the pattern that makes this very name

// Throws UsageError unless it is a name below the folder that it is meant for: relative, without
// "..". For names that others chose.
void must_stay_below(const std::filesystem::path& path);

}  // namespace mambo
