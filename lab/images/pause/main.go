// Command pause is the first process of a pod: it holds the pod's namespaces, reaps what its other processes leave
// behind, and ends when it is asked to. With -v it ends at once, as upstream's: kubeadm runs it so before an upgrade.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "-v" {
		fmt.Println("pause of the lab")
		return
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	reap() // children that ended before signals were watched
	for one := range signals {
		if one != syscall.SIGCHLD {
			return
		}
		reap()
	}
}

// reap collects every child that has ended: signals that come at once arrive as one.
func reap() {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
	}
}
