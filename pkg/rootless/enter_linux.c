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
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "enter_linux.h"

int hull_entered = HULL_NOT_ENTERED;
int hull_entered_errno = 0;
int hull_joined = 0;
unsigned hull_uid = 0;
unsigned hull_gid = 0;

static int read_words(struct hull_words *w)
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

int hull_among(const char *word, const char *const *list)
{
	for (; *list; list++)
		if (!strcmp(word, *list))
			return 1;
	return 0;
}

// needs_namespace looks for the command word. A wrong yes costs a setns; a wrong no is mended in Go, which enters
// when the command turns out to need it. So globals that take a value need not all be known here.
static int needs_namespace(const struct hull_words *w)
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
		if (hull_among(p, none))
			return 0;
		if (!hull_among(p, noun) && *p != '-')
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

__attribute__((constructor)) static void hull_enter(void)
{
	static struct hull_words w;
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
	hull_start_helper(&w);
}
