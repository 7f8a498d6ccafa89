// Command peers answers each connection and each datagram to a port with the address that it comes from, as a container of
// the tests sees it: "peers PORT". test/env builds it static and hands it out as Peers.
package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
)

func main() {
	err := errors.New("usage: peers PORT")
	if len(os.Args) == 2 {
		err = serve(":" + os.Args[1])
	}
	_, _ = fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// serve answers until its sockets fail.
func serve(address string) error {
	tcp, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	udp, err := net.ListenPacket("udp", address)
	if err != nil {
		return err
	}
	go func() {
		b := make([]byte, 1500)
		for {
			_, from, err := udp.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = udp.WriteTo([]byte(from.String()+"\n"), from)
		}
	}()
	for {
		c, err := tcp.Accept()
		if err != nil {
			return err
		}
		go tell(c)
	}
}

// tell answers, and ends when the client has.
func tell(c net.Conn) {
	defer c.Close()
	_, _ = fmt.Fprintln(c, c.RemoteAddr())
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.CloseWrite()
	}
	_, _ = io.Copy(io.Discard, c)
}
