package imaplogin

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"
	"syscall"

	"postrider/auth"
)

// person is what a process must be to serve an account.
type person struct {
	uid, gid int
	groups   []int
	home     string
}

// personOf is whom an identity names: a system user with its groups, or two numbers.
// Nobody is root.
func personOf(id *auth.Identity) (person, error) {
	p := person{uid: id.UID, gid: id.GID, home: id.Home}
	if id.User != "" {
		if err := p.lookup(id.User); err != nil {
			return person{}, err
		}
	}
	if p.gid >= 0 && !slices.Contains(p.groups, p.gid) {
		p.groups = append([]int{p.gid}, p.groups...)
	}
	return p, p.check()
}

// lookup fills in what the system knows of its user.
func (p *person) lookup(name string) error {
	u, err := user.Lookup(name)
	if err != nil {
		return err
	}
	if p.uid, err = strconv.Atoi(u.Uid); err != nil {
		return err
	}
	if p.gid < 0 {
		if p.gid, err = strconv.Atoi(u.Gid); err != nil {
			return err
		}
	}
	ids, err := u.GroupIds()
	if err != nil {
		return err
	}
	for _, id := range ids {
		n, err := strconv.Atoi(id)
		if err != nil {
			return err
		}
		p.groups = append(p.groups, n)
	}
	return nil
}

// check refuses what no account may be.
func (p *person) check() error {
	switch {
	case p.uid < 0 || p.gid < 0:
		return errors.New("the account has no uid or gid")
	case p.uid == 0 || p.gid == 0:
		return errors.New("the account has uid or gid 0")
	case os.Geteuid() != 0 && p.uid != os.Geteuid():
		return fmt.Errorf("the account belongs to uid %d, and only root can become that", p.uid)
	}
	return nil
}

// become makes this process that person, for good.
func (p *person) become() error {
	if os.Geteuid() != 0 {
		return nil // it is, says check
	}
	if err := syscall.Setgroups(p.groups); err != nil {
		return os.NewSyscallError("setgroups", err)
	}
	if err := syscall.Setgid(p.gid); err != nil {
		return os.NewSyscallError("setgid", err)
	}
	return os.NewSyscallError("setuid", syscall.Setuid(p.uid))
}

// credential is that person for a process that is to be started, nil for whom we are.
func (p *person) credential() *syscall.Credential {
	if os.Geteuid() != 0 {
		return nil
	}
	c := &syscall.Credential{Uid: uint32(p.uid), Gid: uint32(p.gid)}
	for _, g := range p.groups {
		c.Groups = append(c.Groups, uint32(g))
	}
	return c
}
