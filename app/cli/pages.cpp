#include "app/cli/pages.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace mambo {
namespace {

using Options = std::vector<const CLI::Option*>;
using Commands = std::vector<const CLI::App*>;

Options options_of(const CLI::App& app) {
  Options out;
  for (const CLI::Option* o : app.get_options([](const CLI::Option*) { return true; })) {
    const bool hidden = o->get_group().empty();
    if (!hidden && o->nonpositional()) out.push_back(o);
  }
  return out;
}

Options positionals_of(const CLI::App& app) {
  return app.get_options([](const CLI::Option* o) { return o->get_positional(); });
}

Commands commands_of(const CLI::App& app) {
  Commands out;
  for (const CLI::App* c : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (!c->get_group().empty()) out.push_back(c);
  }
  return out;
}

bool takes_value(const CLI::Option& o) { return o.get_items_expected_max() > 0; }

// "--model", "-m": as they are typed.
std::vector<std::string> names_of(const CLI::Option& o) {
  std::vector<std::string> out;
  for (const std::string& s : o.get_snames()) out.push_back("-" + s);
  for (const std::string& l : o.get_lnames()) out.push_back("--" + l);
  return out;
}

// The words that an option takes, from "TEXT:{wav,flac,ogg}"; none where it takes others.
std::vector<std::string> words_of(const CLI::Option& o) {
  const std::string type = o.get_type_name();
  const std::size_t from = type.find('{');
  const std::size_t to = type.find('}', from == std::string::npos ? 0 : from);
  std::vector<std::string> out;
  if (from == std::string::npos || to == std::string::npos) return out;
  std::istringstream list(type.substr(from + 1, to - from - 1));
  for (std::string word; std::getline(list, word, ',');) out.push_back(word);
  return out;
}

bool takes_file(const CLI::Option& o) {
  const std::string type = o.get_type_name();
  for (const std::string_view kind : {"FILE", "PATH", "DIR"}) {
    if (type.find(kind) != std::string::npos) return true;
  }
  return false;
}

std::string in_one_line(const std::string& text) {
  std::string out;
  std::istringstream words(text);
  for (std::string word; words >> word;) out += (out.empty() ? "" : " ") + word;
  return out;
}

// The first clause: what fits beside a name in a list.
std::string in_short(const std::string& text) {
  std::string out = in_one_line(text);
  for (const std::string_view end : {" (default", ". ", "; ", ": "}) {
    const std::size_t at = out.find(end);
    if (at != std::string::npos && at > 0) out.resize(at);
  }
  while (!out.empty() && out.back() == '.') out.pop_back();
  return out;
}

std::string replaced(std::string text, std::string_view what, std::string_view by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size()) {
    text.replace(at, what.size(), by);
  }
  return text;
}

// Text for roff: no escapes of its own, hyphens that can be copied, no line that is a request.
std::string roff(const std::string& text) {
  const std::string out = replaced(replaced(text, "\\", "\\e"), "-", "\\-");
  return !out.empty() && (out.front() == '.' || out.front() == '\'') ? "\\&" + out : out;
}

// For '...' of a shell.
std::string quoted(const std::string& text) { return "'" + replaced(text, "'", "'\\''") + "'"; }

std::string value_of(const CLI::Option& o) {
  std::string out = o.get_type_name();
  if (!o.get_default_str().empty()) out += "=" + o.get_default_str();
  return out;
}

// Lines as they are, what is indented set as an example.
std::string roff_lines(const std::string& text) {
  std::string out;
  std::istringstream lines(text);
  bool example = false;
  for (std::string line; std::getline(lines, line);) {
    const bool indented = line.starts_with("  ");
    if (indented != example) out += indented ? ".nf\n" : ".fi\n";
    example = indented;
    if (line == "Examples:") {
      out += ".SH EXAMPLES\n";
    } else {
      out += line.empty() ? ".PP\n" : roff(line) + "\n";
    }
  }
  return out + (example ? ".fi\n" : "");
}

