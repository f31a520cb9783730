#!/usr/bin/env bash
# Builds the CUDA engine on a machine with a GPU and tests it there; needs nvcc, CMake and GoogleTest,
# and no library for sound or text.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. tools/setup.sh

usage() {
  say "usage: tools/gpu_check.sh [--sanitize] [--bench] [--filter GTEST-FILTER]"
  say "  (nothing)   builds into build/engine-cuda; the tests of kernels and golden outputs, for CUDA"
  say "  --sanitize  and a few of them under compute-sanitizer: memcheck, racecheck, initcheck, synccheck"
  say "  --bench     and the table of benchmarks"
  say "  --filter    only the tests of this filter (default: all that are not the CPU engine's own)"
  say "JSON=DIR names a folder with nlohmann/json.hpp where the package is not installed."
  say "The last line is: N passed, N failed, N skipped. Logs: build/gpu_check/"
}
sanitize=false bench=false filter='-*cpu*:*/CpuThreads.*:*/Target.*'
while [ $# -gt 0 ]; do
  case "$1" in
    --sanitize) sanitize=true ;;
    --bench) bench=true ;;
    --filter) [ $# -ge 2 ] || { usage >&2; exit 2; }; filter=$2; shift ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
  shift
done

build=build/engine-cuda
logs=build/gpu_check
mkdir -p "$logs"
passed=0 failed=0 skipped=0

nvidia-smi --query-gpu=name,compute_cap,driver_version --format=csv,noheader ||
  die "There is no GPU here (nvidia-smi gives none)."

# The installed libraries decide what is built beside the CUDA engine.
flags=()
has_library() { command -v pkg-config >/dev/null && pkg-config --exists "$@"; }
has_library libhwy speexdsp kissfft-float || flags+=(-DMAMBO_CPU=OFF)
if [ -n "${JSON:-}" ]; then
  flags+=("-DMAMBO_JSON_INCLUDE=$JSON")
elif [ ! -e /usr/include/nlohmann/json.hpp ]; then
  for folder in .json shared; do
    if [ -e "$folder/nlohmann/json.hpp" ]; then flags+=("-DMAMBO_JSON_INCLUDE=$PWD/$folder"); break; fi
  done
fi
if command -v ninja >/dev/null && [ ! -e "$build/CMakeCache.txt" ]; then flags+=(-G Ninja); fi

say "== Build (${flags[*]})"
logged "$logs/configure.log" cmake --preset engine-cuda "${flags[@]}" || die "Configuring failed."
logged "$logs/build.log" cmake --build "$build" -j "$jobs" --target test_kernels test_golden bench_gpu ||
  die "The build failed."
say "built in $SECONDS s"

# run_tests NAME COMMAND...: counts what GoogleTest says; a run that dies is a failure.
run_tests() {
  local name=$1 log=$logs/$1.log code=0
  shift
  "$@" >"$log" 2>&1 </dev/null || code=$?
  local p f s
  p=$(grep -c '^\[       OK \]' "$log" || true)
  f=$(grep -c '^\[  FAILED  \].* ms)$' "$log" || true)
  s=$(grep -c '^\[  SKIPPED \].* ms)$' "$log" || true)
  if [ "$code" -ne 0 ] && [ "$f" -eq 0 ]; then f=1; tail -n 15 "$log"; fi
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
  say "$name: $p passed, $f failed, $s skipped (exit code $code, $SECONDS s)"
  grep -E '^\[  FAILED  \].* ms\)$|Failure$|^  (Expected|Actual|Which)|^[^[]*error: ' "$log" | head -n 40 || true
  awk '/: Skipped$/ { getline; n[$0]++ } END { for (why in n) print "  skipped " n[why] ": " why }' "$log"
}

say "== Tests"
run_tests kernels "$build/tests/test_kernels" "--gtest_filter=$filter"
run_tests golden "$build/tests/test_golden" "--gtest_filter=$filter"
grep -E '^  .*(d logit|bits per sample|distance)' "$logs/golden.log" || true

if $sanitize; then
  # A little of everything, of small networks, in both storages and every plan (CudaFewSteps); streams
  # in batches of four streams per SM (of eight, two steps, when an engine is made) and copies beside them.
  few='*CudaFewSteps*:*StreamsNeedNotBeAlike*cuda*:*CudaBatch.ACopyIsDone*pools_of_eight*'
  few+=':*CudaBatch.FromSilence*half_one_pool*:*CudaBatch.FromSilence*half_s4d_flat'
  few+=':*CudaPlans*wide_inner_half'
  # racecheck slows these kernels a few thousand times: one shape for each plan.
  fewest='*CudaFewSteps*cuda_f32_*_one_pool:*CudaFewSteps*cuda_half_*_one_pool'
  fewest+=':*CudaFewSteps*cuda_half_cluster_team:*CudaFewSteps*cuda_half_cluster_narrow*'
  fewest+=':*CudaFewSteps*cuda_half_*_flat256:*CudaFewSteps*cuda_half_grid_flat'
  fewest+=':*CudaFewSteps*cuda_half_cluster_s4d_*'
  fewest+=':*CudaFewSteps*cuda_half_single_s4d_outermost:*CudaFewSteps*cuda_half_grid_s4d_outermost'
  # A pattern that fits no test any more would leave something out unnoticed.
  IFS=: read -r -a patterns <<<"$few:$fewest"
  for pattern in "${patterns[@]}"; do
    "$build/tests/test_kernels" --gtest_list_tests "--gtest_filter=$pattern" | grep -q '^  ' ||
      { say "no test fits $pattern"; failed=$((failed + 1)); }
  done
  # sanitize NAME TOOL TESTS [OPTION...]
  sanitize() {
    local name=sanitizer-$1 tool=$2 tests=$3
    shift 3
    say "== compute-sanitizer ${name#sanitizer-}"
    run_tests "$name" compute-sanitizer --tool "$tool" "$@" --error-exitcode 86 \
      "$build/tests/test_kernels" "--gtest_filter=$tests"
    grep -E '^=========.*(ERROR SUMMARY|RACECHECK SUMMARY|Invalid|Race|Uninitialized|Barrier)' \
      "$logs/$name.log" | sort | uniq -c | sort -rn | head -n 10 || true
  }
  sanitize memcheck memcheck "$few"
  sanitize racecheck racecheck "$fewest"
  sanitize initcheck initcheck "$few"
  # A cluster waits at more barriers (13 per CTA) than synccheck keeps track of by itself, and those of
  # all launches count. With as many as steps need it had no memory left for prefill over long chunks,
  # which has a run of its own.
  sanitize synccheck synccheck "$few" --num-cuda-barriers 4096
  sanitize synccheck-prefill synccheck \
    '*CudaChunks*half_one_pool*:*CudaChunks*half_s4d_outermost' --num-cuda-barriers 512
fi

if $bench; then
  say "== Benchmarks"
  "$build/tests/bench_gpu" assets/models/piano-lab.safetensors | tee "$logs/bench.txt" || failed=$((failed + 1))
fi

say "$passed passed, $failed failed, $skipped skipped"
[ "$passed" -gt 0 ] || die "No test has run."
[ "$failed" -eq 0 ]
