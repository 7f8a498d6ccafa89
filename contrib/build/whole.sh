#!/usr/bin/env bash
# Copies the program $1 to $2, which may be the same or running, with a single write: a file system that has huge pages for
# what it keeps in memory takes them for what comes at a time (ext4 since Linux 6.16, XFS, btrfs).
set -euo pipefail
new=$(dirname "$2")/.$(basename "$2").$$
trap 'rm -f "$new"' EXIT
dd if="$1" of="$new" bs=1G count=1 iflag=fullblock status=none
chmod 755 "$new"
mv -f "$new" "$2"
