#define _GNU_SOURCE
#include "child.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

static char stack[1 << 16] __attribute__((aligned(16)));
static int user;
static int ends[2]; // of the line: ours and the child's

// live makes the namespaces, says how that went and stays until the other end of the line is closed, or its process has ended.
static int live(void *unused)
{
	char b;
	int failed = 0;
	(void)unused;
	close(ends[0]);
	if ((user < 0 ? unshare(CLONE_NEWUSER) : setns(user, CLONE_NEWUSER)) < 0 || unshare(CLONE_NEWNET) < 0)
		failed = errno;
	if (write(ends[1], &failed, sizeof(failed)) == sizeof(failed))
		while (read(ends[1], &b, 1) < 0 && errno == EINTR)
			;
	_exit(0);
}

// hull_child starts a process of one thread that makes a network namespace in a user namespace: that of the descriptor, or, if it is
// negative, a new one. It returns its pid, and the line to it; or the errno, negative. There may be one at a time: it has the memory of
// this process, of which a copy would cost more than all else, and the stack above.
// It runs nothing of Go's, so it must not get a signal, whose handlers are Go's.
int hull_child(int namespace, int *line)
{
	sigset_t all, before;
	int failed, pid;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	user = namespace;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = clone(live, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL);
	failed = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return -failed;
	}
	*line = ends[0];
	return pid;
}
