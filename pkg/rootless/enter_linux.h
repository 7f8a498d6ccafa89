// What the constructor in enter_linux.c tells Go.
#ifndef HULL_ENTER_H
#define HULL_ENTER_H

#define HULL_NOT_ENTERED 0 // no pause process, or we are root already
#define HULL_ENTERED 1     // inside the user's namespaces, as root there
#define HULL_NOT_NEEDED 2  // the command word says that it works outside
#define HULL_JOIN_FAILED 3 // hull_entered_errno says why

extern int hull_entered;
extern int hull_entered_errno;
extern int hull_joined;   // entered by this process, not by the one that started it
extern unsigned hull_uid; // of the user on the host, when entered
extern unsigned hull_gid;

// A monitor for the process that the command will start, executed before Go.
#define HULL_MONITOR_PROCS "GOMAXPROCS=1"
#define HULL_MONITOR_GC "GOGC=30"
extern char hull_monitor_path[4096 + 32];
extern int hull_monitor_pid;    // 0: there is none
extern int hull_monitor_socket; // our end

#endif
