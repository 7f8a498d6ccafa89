// See the package comment in lazysysmon.go.
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/prctl.h>

#ifdef HULL_STATIC_MUSL // the Makefile links so; a shared musl keeps that name to itself

enum { HULL_SLACK = 2000000 }; // nanoseconds; with more, rm of 100 takes longer

int __pthread_create(pthread_t *restrict, const pthread_attr_t *restrict, void *(*)(void *), void *restrict); // musl's own name for it

static struct {
	void *(*run)(void *); // NULL until it is started; before, there is but one thread
	void *with;
	int slack; // what it had, and all others have
} sysmon;

static __thread int is_sysmon;

static void *run_sysmon(void *unused)
{
	(void)unused;
	is_sysmon = 1;
	sysmon.slack = prctl(PR_GET_TIMERSLACK);
	prctl(PR_SET_TIMERSLACK, HULL_SLACK);
	return sysmon.run(sysmon.with);
}

// pthread_create in libc's place.
int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attr, void *(*run)(void *), void *restrict with)
{
	if (!sysmon.run) {
		sysmon.run = run;
		sysmon.with = with;
		return __pthread_create(thread, attr, run_sysmon, NULL);
	}
	if (!is_sysmon)
		return __pthread_create(thread, attr, run, with);
	prctl(PR_SET_TIMERSLACK, sysmon.slack);
	int failed = __pthread_create(thread, attr, run, with);
	prctl(PR_SET_TIMERSLACK, HULL_SLACK);
	return failed;
}

#endif
