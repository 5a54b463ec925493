package ward

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// Account is the account that the servers run as: the caller's own, or nobody when the caller is root, because
// PostgreSQL refuses to run as root and Dovecot would drop its rights to accounts that may not exist.
type Account struct {
	Name, Group string
	UID, GID    int
}

// AccountToUse looks up the account that Start uses.
func AccountToUse() (Account, error) {
	me, err := user.Current()
	if err != nil {
		return Account{}, fmt.Errorf("look up the account: %w", err)
	}
	if os.Geteuid() == 0 {
		if me, err = user.Lookup("nobody"); err != nil {
			return Account{}, fmt.Errorf("look up the account for servers: %w", err)
		}
	}
	a := Account{Name: me.Username, Group: me.Gid}
	if a.UID, err = strconv.Atoi(me.Uid); err != nil {
		return Account{}, fmt.Errorf("read the number of account %s: %w", me.Username, err)
	}
	if a.GID, err = strconv.Atoi(me.Gid); err != nil {
		return Account{}, fmt.Errorf("read the group of account %s: %w", me.Username, err)
	}
	if g, err := user.LookupGroupId(me.Gid); err == nil {
		a.Group = g.Name
	}
	return a, nil
}

// Unprivileged returns what makes exec.Cmd run a program as the account of AccountToUse. It is for short-lived children
// of a server that lives in this process; everything else is started with Start.
func Unprivileged() (*syscall.SysProcAttr, error) { return unprivileged() }

func unprivileged() (*syscall.SysProcAttr, error) {
	attr := &syscall.SysProcAttr{}
	if os.Geteuid() != 0 {
		return attr, nil
	}
	a, err := AccountToUse()
	if err != nil {
		return nil, err
	}
	attr.Credential = &syscall.Credential{Uid: uint32(a.UID), Gid: uint32(a.GID)}
	return attr, nil
}

// Run runs a short program of a server's (initdb, doveadm) as the account of AccountToUse, in folder, and returns what
// it printed. The error holds the output too.
func Run(ctx context.Context, folder, path string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = folder
	var err error
	if cmd.SysProcAttr, err = unprivileged(); err != nil {
		return "", err
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("run %s: %w: %s", path, err, out)
	}
	return string(out), nil
}

// Folder makes a temporary folder that belongs to the account of AccountToUse. Whoever starts no program in it removes it.
func Folder(name string) (string, error) {
	dir, err := os.MkdirTemp("", "kontrol-"+name+"-")
	if err != nil {
		return "", fmt.Errorf("make a folder for %s: %w", name, err)
	}
	return dir, Own(dir)
}

// Own gives files to the account of AccountToUse. It does nothing for anybody but root.
func Own(paths ...string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	a, err := AccountToUse()
	if err != nil {
		return err
	}
	for _, path := range paths {
		if err := os.Chown(path, a.UID, a.GID); err != nil {
			return fmt.Errorf("give %s to %s: %w", path, a.Name, err)
		}
	}
	return nil
}

// Ports returns n loopback ports that are free now. It looks below the range from which Linux takes the ports of outgoing
// connections, so that no client grabs one before the server does; another server still may, so start again on ErrEnded.
func Ports(n int) ([]int, error) {
	ports := make([]int, 0, n)
	for range 1000 {
		port := 10240 + rand.IntN(32000-10240)
		l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err != nil {
			continue
		}
		defer func() { _ = l.Close() }() // held until all are found, so that no port comes twice
		if ports = append(ports, port); len(ports) == n {
			return ports, nil
		}
	}
	return nil, fmt.Errorf("no %d free ports between 10240 and 32000", n)
}
