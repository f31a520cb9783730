#!/usr/bin/env bash
# Builds libFuzzer's programs (preset fuzz) and gives each so many inputs, grown from the corpus that
# the tree holds: no crash, no hang, no allocation out of proportion may come of it.
#   tools/fuzz.sh [--runs N] [--grow] [NAME...]
# N: executions per program (default 100000). --grow: what covered more code is added to the corpus,
# the smallest inputs that do (libFuzzer's merge). Exit code 77: clang is not installed.
# The last line is: N executions, N findings. Findings and logs: build/fuzz/found/
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. tools/setup.sh

runs=100000 grow=false names=()
while [ $# -gt 0 ]; do
  case "$1" in
    --runs) runs=${2:?expected a number}; shift ;;
    --grow) grow=true ;;
    -*) sed -n '2,/^set /{/^#/p}' "${BASH_SOURCE[0]}"; exit 2 ;;
    *) names+=("$1") ;;
  esac
  shift
done
if ! command -v clang++ >/dev/null || ! echo 'extern "C" int LLVMFuzzerTestOneInput(const char*, unsigned long) { return 0; }' |
  clang++ -fsanitize=fuzzer -x c++ - -o /dev/null 2>/dev/null; then
  printf 'tools/fuzz.sh: Skipped\nclang++ with libFuzzer is not installed (packages clang, libclang-rt-14-dev)\n'
  exit 77
fi

found=$PWD/build/fuzz/found
rm -rf "$found"
mkdir -p "$found"
logged "$found/configure.log" cmake --preset fuzz || die "Configuring failed."
logged "$found/build.log" cmake --build --preset fuzz -j "$jobs" || die "The build failed."
[ ${#names[@]} -gt 0 ] || for program in build/fuzz/tests/fuzz/fuzz_*; do
  [ -x "$program" ] && [ -f "$program" ] && names+=("${program##*/fuzz_}")
done

# An input of at most 16 KiB: 5 s and 256 MiB are out of all proportion to it.
limits=(-max_len=16384 -timeout=5 -rss_limit_mb=2048 -malloc_limit_mb=256)
# What is undefined ends a run like a crash. Memory that was freed is watched for long enough, and stays
# in the cache. Reports go to files: what reads sound silences stderr meanwhile.
export LSAN_OPTIONS=suppressions=$PWD/tests/fuzz/leaks.supp:print_suppressions=0
export ASAN_OPTIONS=quarantine_size_mb=16:malloc_context_size=12
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
fuzz_one() {
  local name=$1 corpus=tests/fuzz/corpus/$1 work words=json code=0
  work=$found/$name
  mkdir -p "$work/corpus"
  [ "$name" != clip ] || words=clip
  ASAN_OPTIONS+=:log_path=$work/report UBSAN_OPTIONS+=:log_path=$work/report \
    "build/fuzz/tests/fuzz/fuzz_$name" "${limits[@]}" -runs="$runs" -print_final_stats=1 -seed=1 \
    -dict=tests/fuzz/$words.dict -artifact_prefix="$work/" "$work/corpus" "$corpus" \
    >"$work/log" 2>&1 </dev/null || code=$?
  local executed
  executed=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log")
  echo "$name ${executed:-0} $code" >"$work/result"
  if $grow && [ "$code" -eq 0 ]; then
    mkdir -p "$work/merged"
    "build/fuzz/tests/fuzz/fuzz_$name" "${limits[@]}" -merge=1 "$work/merged" "$corpus" "$work/corpus" \
      >>"$work/log" 2>&1 </dev/null
    find "$work/merged" -type f -size -3k -exec cp -n {} "$corpus/" \;
  fi
}
export -f fuzz_one
export found runs grow
# (an array is not exported: by its words)
export LIMITS="${limits[*]}"
printf '%s\n' "${names[@]}" | xargs -P "$jobs" -I{} bash -c 'read -ra limits <<<"$LIMITS"; fuzz_one {}'

total=0 findings=0
for name in "${names[@]}"; do
  read -r _ executed code <"$found/$name/result"
  total=$((total + executed))
  if [ "$code" -ne 0 ]; then
    findings=$((findings + 1))
    say "$name: $executed executions, then:"
    grep -E 'ERROR:|SUMMARY:|runtime error|out-of-memory|timeout' "$found/$name"/{log,report.*} 2>/dev/null | head -n 5 || true
  else
    say "$name: $executed executions"
  fi
done
say "$total executions, $findings findings"
[ "$findings" -eq 0 ]
