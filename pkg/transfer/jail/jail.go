// Package jail starts a program that reads what a stranger sent and is not written in a language that minds its memory: a decoder
// which gets its input by a pipe and leaves its output in another. Beside what hull-image has given up (pkg/transfer/confine), which
// it inherits, it is nobody, without capabilities, and is refused what would get it farther than its pipes: sockets, mounts, roots and
// namespaces, signals, and every call that changes a file or opens one for more than reading.
package jail

import (
	"cmp"
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"hull.dev/hull/pkg/thread"
)

// nobody is the user and group that owns nothing: the kernel's for ids without a mapping (proc(5), overflowuid).
const nobody = 65534

// Start starts cmd, whose three files have to be given: /dev/null would be opened for writing. It is killed when ctx ends, by the kernel,
// since hull-image may not signal another user's processes. Where there is no user nobody, as in a user namespace with a single id, or
// no filter for system calls, that is an error and nothing has started.
func Start(ctx context.Context, cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}, Pdeathsig: unix.SIGKILL}
	started := make(chan error, 1)
	go func() {
		_ = thread.Do(func() error { // a filter is the thread's and of what it starts, and the program dies with the thread
			err := cmp.Or(refuse(), ctx.Err())
			if err == nil {
				err = cmd.Start()
			}
			started <- err
			if err == nil {
				<-ctx.Done()
			}
			return nil
		})
	}()
	return <-started
}

// refuse has the calling thread's system calls filtered.
func refuse() error {
	program := program()
	if len(program) == 0 {
		return fmt.Errorf("filter system calls: unknown architecture %s", runtime.GOARCH)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("give up new privileges: %w", err)
	}
	if err := install(program); err != nil {
		return fmt.Errorf("filter system calls: %w", err)
	}
	return nil
}

// refused are the system calls that every architecture has; those of one alone are in calls_ARCH.go. What Go needs on its way to the
// new program stays, tgkill(2) among it, which reaches the threads of one's own process.
var refused = []int{
	unix.SYS_ACCEPT, unix.SYS_ACCEPT4, unix.SYS_BIND, unix.SYS_CONNECT, unix.SYS_LISTEN, unix.SYS_SENDMMSG, unix.SYS_SENDMSG,
	unix.SYS_SENDTO, unix.SYS_SOCKET, unix.SYS_SOCKETPAIR,
	unix.SYS_KILL, unix.SYS_PIDFD_GETFD, unix.SYS_PIDFD_SEND_SIGNAL, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PTRACE,
	unix.SYS_RT_SIGQUEUEINFO, unix.SYS_RT_TGSIGQUEUEINFO, unix.SYS_TKILL,
	unix.SYS_CHROOT, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSOPEN, unix.SYS_FSPICK, unix.SYS_MOUNT, unix.SYS_MOUNT_SETATTR,
	unix.SYS_MOVE_MOUNT, unix.SYS_OPEN_TREE, unix.SYS_PIVOT_ROOT, unix.SYS_SETNS, unix.SYS_UMOUNT2, unix.SYS_UNSHARE,
	unix.SYS_FALLOCATE, unix.SYS_FCHMOD, unix.SYS_FCHMODAT, unix.SYS_FCHMODAT2, unix.SYS_FCHOWN, unix.SYS_FCHOWNAT, unix.SYS_FREMOVEXATTR,
	unix.SYS_FSETXATTR, unix.SYS_FTRUNCATE, unix.SYS_LINKAT, unix.SYS_LREMOVEXATTR, unix.SYS_LSETXATTR, unix.SYS_MEMFD_CREATE,
	unix.SYS_MKDIRAT, unix.SYS_MKNODAT, unix.SYS_OPENAT2, unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_REMOVEXATTR, unix.SYS_RENAMEAT2,
	unix.SYS_SETXATTR, unix.SYS_SYMLINKAT, unix.SYS_TRUNCATE, unix.SYS_UNLINKAT, unix.SYS_UTIMENSAT,
	unix.SYS_FILE_SETATTR, unix.SYS_OPEN_TREE_ATTR, unix.SYS_REMOVEXATTRAT, unix.SYS_SETXATTRAT,
	unix.SYS_BPF, unix.SYS_IO_URING_SETUP, unix.SYS_MQ_OPEN, unix.SYS_MSGGET, unix.SYS_SEMGET, unix.SYS_SHMGET,
}

// changes are the flags of open(2) that a reader has no use for. O_TMPFILE comes with one of the first two.
const changes = unix.O_WRONLY | unix.O_RDWR | unix.O_CREAT | unix.O_TRUNC | unix.O_APPEND

// Where the kernel tells a filter what a call is: struct seccomp_data (seccomp(2)). The lower half of an argument is first.
const (
	number       = 0
	architecture = 4
	arguments    = 16
)

// program is the filter, or nothing where the architecture is unknown. Calls of another architecture, and numbers from foreign on, which
// are x32's, are refused altogether.
var program = sync.OnceValue(func() []unix.SockFilter {
	if arch == 0 {
		return nil
	}
	no := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)}
	yes := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	unless := func(test uint16, k, skip uint32) unix.SockFilter { // the next ones are skipped when the test fails
		return unix.SockFilter{Code: unix.BPF_JMP | test | unix.BPF_K, Jf: uint8(skip), K: k}
	}
	f := []unix.SockFilter{
		load(architecture),
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 1, K: arch},
		no,
		load(number), unless(unix.BPF_JGE, foreign, 1), no,
	}
	for _, call := range slices.Concat(refused, refusedHere) {
		f = append(f, unless(unix.BPF_JEQ, uint32(call), 1), no)
	}
	for call, flags := range opens {
		f = append(f, unless(unix.BPF_JEQ, uint32(call), 4), load(arguments+8*flags), unless(unix.BPF_JSET, changes, 1), no, yes)
	}
	return append(f, yes)
})
