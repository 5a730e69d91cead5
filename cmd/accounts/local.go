package accounts

import (
	"errors"
	"fmt"
	"os"

	"postrider/auth"
	"postrider/auth/authdaemon"
	"postrider/auth/pam"
	"postrider/auth/passwd"
)

// The modules whose accounts the system or a program on it knows.

func openPasswd(s source) (auth.Backend, error) {
	return opened(passwd.New(passwd.Options{Passwd: s.config.PasswdFile, Verifier: s.verifier, Logger: s.logger}))
}

func openShadow(s source) (auth.Backend, error) {
	return opened(passwd.New(passwd.Options{Passwd: s.config.PasswdFile, Shadow: s.config.ShadowFile, Verifier: s.verifier, Logger: s.logger}))
}

// opened says at the start what is wrong with the files, such as that the server's
// user cannot read them.
func opened(db *passwd.DB) (auth.Backend, error) {
	if err := db.Check(); err != nil {
		return nil, err
	}
	return db, nil
}

func openPAM(s source) (auth.Backend, error) {
	if err := executable("PAM_HELPER", s.config.PAMHelper); err != nil {
		return nil, err
	}
	return pam.New(pam.Options{Command: []string{s.config.PAMHelper}, Logger: s.logger}), nil
}

func openPipe(s source) (auth.Backend, error) {
	if err := executable("AUTHPIPE_PROGRAM", s.config.AuthpipeProgram); err != nil {
		return nil, err
	}
	return authdaemon.NewPipe(authdaemon.PipeOptions{
		Command: []string{s.config.AuthpipeProgram}, Processes: s.config.AuthProcesses, Logger: s.logger,
	}), nil
}

func openProgram(s source) (auth.Backend, error) {
	if s.config.AuthProgram == "" {
		// Courier's authcustom rejects everybody until somebody fills it in.
		return nil, fmt.Errorf("AUTH_PROGRAM is not set: %w", errNotSetUp)
	}
	if err := executable("AUTH_PROGRAM", s.config.AuthProgram); err != nil {
		return nil, err
	}
	return authdaemon.NewPipe(authdaemon.PipeOptions{
		Command: []string{s.config.AuthProgram}, Extended: true, Processes: s.config.AuthProcesses, Logger: s.logger,
	}), nil
}

// executable tells whether a program can be started. One that is missing is not set
// up: Courier names every module in the authdaemonrc that it ships.
func executable(setting, path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%s: %w: %w", setting, err, errNotSetUp)
	case err != nil:
		return fmt.Errorf("%s: %w", setting, err)
	case info.IsDir() || info.Mode().Perm()&0o111 == 0:
		return fmt.Errorf("%s: %s is no program", setting, path)
	}
	return nil
}