std::string fish_options(const CLI::App& app, const std::string& when) {
  std::string out;
  for (const CLI::Option* o : options_of(app)) {
    out += "complete -c mambo -n " + quoted(when);
    for (const std::string& s : o->get_snames()) out += " -s " + s;
    for (const std::string& l : o->get_lnames()) out += " -l " + l;
    const std::vector<std::string> words = words_of(*o);
    if (!words.empty()) {
      out += fmt::format(" -x -a {}", quoted(fmt::format("{}", fmt::join(words, " "))));
    } else if (takes_value(*o)) {
      out += takes_file(*o) ? " -r -F" : " -x";
    }
    out += " -d " + quoted(in_short(o->get_description())) + "\n";
  }
  for (const CLI::Option* o : positionals_of(app)) {
    out += fmt::format("complete -c mambo -f -n {} -a {} -d {}\n", quoted(when),
                       quoted(fmt::format("{}", fmt::join(words_of(*o), " "))),
                       quoted(in_short(o->get_description())));
  }
  return out;
}

std::string zsh_text(const std::string& text) {
  return replaced(replaced(replaced(replaced(text, "'", "'\\''"), "[", "("), "]", ")"), ":", "\\:");
}

std::string zsh_options(const CLI::App& app, const std::string& indent) {
  std::string out;
  for (const CLI::Option* o : options_of(app)) {
    const std::vector<std::string> words = words_of(*o);
    std::string value;
    if (!words.empty()) {
      value = fmt::format(":value:({})", fmt::join(words, " "));
    } else if (takes_value(*o)) {
      value = takes_file(*o) ? ":file:_files" : ":value: ";
    }
    for (const std::string& name : names_of(*o)) {
      out += fmt::format("{}'*{}[{}]{}' \\\n", indent, name,
                         zsh_text(in_short(o->get_description())), value);
    }
  }
  for (const CLI::Option* o : positionals_of(app)) {
    out += fmt::format("{}'*:{}:({})' \\\n", indent, o->get_name(), fmt::join(words_of(*o), " "));
  }
  if (!positionals_of(app).empty()) return out.substr(0, out.size() - 3) + "\n";
  return out + indent + "'*:file:_files'\n";
}

// Cases of bash's `case $before in`: what an option takes.
std::string bash_values(const CLI::App& app, const std::string& indent) {
  std::string out;
  for (const CLI::Option* o : options_of(app)) {
    if (!takes_value(*o)) continue;
    const std::string names = fmt::format("{}", fmt::join(names_of(*o), "|"));
    const std::vector<std::string> words = words_of(*o);
    if (!words.empty()) {
      out += fmt::format("{}{}) COMPREPLY=($(compgen -W '{}' -- \"$word\")); return;;\n", indent,
                         names, fmt::join(words, " "));
    } else {
      out += fmt::format("{}{}) {}return;;\n", indent, names,
                         takes_file(*o) ? "COMPREPLY=($(compgen -f -- \"$word\")); " : "");
    }
  }
  return out;
}

std::string bash_names(const CLI::App& app) {
  std::string out;
  for (const CLI::Option* o : options_of(app)) {
    out += fmt::format("{}{}", out.empty() ? "" : " ", fmt::join(names_of(*o), " "));
  }
  return out;
}

std::string bash_words(const CLI::App& app) {
  std::string out;
  for (const CLI::Option* o : positionals_of(app)) {
    out += fmt::format("{}", fmt::join(words_of(*o), " "));
  }
  return out;
}

}  // namespace

