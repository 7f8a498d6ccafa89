#define _GNU_SOURCE
#include "mountin.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

// hull_mount_in mounts in a folder, which is the working folder of this thread alone meanwhile. It is one call, so that Go moves
// nothing of it to another thread; the thread keeps a working folder and a umask of its own, which are what they were.
int hull_mount_in(const char *dir, const char *source, const char *target, const char *type, const char *options) {
	if (unshare(CLONE_FS) < 0) // a filter of system calls
		return HULL_NO_WAY_BACK;
	int back = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (back < 0 || fchdir(back) < 0) { // a folder that one may be in and not enter
		if (back >= 0)
			close(back);
		return HULL_NO_WAY_BACK;
	}
	int failed = chdir(dir) < 0 || mount(source, target, type, 0, options) < 0 ? errno : 0;
	if (fchdir(back) < 0)
		failed = HULL_NO_WAY_BACK;
	close(back);
	return failed;
}
