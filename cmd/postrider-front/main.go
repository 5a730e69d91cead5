// Postrider-front is the process of the server that strangers reach. The program
// postrider starts it, as root, for system accounts; it becomes the user and enters the
// directory that its flags name before it reads anything.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"postrider/cmd/front"
	"postrider/cmd/memory"
	"postrider/cmd/privilege"
	"postrider/packet"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "postrider-front:", err)
		os.Exit(1)
	}
}

func run() error {
	root := flag.String("root", "", "the empty directory to enter")
	uid := flag.Int("uid", 0, "whom to become")
	gid := flag.Int("gid", 0, "its group")
	flag.Parse()
	file, err := privilege.Inherited(0)
	if err != nil {
		return err
	}
	if err := privilege.Confine(*root, *uid, *gid); err != nil {
		return err
	}
	control, err := packet.New(file)
	if err != nil {
		return err
	}
	signal.Ignore(syscall.SIGHUP, syscall.SIGINT)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go memory.GiveBack(ctx)
	return front.Run(ctx, control, os.Stderr)
}
