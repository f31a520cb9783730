#!/bin/sh
# GNU parallel: test_parallel.sh MODEL CLIP, with the program in $MAMBO. Exit code 77: it is not installed.
parallel --version 2>/dev/null | grep -q 'GNU parallel' || { echo 'skipped: GNU parallel is not installed'; exit 77; }
. "$(dirname "$0")/jobs.sh"
seq 3 | parallel --will-cite --jobs 2 "$MAMBO" render --model "$model" --jobs "$work/jobs.csv" --shard {}/3 \
  --threads 1 --quiet -o "$work/parts" >/dev/null
same_as_whole "$work/parts"
