package message

// Envelope holds the fields of a message's header that RFC 3501 7.4.2 calls by that
// name. Texts are unfolded and otherwise as they stand: RFC 2047 words are not
// decoded. A field that is not there is nil.
type Envelope struct {
	Date, Subject                      *string
	From, Sender, ReplyTo, To, Cc, Bcc []Address // Sender and ReplyTo are those of From if they are not there
	InReplyTo, MessageID               *string
}

// ParseEnvelope reads the envelope from a header. Of a text that is there twice
// the first counts; address fields add up.
func ParseEnvelope(header []byte) *Envelope {
	e := &Envelope{}
	for f := range Fields(header) {
		switch name := f.Name; {
		case equalFold(string(name), "date"):
			setText(&e.Date, f.Value)
		case equalFold(string(name), "subject"):
			setText(&e.Subject, f.Value)
		case equalFold(string(name), "from"):
			e.From = append(e.From, ParseAddresses(f.Value)...)
		case equalFold(string(name), "sender"):
			e.Sender = append(e.Sender, ParseAddresses(f.Value)...)
		case equalFold(string(name), "reply-to"):
			e.ReplyTo = append(e.ReplyTo, ParseAddresses(f.Value)...)
		case equalFold(string(name), "to"):
			e.To = append(e.To, ParseAddresses(f.Value)...)
		case equalFold(string(name), "cc"):
			e.Cc = append(e.Cc, ParseAddresses(f.Value)...)
		case equalFold(string(name), "bcc"):
			e.Bcc = append(e.Bcc, ParseAddresses(f.Value)...)
		case equalFold(string(name), "in-reply-to"):
			setText(&e.InReplyTo, f.Value)
		case equalFold(string(name), "message-id"):
			setText(&e.MessageID, f.Value)
		}
	}
	if len(e.Sender) == 0 {
		e.Sender = e.From
	}
	if len(e.ReplyTo) == 0 {
		e.ReplyTo = e.From
	}
	return e
}

func setText(dst **string, v []byte) {
	if *dst == nil {
		s := Unfold(v)
		*dst = &s
	}
}
