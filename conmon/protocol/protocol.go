// Package protocol is what hull-conmon and the engine say to each other. It imports the standard library alone, and of
// that neither fmt nor encoding/json: the monitor is linked with it.
//
// # Who says what, when
//
// The owner is the process that started the monitor. It holds one end of a stream socketpair whose other end is fd 3 of
// the monitor. An attacher connects to Dir/attach.sock. Both speak frames (see Type): type, length, payload.
//
//	owner                         monitor                        runtime, container
//	  | Request (first) ---------->|                                     |
//	  | Terminal + fd (optional) ->| status: starting                    |
//	  |                            | exec runtime run|create|exec ------>|
//	  |                            |<------- pid file, console fd, exit  |
//	  |                            | status: running|created             |
//	  |<- Started|Failed|Refused   |                                     |
//	  | Stdin… StdinEOF Resize --->| ----------------------------------> | stdin, pty size
//	  |<--------- Stdout, Stderr   | <---------------------------------- | stdout, stderr; also into the log
//	  |                            | <---------------------------------- | exit; output drained, log flushed
//	  |                            | status: exited                      |
//	  |<------------------ Exited  |                                     |
//	  | Cleaned, or just closes -->| no Cleaned: exec of Cleanup         |
//
// Of a start that failed the owner says Cleaned when it has heard so, and clears away what is left.
//
//	attacher                      monitor
//	  | connect, Hello ----------->|
//	  | Terminal + fd (optional) ->|
//	  |<------- Started{pid}       | the connection is served from here on: output made later reaches it
//	  | Stdin… Resize Detach ----->|
//	  |<- Stdout, Stderr, Exited   | or Dropped{why}, when it reads too slowly for too long
//	  | NoRestart ---------------->|
//	  |<----------- NoRestart      | agreed: the next exit is the last
//	  | Cleaned, or just closes -->| no Cleaned after the exit: exec of Cleanup
//
// A connection that sends Stdin is not read while the container's stdin is full, so that what must not queue behind it
// (Resize) goes over a second connection. A connection that passed its terminal and dies without Restored has that
// terminal put back by the monitor.
//
// # What lies in Dir
//
// Dir is made by the engine (0700), one for each container or exec session, in a folder that a reboot empties:
//
//	status         text, see Status; written by the monitor through status.new and rename; stays for the engine to read
//	monitor.lock   empty; flock held by the monitor all its life; stays
//	attach.sock    stream socket, 0600; goes when the process has ended for good
//	console.sock   only while the runtime starts a process with a terminal
//	config.json    the runtime's bundle, when Dir is one; a FIFO while the owner still makes it (see OwnerGone in conmon/internal/watch)
//	pid            written by the runtime (--pid-file); runtime.log: its errors (--log); both replaced at each start
package protocol

// Version of the request and the frames. A monitor refuses a request of another version and says so.
const Version = 1

// Names of the files in Dir.
const (
	StatusFile  = "status"
	LockFile    = "monitor.lock"
	AttachFile  = "attach.sock"
	ConsoleFile = "console.sock"
	PIDFileName = "pid"
	SpecFile    = "config.json"
	RuntimeLog  = "runtime.log"
)

// OwnerFD is the monitor's end of the socketpair; the preserved descriptors follow it.
const OwnerFD = 3
