package index

import "postrider/mail"

// RaiseValidity has NextValidity return UIDVALIDITYs above v: one that another
// server gave.
func (l *Ledger) RaiseValidity(v mail.UIDValidity) error {
	s, err := l.read()
	if err != nil || s.validity >= v {
		return err
	}
	return l.change(func(s *ledgerState) { s.validity = max(s.validity, v) })
}
