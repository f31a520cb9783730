#!/bin/sh
# One part of a batch per job of an array: each renders its share, all into one folder.
#   sbatch --array=1-8 examples/farm/slurm.sh --jobs jobs.csv -o takes/
# A part that failed, or ran out of time, is submitted again as it was: what is finished is skipped.
#SBATCH --cpus-per-task=2
#SBATCH --signal=B:TERM@60
# TERM a minute before the time is up: mambo then ends with valid files. exec, so that it gets the signal.
exec "${MAMBO:-mambo}" render --quiet --threads "${SLURM_CPUS_PER_TASK:-1}" \
  --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" "$@"
