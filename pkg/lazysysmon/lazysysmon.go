// Package lazysysmon gives the Go runtime's monitor thread (sysmon) of the program that imports it a longer timer slack
// (prctl(2), PR_SET_TIMERSLACK), so that it wakes up less often.
//
// For as long as something happens, sysmon looks every 20 µs whether a thread is stuck in a system call and its processor is
// wanted. A short command has it wake up a hundred times, each with a timer's interrupt and two switches of context: of 100
// `hull run -d`, 8 at a time on two processors, that was a tenth of the time. What the slack costs: a goroutine that is ready while
// all processors that Go may use sit in system calls can wait that much longer for one of them (docs/design/0011).
//
// Go has no setting for it. A program with cgo starts its threads by libc's pthread_create, a weak symbol in a static musl, and
// sysmon is the first of them; one without finds sysmon in /proc. The slack is a thread's own, but it hands it on to what it starts: sysmon
// starts threads. With cgo they get what the program had; without it they do not, and what they start has the slack too.
package lazysysmon
