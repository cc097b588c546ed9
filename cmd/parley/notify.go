package main

import (
	"net"
	"os"
	"strings"
)

// notify tells the service manager that started this process how it is doing:
// sd_notify(3), one datagram to the socket named in the environment. Without a
// service manager it does nothing.
func notify(state string) error {
	name := os.Getenv("NOTIFY_SOCKET")
	if name == "" {
		return nil
	}
	if strings.HasPrefix(name, "@") { // the abstract namespace of Linux
		name = "\x00" + name[1:]
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Write([]byte(state))
	return err
}
