#!/usr/bin/env bash
# What `cmake --install` writes, staged and moved elsewhere: the program finds its files there, knows nothing of the
# machine that built it, and has manual pages and completions for all of its options. tests/packaging/installed.sh BUILD
set -euo pipefail
build=$(cd "$1" && pwd)
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
failed=0
wrong() {
  echo "failed: $*"
  failed=1
}

DESTDIR=$root/stage cmake --install "$build" --prefix /usr >"$root/log" || { cat "$root/log"; exit 1; }
mv "$root/stage" "$root/moved"
usr=$root/moved/usr
mambo=$usr/bin/mambo
unset MAMBO_ASSETS
export XDG_CONFIG_HOME=$root/config
cd "$root"

# The program and its assets.
"$mambo" render --to 0.2 --seconds 0.1 -o take.wav --quiet >/dev/null || wrong "mambo render, exit code $?"
grep -qF "\"$usr/share/mambo/assets/" take.json || wrong "expected a model and a clip of $usr/share, found $(grep _path take.json)"
if grep -qaF "$source" "$mambo" || grep -qaF "$build" "$mambo"; then wrong "the program holds a path of the build"; fi
if readelf -d "$mambo" | grep -E 'R(UN)?PATH'; then wrong "the program looks for libraries where it was built"; fi
[ -z "$(find "$usr" -name '*.py' -o -perm /022 ! -type l)" ] || wrong "scripts, or files that all may write: $(find "$usr" -name '*.py' -o -perm /022 ! -type l)"
"$mambo" --version | grep -Eqx 'mambo [0-9]+\.[0-9]+\.[0-9]+(\+[0-9a-z.+]+)?' || wrong "--version: $("$mambo" --version)"
for file in share/doc/mambo/copyright share/doc/mambo/CHANGELOG.md; do
  [ -s "$usr/$file" ] || wrong "expected $file"
done

# Every command has a page, every option its place in it and in the completions.
man=$usr/share/man/man1
bash=$usr/share/bash-completion/completions/mambo
zsh=$usr/share/zsh/vendor-completions/_mambo
fish=$usr/share/fish/vendor_completions.d/mambo.fish
commands=$("$mambo" --help | sed -n '/^Subcommands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
[ "$(wc -w <<<"$commands")" -ge 9 ] || wrong "expected nine commands or more, found $commands"
for command in '' $commands; do
  page=$man/mambo${command:+-$command}.1
  [ -s "$page" ] || { wrong "expected $page"; continue; }
  # shellcheck disable=SC2086
  options=$("$mambo" $command --help | grep -oE '^  (-.,)?--[a-z0-9-]+' | grep -oE -- '--[a-z0-9-]+')
  [ -n "$options" ] || wrong "no options of $command"
  for option in $options; do
    grep -qF -- "${option//-/\\-}" "$page" || wrong "$page: expected $option"
    grep -qF -- "$option[" "$zsh" || wrong "$zsh: expected $option"
    grep -q -- " -l ${option#--} " "$fish" || wrong "$fish: expected $option"
  done
  if command -v man >/dev/null; then
    said=$(LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=100 man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null)
    [ -z "$said" ] || wrong "$page: $said"
  fi
done

# complete WORD...: what bash offers for the last word.
complete_words() {
  bash --norc -c '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _mambo; [ -z "${COMPREPLY[*]}" ] || printf "%s " "${COMPREPLY[@]}"' "$bash" "$@"
}
offers() { # EXPECTED WORD...
  local expected=$1
  shift
  [ "$(complete_words "$@")" = "$expected" ] || wrong "bash offers for '$*': $(complete_words "$@"); expected $expected"
}
offers 'render ' mambo ren
offers '--stems ' mambo render --stem
offers 'prefill ' mambo bench pre
offers 'flac ' mambo render --format f
offers 'cpu cuda ' mambo play --backend c
offers 'take.wav ' mambo render --seed-clip take.w
offers '' mambo render --seconds 1
if command -v zsh >/dev/null; then zsh -n "$zsh" || wrong "zsh does not read $zsh"; fi
if command -v fish >/dev/null; then
  fish -n "$fish" || wrong "fish does not read $fish"
  said=$(XDG_DATA_HOME=$root fish --private -c "source $fish; complete -C 'mambo render --form'" 2>&1)
  grep -q -- '^--format' <<<"$said" || wrong "fish offers: $said"
fi

# The desktop's.
if [ -e "$usr/share/applications/mambo.desktop" ]; then
  icon=$usr/share/icons/hicolor/scalable/apps/mambo.svg
  python3 -c 'import sys, xml.dom.minidom as x; x.parse(sys.argv[1])' "$icon" || wrong "$icon is no SVG"
  if command -v desktop-file-validate >/dev/null; then
    desktop-file-validate "$usr/share/applications/mambo.desktop" || wrong "the desktop entry"
  fi
fi
exit $failed
