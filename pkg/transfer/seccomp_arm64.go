package transfer

const (
	auditArch = 0xc00000b7 // AUDIT_ARCH_AARCH64 (linux/audit.h)
	foreign   = 0xffffffff
)

var deniedHere []uint32
