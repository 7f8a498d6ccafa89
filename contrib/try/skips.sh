#!/usr/bin/env bash
# Prints how many tests were skipped and why, from the file that test/env writes.
set -euo pipefail
file=.cache/skips
[ -s "$file" ] || { echo "no test was skipped"; exit 0; }
echo "skipped: $(wc -l <"$file")"
sort "$file" | uniq -c | sort -rn
rm -f "$file"
