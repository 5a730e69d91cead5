package session

import (
	"postrider/imap"
	"postrider/message"
)

// appendEnvelope appends an envelope.
//
//	envelope = "(" env-date SP env-subject SP env-from SP env-sender SP env-reply-to SP env-to SP
//	           env-cc SP env-bcc SP env-in-reply-to SP env-message-id ")"
func appendEnvelope(b []byte, e *message.Envelope) []byte {
	b = appendText(append(b, '('), e.Date)
	b = appendText(append(b, ' '), e.Subject)
	for _, list := range [][]message.Address{e.From, e.Sender, e.ReplyTo, e.To, e.Cc, e.Bcc} {
		b = appendAddresses(append(b, ' '), list)
	}
	b = appendText(append(b, ' '), e.InReplyTo)
	b = appendText(append(b, ' '), e.MessageID)
	return append(b, ')')
}

func appendText(b []byte, s *string) []byte {
	if s == nil {
		return append(b, "NIL"...)
	}
	return imap.AppendString(b, []byte(*s))
}

// appendAddresses appends addresses.
//
//	"(" 1*address ")" / nil
//	address = "(" addr-name SP addr-adl SP addr-mailbox SP addr-host ")"
func appendAddresses(b []byte, list []message.Address) []byte {
	if len(list) == 0 {
		return append(b, "NIL"...)
	}
	b = append(b, '(')
	for _, a := range list {
		b = appendOptional(append(b, '('), a.Name)
		b = appendOptional(append(b, ' '), a.Route)
		if a.Group && a.Mailbox == "" && a.Host == "" {
			b = append(b, " NIL NIL)"...)
			continue
		}
		b = imap.AppendString(append(b, ' '), []byte(a.Mailbox))
		if a.Group {
			b = append(b, " NIL)"...)
			continue
		}
		b = append(imap.AppendString(append(b, ' '), []byte(a.Host)), ')')
	}
	return append(b, ')')
}

// appendOptional appends a text, NIL if it is empty.
func appendOptional(b []byte, s string) []byte {
	if s == "" {
		return append(b, "NIL"...)
	}
	return imap.AppendString(b, []byte(s))
}
