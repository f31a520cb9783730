# Shared by the tests beside: a list of four jobs and the whole batch, drawn at once, in $work/whole.
set -eu
model=$1 clip=$2
work=$(mktemp -d)
trap 'stop; rm -rf "$work"' EXIT
stop() { :; }
printf '%s\n' 'clip,seconds,rng_seed,count,keep,output' \
  "$clip,0.3,1,2,,a-{n}" "$clip,0.2,9,3,1,b-{n}" ",0.2,4,2,,c-{n}.flac" "$clip,0.1,7,1,,d.wav" >"$work/jobs.csv"
"$MAMBO" render --model "$model" --jobs "$work/jobs.csv" --threads 1 --quiet -o "$work/whole" >/dev/null

same_as_whole() {
  (cd "$work/whole" && ls) >"$work/expected"
  (cd "$1" && ls) | diff "$work/expected" - || exit 1
  for file in "$work"/whole/*; do cmp "$file" "$1/${file##*/}" || exit 1; done
  echo "$(wc -l <"$work/expected") files, bit for bit those of the whole batch"
}
