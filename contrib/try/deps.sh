#!/usr/bin/env bash
# Installs the Debian packages that hull needs and a fresh machine may lack; the packages of the arguments too, which are
# what tests need. Asks apt once, and only when something is missing.
set -euo pipefail
packages=(uidmap crun runc slirp4netns passt busybox-static gcc libc6-dev musl-tools catatonit isal "$@")
missing=()
for p in "${packages[@]}"; do
	dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p")
done
[ ${#missing[@]} -eq 0 ] && exit 0
echo "installing: ${missing[*]}"
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
