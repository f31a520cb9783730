#!/usr/bin/env bash
# Renders and measures how a model sounds, the same way each time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=tools/setup.sh
source tools/setup.sh

usage() {
  say "usage: tools/listen.sh MODEL.safetensors CLIP OUT [--runs N --seconds S --seeds DIR --reference DIR]"
  say
  say "  Continues CLIP (a sound file, or - for silence) for a minute at the model's own settings, as OUT.ogg,"
  say "  with its spectrogram, OUT.png (by sox). With --runs, continues the clips of --seeds (default: CLIP alone)"
  say "  N times for S seconds (30) and prints how loud and how flat they are, how many end in silence or in noise and"
  say "  how many drone, compared with the real sound in --reference (python -m train.judge.sound)."
  say "  MAMBO names a program other than build/release/mambo, KEEP a folder in which the N sounds are kept."
}

[[ ${1:-} == -h || ${1:-} == --help ]] && usage && exit 0
[[ $# -ge 3 ]] || { usage >&2; exit 2; }
model=$1 seed=$2 out=$3
shift 3
runs=0 seconds=30 seeds='' reference=()
while (($#)); do
  [[ $# -ge 2 ]] || { usage >&2; exit 2; }
  case $1 in
    --runs) runs=$2 ;;
    --seconds) seconds=$2 ;;
    --seeds) seeds=$2 ;;
    --reference) reference=(--reference "$2") ;;
    *) usage >&2; exit 2 ;;
  esac
  shift 2
done
mambo=${MAMBO:-build/release/mambo}
[[ -x $mambo ]] || die "$mambo: no such program; cmake --preset release && cmake --build build/release makes it"
command -v sox >/dev/null || die "sox, which draws the spectrogram, is not installed (apt-get install sox)"

# continue_from CLIP OPTIONS...
continue_from() {
  local from=(--seed-clip "$1")
  [[ $1 == - ]] && from=(--from-silence)
  shift
  "$mambo" render --model "$model" "${from[@]}" --force --quiet "$@" >/dev/null
}

mkdir -p "$(dirname "$out")"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
continue_from "$seed" --seconds 60 -o "$scratch/minute.wav"
continue_from "$seed" --seconds 60 -o "$out.ogg"
rm -f "$out.json"  # the recipe: it names this machine's paths
sox "$scratch/minute.wav" -n spectrogram -x 1000 -y 257 -t "$(basename "$out")" -o "$out.png"
say "$out.ogg, $out.png"
((runs > 0)) || exit 0

folder=${KEEP:-$scratch/runs}
mkdir -p "$folder"
clips=("$seed")
[[ -z $seeds ]] || mapfile -t clips < <(find "$seeds" -name '*.wav' | sort)
((${#clips[@]} > 0)) || die "$seeds: expected WAV files, found none"
for ((i = 0; i < runs; ++i)); do
  clip=${clips[i % ${#clips[@]}]}
  name=$(basename "${clip%.wav}")
  continue_from "$clip" --seconds "$seconds" --rng-seed $((i + 1)) -o "$folder/$((i + 1))-${name#-}.wav"
done
python=$(find_torch) || die "Python with NumPy and PyTorch, which judges, is not installed (apt-get install python3-torch)"
"$python" -m train.judge.sound "$folder" "${reference[@]}"
