// Runs before the Go runtime: see the package comment in rootless.go for who says what to whom.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "enter_linux.h"

int hull_entered = HULL_NOT_ENTERED;
int hull_entered_errno = 0;
int hull_joined = 0;
unsigned hull_uid = 0;
unsigned hull_gid = 0;
char hull_monitor_path[4096 + 32];
int hull_monitor_pid = 0;
int hull_monitor_socket = -1;

// Words of the command line, read from /proc: a constructor of a static program has no argv.
struct words {
	char text[65536];
	size_t size;
};

static int read_words(struct words *w)
{
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ssize_t n = 0;
	w->size = 0;
	while (w->size < sizeof(w->text) - 1 &&
	       (n = read(fd, w->text + w->size, sizeof(w->text) - 1 - w->size)) > 0)
		w->size += (size_t)n;
	close(fd);
	w->text[w->size] = '\0';
	return n < 0 ? -1 : 0;
}

static int among(const char *word, const char *const *list)
{
	for (; *list; list++)
		if (!strcmp(word, *list))
			return 1;
	return 0;
}

// needs_namespace looks for the command word. A wrong yes costs a setns; a wrong no is mended in Go, which enters
// when the command turns out to need it. So globals that take a value need not all be known here.
static int needs_namespace(const struct words *w)
{
	static const char *const none[] = {"version", "help", "completion", "ps", "inspect", "logs", "events", "port",
					   "exists", "wait", "list", "ls", "__complete", "__completeNoDesc",
					   "--help", "-h", "--version", "-v", NULL};
	static const char *const noun[] = {"container", "system", NULL};
	const char *end = w->text + w->size;
	const char *p = w->text + strlen(w->text) + 1;
	const char *before = p;
	// "image scp" starts ssh, which knows itself and its files by the user: within, that would be root.
	for (; p < end; before = p, p += strlen(p) + 1)
		if (!strcmp(before, "image") && !strcmp(p, "scp"))
			return 0;
	p = w->text + strlen(w->text) + 1;
	for (; p < end; p += strlen(p) + 1) {
		if (among(p, none))
			return 0;
		if (!among(p, noun) && *p != '-')
			return 1;
		if (*p == '-' && !strchr(p, '='))
			return 1;
	}
	return 0;
}

// runtime_dir writes the folder that holds the pause process' lock file.
static int pause_path(char *out, size_t size)
{
	const char *dir = getenv("XDG_RUNTIME_DIR");
	int n;
	if (dir && *dir == '/') {
		n = snprintf(out, size, "%s/hull/pause.lock", dir);
	} else {
		struct stat st;
		char run[64];
		snprintf(run, sizeof(run), "/run/user/%u", (unsigned)geteuid());
		if (!stat(run, &st) && st.st_uid == geteuid())
			n = snprintf(out, size, "%s/hull/pause.lock", run);
		else
			n = snprintf(out, size, "/tmp/hull-run-%u/hull/pause.lock", (unsigned)geteuid());
	}
	return n > 0 && (size_t)n < size ? 0 : -1;
}

// lock_owner returns the pid of who holds the record lock on fd, in our pid namespace; 0 for none.
static pid_t lock_owner(int fd)
{
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	if (fcntl(fd, F_GETLK, &l) < 0 || l.l_type == F_UNLCK)
		return 0;
	return l.l_pid;
}

static void join(void)
{
	char path[4096];
	struct stat st;
	if (pause_path(path, sizeof(path)) < 0)
		return;
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return;
	if (fstat(fd, &st) < 0 || st.st_uid != geteuid()) {
		close(fd);
		return;
	}
	pid_t pid = lock_owner(fd);
	int pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	// The lock is asked for again once the pidfd is open: if that pid held it then, the pidfd is of the holder.
	if (pidfd < 0 || lock_owner(fd) != pid) {
		if (pidfd >= 0)
			close(pidfd);
		close(fd);
		return;
	}
	close(fd);
	int cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char uid[32], gid[32];
	hull_uid = getuid();
	hull_gid = getgid();
	snprintf(uid, sizeof(uid), "%u", hull_uid);
	snprintf(gid, sizeof(gid), "%u", hull_gid);
	if (setns(pidfd, CLONE_NEWUSER | CLONE_NEWNS) < 0) {
		hull_entered_errno = errno;
		hull_entered = HULL_JOIN_FAILED;
	} else if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0) {
		hull_entered_errno = errno;
		hull_entered = HULL_JOIN_FAILED;
	} else {
		setenv("_CONTAINERS_USERNS_CONFIGURED", "done", 1);
		setenv("_CONTAINERS_ROOTLESS_UID", uid, 1);
		setenv("_CONTAINERS_ROOTLESS_GID", gid, 1);
		hull_entered = HULL_ENTERED;
		hull_joined = 1;
		if (cwd < 0 || fchdir(cwd) < 0)
			if (chdir("/") < 0)
				hull_entered_errno = errno;
	}
	if (cwd >= 0)
		close(cwd);
	close(pidfd);
}

// inherit sees whether a parent of ours entered: the monitor, which runs the clean-up, or "hull unshare". The
// environment says so, and a user namespace that is not the first one proves it.
static void inherit(void)
{
	const char *done = getenv("_CONTAINERS_USERNS_CONFIGURED");
	const char *uid = getenv("_CONTAINERS_ROOTLESS_UID");
	const char *gid = getenv("_CONTAINERS_ROOTLESS_GID");
	if (!done || strcmp(done, "done") || !uid)
		return;
	unsigned inside, outside, count;
	FILE *f = fopen("/proc/self/uid_map", "re");
	if (!f)
		return;
	if (fscanf(f, "%u %u %u", &inside, &outside, &count) == 3 && count != 4294967295U) {
		hull_entered = HULL_ENTERED;
		hull_uid = (unsigned)strtoul(uid, NULL, 10);
		hull_gid = gid ? (unsigned)strtoul(gid, NULL, 10) : 0;
	}
	fclose(f);
}

