package transfer

import (
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// Capabilities that unpacking an image needs inside the user namespace (capabilities(7)): owners, modes and attributes
// of files, device nodes, the chroot that a layer is unpacked in, and the mounts of the overlay driver.
const needed = 1<<unix.CAP_CHOWN | 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_DAC_READ_SEARCH | 1<<unix.CAP_FOWNER |
	1<<unix.CAP_FSETID | 1<<unix.CAP_SETUID | 1<<unix.CAP_SETGID | 1<<unix.CAP_SETFCAP | 1<<unix.CAP_SYS_CHROOT |
	1<<unix.CAP_SYS_ADMIN | 1<<unix.CAP_MKNOD

// startConfined starts cmd so that it and its children cannot gain privileges and lack the capabilities and the system
// calls that they do not need. All are properties of a thread that a new process inherits: they are set on a thread that is used for this one
// start and then ends, which it does because its goroutine does not unlock it.
func startConfined(cmd *exec.Cmd) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			// The main thread does not end with its goroutine, and its status is what others see of hull. While it is
			// held here, the next goroutine gets another thread.
			defer runtime.UnlockOSThread()
			done <- startConfined(cmd)
			return
		}
		done <- confineThread(cmd)
	}()
	return <-done
}

func confineThread(cmd *exec.Cmd) error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	for c := range uintptr(unix.CAP_LAST_CAP + 1) {
		if needed&(1<<c) == 0 {
			// EINVAL: a capability newer than the kernel. EPERM: a user without privileges, who has none to drop.
			_ = unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0)
		}
	}
	if err := filterThread(); err != nil {
		return err
	}
	return cmd.Start()
}
