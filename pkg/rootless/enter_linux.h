// What the constructor in enter_linux.c tells Go.
#ifndef HULL_ENTER_H
#define HULL_ENTER_H

#include <stddef.h>

#define HULL_NOT_ENTERED 0 // no pause process, or we are root already
#define HULL_ENTERED 1     // inside the user's namespaces, as root there
#define HULL_NOT_NEEDED 2  // the command word says that it works outside
#define HULL_JOIN_FAILED 3 // hull_entered_errno says why

extern int hull_entered;
extern int hull_entered_errno;
extern int hull_joined;   // entered by this process, not by the one that started it
extern unsigned hull_uid; // of the user on the host, when entered
extern unsigned hull_gid;

// What the command is going to need, executed before Go (helper_linux.c).
#define HULL_MONITOR_PROCS "GOMAXPROCS=1"
#define HULL_MONITOR_GC "GOGC=30"
#define HULL_MONITOR_SLACK 5000000 // nanoseconds (pkg/lazysysmon)
extern char hull_helper_path[4096 + 64];
extern int hull_helper_pid;    // 0: there is none
extern int hull_helper_socket; // our end
extern int hull_helper_stderr; // what it complains of is read here; -1: from nowhere

// Words of the command line, read from /proc: a constructor of a static program has no argv.
struct hull_words {
	char text[65536];
	size_t size;
};

int hull_among(const char *word, const char *const *list);
void hull_start_helper(const struct hull_words *w);

#endif
