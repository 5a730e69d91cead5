package session

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"postrider/account"
	"postrider/imap"
	"postrider/mail"
	"postrider/mailbox"
)

func TestStatus(t *testing.T) {
	for _, c := range []struct {
		err  error
		code imap.Code
	}{
		{fmt.Errorf("open: %w", account.ErrNoMailbox), imap.CodeNonExistent},
		{account.ErrExists, imap.CodeAlreadyExists},
		{mail.CheckName("a//b"), imap.CodeCannot},
		{fmt.Errorf("x: %w", mailbox.ErrVanished), imap.CodeExpungeIssued},
		{&errno{syscall.EDQUOT}, imap.CodeOverQuota},
		{mailbox.ErrKeywords, imap.CodeLimit},
	} {
		if st := (*Session)(nil).Status(c.err); st == nil || st.Kind != imap.KindNo || st.Code != c.code {
			t.Errorf("%v: %v, want %s", c.err, st, c.code)
		}
	}
	if st := (*Session)(nil).Status(errors.New("what?")); st != nil {
		t.Errorf("an unknown error became %v", st)
	}
	var st *imap.Status
	if err := tryCreate(account.ErrNoMailbox); !errors.As(err, &st) || st.Code != imap.CodeTryCreate {
		t.Errorf("tryCreate: %v", err)
	}
}

type errno struct{ error }

func (e *errno) Unwrap() error { return e.error }
