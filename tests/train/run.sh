#!/usr/bin/env bash
# One file of the trainer's tests, on the CPU, as ctest runs it: tests/train/run.sh test_data.py
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. tools/setup.sh

python=$(find_torch) || {
  printf 'tests/train/run.sh: Skipped\nno python3 here has PyTorch (python3-torch)\n'
  exit 77
}
# Networks this small gain nothing by a second thread, and ctest runs tests beside each other.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
exec "$python" tests/train/run_tests.py "$@" </dev/null
