#!/usr/bin/env bash
# The main job, seen by a throw-away user: the built-in image, a pipeline in a busybox container, a detached container with
# logs, exec and stop. Leaves nothing behind.
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
user=hull-try-$$
run=$(mktemp -d /tmp/hull-try.XXXXXX)

cleanup() {
	pids=$(ps -o pid= -u "$user" 2>/dev/null || true)
	for pid in $pids; do kill -KILL "$pid" 2>/dev/null || true; done
	for pid in $pids; do while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done; done
	userdel "$user" 2>/dev/null || true
	rm -rf "$run"
}
trap cleanup EXIT

chmod 711 "$run"
useradd --home-dir "$run/home" --create-home --shell /bin/bash "$user"
install -d -m 700 -o "$user" "$run/runtime"
install -d -m 755 "$run/bin"
install -m 755 "$here"/bin/hull "$here"/bin/hull-* "$run/bin/"
# Debian lets everyone open it; where a machine does not, the private view has one that does.
if [ -e /dev/net/tun ]; then
	mknod -m 666 "$run/tun" c 10 200
fi
mkdir -p "$run/busybox/bin"
cp /bin/busybox "$run/busybox/bin/busybox"
for tool in $(/bin/busybox --list); do [ "$tool" = busybox ] || ln -sf busybox "$run/busybox/bin/$tool"; done
tar -C "$run/busybox" -cf "$run/busybox.tar" .

cat >"$run/story.sh" <<'STORY'
set -euo pipefail
say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
step() { printf '$ %s\n' "$*"; "$@"; }
say "As $(id -un) (uid $(id -u)), without root and without a daemon:"
step hull run --rm hello
say "A root file system becomes an image, and a shell pipeline runs in it:"
step hull import --change 'CMD ["/bin/sh"]' "$1/busybox.tar" busybox
step hull run --rm --network=none busybox sh -c 'id; seq 1 100 | grep 7 | wc -l'
say "The exit code comes back:"
hull run --rm --network=none busybox sh -c 'exit 42' || echo "exit code $?"
say "A container in the background, its log, another process in it, and its end:"
step hull run -d --name demo --network=none busybox sh -c 'echo up; trap "echo bye; exit 0" TERM; while :; do sleep 0.1; done'
for _ in $(seq 100); do hull logs demo | grep -q up && break; sleep 0.05; done
step hull ps
step hull logs demo
step hull exec demo ps
step hull stop --time 5 demo
step hull logs demo
step hull rm demo
say "Nothing is left:"
step hull ps --all
step hull system check
STORY

# Rootless needs a view with one cgroup hierarchy; where the machine has that already, nothing changes.
unshare --mount bash -euc '
	run=$1; user=$2
	mount --make-rshared /
	if [ ! -e /sys/fs/cgroup/cgroup.controllers ]; then
		umount -l /sys/fs/cgroup
		mount -t cgroup2 cgroup2 /sys/fs/cgroup
	fi
	if [ -e "$run/tun" ]; then mount --bind "$run/tun" /dev/net/tun; fi
	cd "$run/home"
	exec setpriv --reuid "$user" --regid "$user" --init-groups --reset-env \
		env PATH="$run/bin:/usr/bin:/bin:/usr/sbin:/sbin" HOME="$run/home" USER="$user" XDG_RUNTIME_DIR="$run/runtime" \
		bash "$run/story.sh" "$run"
' try "$run" "$user"
echo
echo "hull works here. Next: make install, then hull run --rm hello; docs/ has the first five minutes."
