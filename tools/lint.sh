#!/usr/bin/env bash
# The checks that are no programs of ours: tools/lint.sh KIND, from anywhere; ctest's lint.* tests.
#   format          layout, by clang-format 14: other versions lay out other details differently
#   layers          which room may include which (tools/layers.awk); layers-planted: that it notices
#   python          names and imports, by pyflakes
#   docs            links of the Markdown files
#   tidy BUILD      clang-tidy 14 over all that BUILD/compile_commands.json compiles, but the costly checks
#   tidy-long BUILD the same with the path-sensitive analyzer, which doubles the time
# Exit code 77: the tool is not installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

rooms=(app bench dsp kernels model)
[ ! -d examples ] || rooms+=(examples)

needs() {
  command -v "$1" >/dev/null && return 0
  printf 'tools/lint.sh: Skipped\n%s is not installed\n' "$1"
  exit 77
}

sources() { find "$@" -name '*.cpp' -o -name '*.h' -o -name '*.cu' -o -name '*.cuh' | LC_ALL=C sort; }

# Each line of a table, planted as a file of a tree that is sound otherwise, must be found.
layers_planted() {
  local tree missed=0 file line
  tree=$(mktemp -d)
  trap "rm -rf '$tree'" EXIT
  while read -r file line; do
    mkdir -p "$tree/$(dirname "$file")"
    printf '%s\n' "$line" >"$tree/$file"
    if (cd "$tree" && awk -f "$OLDPWD/tools/layers.awk" "$file"); then
      echo "not noticed: $file: $line"
      missed=1
    fi
  done <<'TABLE'
app/gui/window.cpp #include "app/cli/options.h"
app/gui/shell.cpp #include "model/model.h"
app/live/session.cpp #include "app/gui/window.h"
app/files/paths.h #include "app/live/session.h"
app/control/patch.cpp #include "app/live/session.h"
app/live/session.cpp #include "bench/bench.h"
app/live/session.cpp #include <imgui.h>
app/live/session.cpp if (name == "CUDA") return;
model/model.cpp #include "app/files/paths.h"
model/model.cpp #include "kernels/cuda/engine.h"
model/model.cpp #if MAMBO_HAS_CUDA
model/model.cpp #include <cuda_runtime.h>
dsp/mulaw.cpp #include "kernels/error.h"
kernels/engine.h #include "model/model.h"
kernels/cpu/engine.cpp #include "kernels/cuda/engine.h"
kernels/cuda/runtime/memory.h #include "kernels/cuda/step/launch.h"
kernels/cuda/step/launch.h #include "kernels/cuda/plan/plan.h"
app/cli/render.cpp fmt::print(stderr, "{}\n", text);
nowhere/stray.cpp int x;
TABLE
  return $missed
}

# tidy_one BUILD FILE RULES CHECKS: one file; remembered as clean until it, a header or the rules change.
tidy_one() {
  local stamp
  stamp=build/tidy/$(printf '%s %s' "$3" "$(cat "$2")" | sha256sum | cut -c1-40)
  [ -e "$stamp" ] && return 0
  if clang-tidy-14 -p build/tidy --quiet "--checks=$4" "$2" 2>/dev/null >"$stamp.log"; then
    mv "$stamp.log" "$stamp"
  else
    grep -E 'warning:|error:' "$stamp.log" || echo "$2: error: clang-tidy failed"
    return 1
  fi
}
export -f tidy_one

tidy() {
  local build=$1 checks=$2 rules
  [ -f "$build/compile_commands.json" ] || { echo "$build: expected compile_commands.json, found none"; return 1; }
  mkdir -p build/tidy
  # Clang reads no header that GCC precompiled, and knows not all of its warnings; the sources include
  # what they need themselves. A file that is in several programs is looked at once, not once for each.
  sed -E 's/ -Winvalid-pch| -Wno-(restrict|stringop-overflow)//g; s/ -include [^ ]*cmake_pch\.hxx//g' "$build/compile_commands.json" |
    awk '/^{/ { entry = ""; twice = 0 }
         { entry = entry (entry == "" ? "" : "\n") $0 }
         /^  "file": / { twice = seen[$0]++ }
         /^},?$/ { sub(/,$/, "", entry); if (!twice) { printf "%s%s", n++ ? ",\n" : "[\n", entry } }
         END { print "\n]" }' >build/tidy/compile_commands.json
  rules=$({ echo "$checks"; sources "${rooms[@]}" tests | grep '\.h$' | xargs cat; cat .clang-tidy tests/.clang-tidy; } |
    sha256sum)
  # Only what this build compiles: for the rest there are no compile commands.
  sources "${rooms[@]}" tests | grep '\.cpp$' | while read -r f; do
    if grep -qF "\"$PWD/$f\"" build/tidy/compile_commands.json; then echo "$f"; fi
  done >build/tidy/files.txt
  echo "$(wc -l <build/tidy/files.txt) files"
  xargs -a build/tidy/files.txt -P "$(nproc)" -I{} bash -c 'tidy_one "$@"' _ "$build" {} "$rules" "$checks" |
    LC_ALL=C sort -u
}

case "${1:-}" in
  format)
    needs clang-format-14
    sources "${rooms[@]}" tests | xargs clang-format-14 --dry-run -Werror || {
      echo "clang-format-14 -i puts it right"
      exit 1
    }
    ;;
  layers) sources "${rooms[@]}" | xargs awk -f tools/layers.awk ;;
  layers-planted) layers_planted ;;
  python) needs pyflakes3; pyflakes3 train tests/train assets/*.py tools/*.py ;;
  docs) needs python3; python3 tools/check_links.py ;;
  tidy)
    needs clang-tidy-14
    tidy "${2:?the build folder}" '-clang-analyzer-*,-bugprone-reserved-identifier,-bugprone-stringview-nullptr,-performance-unnecessary-value-param'
    ;;
  tidy-long) needs clang-tidy-14; tidy "${2:?the build folder}" '' ;;
  *) sed -n '2,/^set /{/^#/p}' "${BASH_SOURCE[0]}"; exit 2 ;;
esac