// become_pause makes the namespaces and holds them. They are made here and not by the clone that made this process: an
// exec by an id that is not mapped yet would lose the capabilities.
// fd 3: a byte comes in when the ids are mapped. fd 4: the lock file. fd 5: out go the errno of unshare in one byte, and
// another byte when all is ready.
static void become_pause(void)
{
	char b = 0;
	ssize_t n;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		b = (char)errno;
	if (write(5, &b, 1) != 1 || b)
		_exit(1);
	while ((n = read(3, &b, 1)) < 0 && errno == EINTR)
		;
	if (n != 1)
		_exit(1);
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		_exit(2);
	if (setgroups(0, NULL) < 0 && errno != EPERM)
		_exit(3);
	// What the host mounts later shall be seen here, nothing that is mounted here shall be seen on the host. And not shared
	// among ourselves: slirp4netns leaves its sandbox by unmounting all in its copy of this namespace, which would go for us too.
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		_exit(4);
	if (setsid() < 0 && errno != EPERM)
		_exit(6);
	if (chdir("/") < 0)
		_exit(7);
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	if (fcntl(4, F_SETLK, &l) < 0)
		_exit(8);
	prctl(PR_SET_NAME, "hull-pause", 0, 0, 0);
	int null = open("/dev/null", O_RDWR);
	if (null >= 0)
		for (int fd = 0; fd < 3; fd++)
			dup2(null, fd);
	sigset_t all;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	if (write(5, "1", 1) != 1)
		_exit(9);
	// Everything but the lock file is let go: a pipe kept open here would keep its other end waiting for ever.
	syscall(SYS_close_range, 5, ~0U, 0);
	close(3);
	for (;;) {
		int sig;
		sigemptyset(&all);
		sigaddset(&all, SIGTERM);
		if (!sigwait(&all, &sig) && sig == SIGTERM)
			_exit(0);
	}
}

// starts_process reports whether the command will start a container or a process in one. A wrong yes costs a monitor that
// ends with the command; a wrong no is made good for in Go.
static int starts_process(const struct words *w)
{
	static const char *const starts[] = {"run", "exec", "start", NULL};
	const char *p = w->text + strlen(w->text) + 1, *end = w->text + w->size;
	while (p < end && (!strcmp(p, "container") || (*p == '-' && strchr(p, '='))))
		p += strlen(p) + 1;
	return p < end && among(p, starts);
}

// monitor_path finds hull-conmon where pkg/config looks first.
static int monitor_path(char *out, size_t size)
{
	static const char *const places[] = {"hull-conmon", "../libexec/hull/hull-conmon", NULL};
	char exe[4096];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	if (n <= 0)
		return -1;
	exe[n] = '\0';
	*strrchr(exe, '/') = '\0';
	for (int i = 0; places[i]; i++) {
		n = snprintf(out, size, "%s/%s", exe, places[i]);
		if (n > 0 && (size_t)n < size && !access(out, X_OK))
			return 0;
	}
	return -1;
}

// start_monitor executes the monitor that the command is going to need, so that both start beside each other: the Go
// runtime of each takes 10 ms where page faults are dear. It waits on its socket for a request and ends with that. What
// it gets is what libpod/internal/monitor gives to those it starts itself.
static void start_monitor(void)
{
	static char zone[256];
	static char *argv[] = {"hull-conmon", NULL};
	static char *env[] = {HULL_MONITOR_PROCS, HULL_MONITOR_GC, NULL, NULL};
	const char *tz = getenv("TZ");
	int pair[2];
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			return; // ours would take its place
	if (tz) {
		int n = snprintf(zone, sizeof(zone), "TZ=%s", tz);
		if (n < 0 || (size_t)n >= sizeof(zone))
			return;
		env[2] = zone;
	}
	if (monitor_path(hull_monitor_path, sizeof(hull_monitor_path)) < 0)
		return;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		close(null);
		return;
	}
	pid_t pid = vfork();
	if (!pid) {
		setsid();
		for (int fd = 0; fd < 3; fd++)
			dup2(null, fd);
		if (pair[1] == 3)
			fcntl(3, F_SETFD, 0);
		else
			dup2(pair[1], 3);
		syscall(SYS_close_range, 4, ~0U, 0);
		execve(hull_monitor_path, argv, env);
		_exit(127);
	}
	close(null);
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return;
	}
	hull_monitor_pid = pid;
	hull_monitor_socket = pair[0];
}

__attribute__((constructor)) static void hull_enter(void)
{
	static struct words w;
	if (getenv("_HULL_PAUSE")) {
		unsetenv("_HULL_PAUSE");
		become_pause();
	}
	if (geteuid() == 0)
		inherit();
	if (read_words(&w) < 0)
		return;
	// Only the engine itself: a test program or a generator that links this package stays outside.
	const char *name = strrchr(w.text, '/');
	name = name ? name + 1 : w.text;
	if (strcmp(name, "hull") && strcmp(name, "podman") && strcmp(name, "docker") && !getenv("_HULL_ENTER"))
		return;
	if (geteuid() != 0) {
		// Go found that this command needs the namespaces after all, or made them just now.
		if (!getenv("_HULL_ENTER") && !needs_namespace(&w)) {
			hull_entered = HULL_NOT_NEEDED;
			return;
		}
		join();
		if (hull_entered != HULL_ENTERED)
			return;
	}
	if (starts_process(&w))
		start_monitor();
}
