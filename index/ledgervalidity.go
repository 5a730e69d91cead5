package index

import "postrider/mail"

// RaiseValidity has NextValidity return UIDVALIDITYs above v: one that another
// server gave.
func (l *Ledger) RaiseValidity(v mail.UIDValidity) error {
	return l.change(func(s *ledgerState) []mail.Name {
		s.validity = max(s.validity, v)
		return nil
	})
}