std::string man_page(const CLI::App& app, const CLI::App& command, const std::string& version) {
  const bool whole = &app == &command;
  const std::string name = whole ? app.get_name() : app.get_name() + "-" + command.get_name();
  const std::string typed = whole ? app.get_name() : app.get_name() + " " + command.get_name();
  std::string what = in_one_line(command.get_description());
  if (what.starts_with(name + ": ")) what.erase(0, name.size() + 2);
  std::string out = fmt::format(".TH {} 1 \"\" \"mambo {}\" \"User Commands\"\n", name, version);
  out += fmt::format(".SH NAME\n{} \\- {}\n", roff(name), roff(what));
  out += fmt::format(".SH SYNOPSIS\n.B {}\n[OPTIONS]{}\n", roff(typed), whole ? " [COMMAND]" : "");
  if (whole) {
    out += ".SH COMMANDS\n";
    for (const CLI::App* c : commands_of(app)) {
      out += fmt::format(".TP\n.BR mambo\\-{} (1)\n{}\n", c->get_name(),
                         roff(in_one_line(c->get_description())));
    }
  }
  if (!positionals_of(command).empty()) out += ".SH ARGUMENTS\n";
  for (const CLI::Option* o : positionals_of(command)) {
    out += fmt::format(".TP\n.I {} {}\n{}\n", roff(o->get_name()), roff(value_of(*o)),
                       roff(in_one_line(o->get_description())));
  }
  out += ".SH OPTIONS\n";
  for (const CLI::Option* o : options_of(command)) {
    std::string names;
    for (const std::string& n : names_of(*o)) names += (names.empty() ? "" : ", ") + n;
    const std::string value = takes_value(*o) ? " " + roff(value_of(*o)) : "";
    out += fmt::format(".TP\n\\fB{}\\fR{}\n{}\n", roff(names), value,
                       roff(in_one_line(o->get_description())));
  }
  const std::string footer = command.get_footer();
  if (!footer.empty() && !footer.starts_with("\nExamples:")) out += ".SH DESCRIPTION\n";
  out += roff_lines(footer.empty() || footer.front() != '\n' ? footer : footer.substr(1));
  out += ".SH \"EXIT STATUS\"\n0, or 1 (failure), 2 (bad usage), 130 (interrupted).\n";
  return out + (whole ? "" : ".SH \"SEE ALSO\"\n.BR mambo (1)\n");
}

std::string bash_completion(const CLI::App& app) {
  std::string commands, cases;
  for (const CLI::App* c : commands_of(app)) {
    commands += " " + c->get_name();
    cases +=
        fmt::format("    {})\n      case $before in\n{}      esac\n      names='{}' words='{}';;\n",
                    c->get_name(), bash_values(*c, "        "), bash_names(*c), bash_words(*c));
  }
  return fmt::format(
      "# Completions of mambo for bash; made from its options.\n"
      "_mambo() {{\n"
      "  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}} command= i "
      "names words=\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    case \" {0} \" in *\" ${{COMP_WORDS[i]}} \"*) command=${{COMP_WORDS[i]}}; break;; esac\n"
      "  done\n"
      "  case $command in\n"
      "{1}"
      "    *)\n      case $before in\n{2}      esac\n      names='{3}' words='{0}';;\n"
      "  esac\n"
      "  case $word in\n"
      "    -*) COMPREPLY=($(compgen -W \"$names\" -- \"$word\"));;\n"
      "    *) COMPREPLY=($(compgen -W \"$words\" -- \"$word\"));;\n"
      "  esac\n"
      "}}\n"
      "complete -o default -F _mambo mambo\n",
      commands, cases, bash_values(app, "        "), bash_names(app));
}

std::string zsh_completion(const CLI::App& app) {
  std::string list, cases;
  for (const CLI::App* c : commands_of(app)) {
    list += fmt::format("    '{}:{}'\n", c->get_name(), zsh_text(in_short(c->get_description())));
    cases += fmt::format("        {})\n          _arguments \\\n{}          ;;\n", c->get_name(),
                         zsh_options(*c, "            "));
  }
  std::string own = zsh_options(app, "    ");
  own.resize(own.rfind("    '*:file"));  // the command and its words come instead
  return fmt::format(
      "#compdef mambo\n# Completions of mambo for zsh; made from its options.\n"
      "_mambo() {{\n  local curcontext=$curcontext state line\n  local -a commands=(\n{}  )\n"
      "  _arguments -C \\\n{}    '1:command:->command' \\\n    '*::word:->word'\n"
      "  case $state in\n    command) _describe command commands;;\n"
      "    word)\n      case $line[1] in\n{}      esac;;\n  esac\n}}\n_mambo \"$@\"\n",
      list, own, cases);
}

std::string fish_completion(const CLI::App& app) {
  std::string commands;
  for (const CLI::App* c : commands_of(app)) commands += " " + c->get_name();
  const std::string none = "not __fish_seen_subcommand_from" + commands;
  std::string out = "# Completions of mambo for fish; made from its options.\n";
  for (const CLI::App* c : commands_of(app)) {
    out += fmt::format("complete -c mambo -f -n {} -a {} -d {}\n", quoted(none), c->get_name(),
                       quoted(in_short(c->get_description())));
  }
  out += fish_options(app, none);
  for (const CLI::App* c : commands_of(app)) {
    out += fish_options(*c, "__fish_seen_subcommand_from " + c->get_name());
  }
  return out;
}

}  // namespace mambo
