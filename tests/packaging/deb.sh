#!/usr/bin/env bash
# The Debian package: made, installed into a bare Debian 12 with nothing but what it depends on, and played there.
# tests/packaging/deb.sh BUILD. Needs root, debootstrap and a mirror; else it is skipped (77) and says why.
set -euo pipefail
build=$(cd "$1" && pwd)
skip() {
  printf 'tests/packaging/deb.sh: Skipped\n%s\n' "$1"
  exit 77
}
command -v dpkg-shlibdeps >/dev/null || skip 'dpkg-shlibdeps (dpkg-dev) is not installed'
root=$(mktemp -d)
bare=$root/bare
leave() {
  umount "$bare/proc" 2>/dev/null || true
  rm -rf --one-file-system "$root"
}
trap leave EXIT

(cd "$root" && cpack --config "$build/CPackConfig.cmake" -B "$root/made" >"$root/log" 2>&1) || { cat "$root/log"; exit 1; }
package=$(echo "$root"/made/mambo_*.deb)
dpkg-deb --info "$package"
depends=$(dpkg-deb --field "$package" Depends)
for needed in libc6 libsndfile1 libportaudio2; do
  case "$depends" in *"$needed"*) ;; *) echo "failed: expected $needed among: $depends"; exit 1 ;; esac
done

[ "$(id -u)" -eq 0 ] || skip 'the package is made; only root can install it into a chroot'
command -v debootstrap >/dev/null || skip 'the package is made; debootstrap is not installed'
mirror=${MAMBO_DEBIAN_MIRROR:-http://deb.debian.org/debian}
timeout 900 debootstrap --variant=minbase bookworm "$bare" "$mirror" >"$root/log" 2>&1 || {
  tail -n 3 "$root/log"
  skip "the package is made; debootstrap could not make a Debian 12 from $mirror (MAMBO_DEBIAN_MIRROR names another)"
}
mount -t proc proc "$bare/proc" 2>/dev/null || skip 'the package is made; /proc cannot be mounted here'
cp "$package" "$bare/mambo.deb"
inside() { chroot "$bare" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }
inside apt-get install -y --no-install-recommends ./mambo.deb >"$root/log" 2>&1 || { tail -n 20 "$root/log"; exit 1; }
inside mambo --version
inside mambo render --seconds 2 -o /tmp/take.wav --quiet
[ "$(stat -c %s "$bare/tmp/take.wav")" -gt 60000 ] || { echo 'failed: expected two seconds of sound'; exit 1; }
inside mambo info | head -n 3
# It plays, here without sound: a bare machine has no sound card.
code=0
inside timeout -s INT 30 mambo play --seconds 3 </dev/null >"$root/log" 2>&1 || code=$?
case $code in 0 | 124 | 130) ;; *) cat "$root/log"; echo "failed: mambo play, exit code $code"; exit 1 ;; esac
inside dpkg --purge mambo >/dev/null
left=$(find "$bare/usr" -name '*mambo*')
[ -z "$left" ] || { echo "failed: left behind: $left"; exit 1; }
