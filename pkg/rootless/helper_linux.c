// Executes the program that the command is going to need, so that both start beside each other: the Go runtime and the
// initialisers of each take 10 to 30 ms where page faults are dear. It waits on its socket for a request and ends with that.
// What it gets here is what libpod/internal/monitor and pkg/transfer give to those they start themselves, but for the timer slack:
// Go has no word in the child before its execve.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "enter_linux.h"

char hull_helper_path[4096 + 64];
int hull_helper_pid = 0;
int hull_helper_socket = -1;
int hull_helper_stderr = -1;

struct helper {
	const char *name;
	const char *const *nouns; // words that stand before the command
	const char *const *commands;
	int alone; // they are the same commands without a noun
	int stays; // it is small, knows nothing of the user's environment and lives on in a session of its own
};

// A wrong yes costs a process that ends with the command; a wrong no is made good for in Go.
static const char *const none[] = {NULL};
static const char *const container[] = {"container", NULL};
static const char *const image[] = {"image", NULL};
static const char *const remote[] = {"artifact", "manifest", NULL};
static const char *const starts[] = {"run", "exec", "start", NULL};
static const char *const moves[] = {"pull", "push", "load", "save", "import", NULL};
static const char *const asks[] = {"search", "login", NULL};
static const char *const copies[] = {"pull", "push", NULL};
static const struct helper helpers[] = {
	{"hull-conmon", container, starts, .alone = 1, .stays = 1},
	{"hull-image", image, moves, .alone = 1},
	{"hull-image", none, asks, .alone = 1},
	{"hull-image", remote, copies},
};

// wanted is what the command will need, or NULL.
static const struct helper *wanted(const struct hull_words *w)
{
	const char *first = w->text + strlen(w->text) + 1, *end = w->text + w->size;
	while (first < end && *first == '-' && strchr(first, '='))
		first += strlen(first) + 1;
	for (size_t i = 0; i < sizeof(helpers) / sizeof(helpers[0]); i++) {
		const struct helper *h = &helpers[i];
		const char *p = first;
		if (p < end && hull_among(p, h->nouns))
			p += strlen(p) + 1;
		else if (!h->alone)
			continue;
		if (p < end && hull_among(p, h->commands))
			return h;
	}
	return NULL;
}

// find finds it where pkg/config looks first.
static int find(const char *name, char *out, size_t size)
{
	static const char *const places[] = {"", "../libexec/hull/", NULL};
	char exe[4096];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	if (n <= 0)
		return -1;
	exe[n] = '\0';
	*strrchr(exe, '/') = '\0';
	for (int i = 0; places[i]; i++) {
		n = snprintf(out, size, "%s/%s%s", exe, places[i], name);
		if (n > 0 && (size_t)n < size && !access(out, X_OK))
			return 0;
	}
	return -1;
}

// monitor_environment is what a monitor has instead of the user's: the times in k8s-file have a zone.
static char **monitor_environment(void)
{
	static char zone[256];
	static char *env[] = {HULL_MONITOR_PROCS, HULL_MONITOR_GC, NULL, NULL};
	const char *tz = getenv("TZ");
	if (tz) {
		int n = snprintf(zone, sizeof(zone), "TZ=%s", tz);
		if (n < 0 || (size_t)n >= sizeof(zone))
			return NULL;
		env[2] = zone;
	}
	return env;
}

static void close_all(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

void hull_start_helper(const struct hull_words *w)
{
	const struct helper *h = wanted(w);
	int fds[] = {-1, -1, -1, -1, -1}; // /dev/null, our socket and its, our end of its stderr and its
	char *argv[] = {NULL, NULL};
	if (!h)
		return;
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			return; // ours would take its place
	char **env = h->stays ? monitor_environment() : environ;
	if (!env || find(h->name, hull_helper_path, sizeof(hull_helper_path)) < 0)
		return;
	argv[0] = (char *)h->name;
	fds[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (fds[0] < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds + 1) < 0 || (!h->stays && pipe2(fds + 3, O_CLOEXEC) < 0)) {
		close_all(fds, 5);
		return;
	}
	pid_t pid = vfork();
	if (!pid) {
		if (h->stays) {
			setsid();
			prctl(PR_SET_TIMERSLACK, HULL_MONITOR_SLACK); // its children get back what there was (conmon/internal/reap)
		} else if (chdir("/") < 0)
			_exit(127);
		dup2(fds[0], 0);
		dup2(fds[0], 1);
		dup2(h->stays ? fds[0] : fds[4], 2);
		if (fds[2] == 3)
			fcntl(3, F_SETFD, 0);
		else
			dup2(fds[2], 3);
		syscall(SYS_close_range, 4, ~0U, 0);
		execve(hull_helper_path, argv, env);
		_exit(127);
	}
	if (pid < 0) {
		close_all(fds, 5);
		return;
	}
	int theirs[] = {fds[0], fds[2], fds[4]};
	close_all(theirs, 3);
	hull_helper_pid = pid;
	hull_helper_socket = fds[1];
	hull_helper_stderr = fds[3];
}
