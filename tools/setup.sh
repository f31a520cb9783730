# Shared by ./demo and ./check: packages and messages. Sourced, not run.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
jobs=$(nproc 2>/dev/null || echo 2)

say() { printf '%s\n' "$*"; }
die() {
  printf '%s\n' "$*" >&2
  exit 1
}

# logged FILE COMMAND... runs quietly; when it fails, shows the end of its output.
logged() {
  local log=$1
  shift
  mkdir -p "$(dirname "$log")"
  "$@" >"$log" 2>&1 && return 0
  tail -n 40 "$log" >&2
  say "(all of it: $log)" >&2
  return 1
}

# Packages of the named sets that are not installed.
missing_packages() {
  local wanted installed
  wanted=$(awk -v sets=" $* " '!/^#/ && NF && index(sets, " " $1 " ") { print $2 }' \
    "$root/tools/packages.txt" | sort -u)
  # shellcheck disable=SC2086
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $wanted 2>/dev/null |
    awk '$1 == "installed" { print $2 }' | sort -u || true)
  comm -23 <(echo "$wanted") <(echo "$installed")
}

# ensure_packages SET... installs what is missing: as root, or by sudo; asks once in a terminal.
ensure_packages() {
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    say "This is no Debian or Ubuntu: going on with what is installed (tools/packages.txt names the libraries)."
    return
  fi
  local missing sudo=() answer
  mapfile -t missing < <(missing_packages "$@")
  [ "${#missing[@]}" -gt 0 ] || return 0
  say "To install: ${missing[*]}"
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null ||
      die "Installing needs root and there is no sudo. As root: apt-get install ${missing[*]}"
    sudo=(sudo)
  fi
  if [ -t 0 ] && [ -t 1 ] && [ -z "${CI:-}" ]; then
    read -r -p "Install them with ${sudo[*]:+sudo }apt-get? [Y/n] " answer
    case "$answer" in '' | [yY]*) ;; *) die "Nothing was installed." ;; esac
  fi
  "${sudo[@]}" apt-get -qq update || say "apt-get update failed; trying with the lists there are."
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 install -y \
    --no-install-recommends "${missing[@]}" >/dev/null ||
    die "apt-get could not install: ${missing[*]}"
}

# The python3 that has PyTorch: the first on PATH, or the system's, where Debian's package is.
find_torch() {
  local python
  for python in "$(command -v python3)" /usr/bin/python3; do
    if [ -x "$python" ] && "$python" -c 'import torch, numpy' 2>/dev/null; then
      echo "$python"
      return 0
    fi
  done
  return 1
}
