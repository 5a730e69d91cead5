package message

// Envelope holds the fields of a message's header that RFC 3501 7.4.2 calls by that
// name. Texts are unfolded and otherwise as they stand: RFC 2047 words are not
// decoded. A field that is not there is nil.
type Envelope struct {
	Date, Subject                      *string
	From, Sender, ReplyTo, To, Cc, Bcc []Address // Sender and ReplyTo are those of From if they are not there
	InReplyTo, MessageID               *string
}

var envelopeNames = []string{
	"date", "subject", "from", "sender", "reply-to", "to", "cc", "bcc", "in-reply-to", "message-id",
}

// ParseEnvelope reads the envelope from a header. Of a text that is there twice the
// last counts; address fields add up.
func ParseEnvelope(header []byte) *Envelope {
	e := &Envelope{}
	for f := range Fields(header) {
		i := nameIn(envelopeNames, f.Name)
		if i < 0 {
			continue
		}
		switch envelopeNames[i] {
		case "date":
			setText(&e.Date, f.Value)
		case "subject":
			setText(&e.Subject, f.Value)
		case "from":
			e.From = appendAddresses(e.From, f.Value)
		case "sender":
			e.Sender = appendAddresses(e.Sender, f.Value)
		case "reply-to":
			e.ReplyTo = appendAddresses(e.ReplyTo, f.Value)
		case "to":
			e.To = appendAddresses(e.To, f.Value)
		case "cc":
			e.Cc = appendAddresses(e.Cc, f.Value)
		case "bcc":
			e.Bcc = appendAddresses(e.Bcc, f.Value)
		case "in-reply-to":
			setText(&e.InReplyTo, f.Value)
		case "message-id":
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
	s := Unfold(v)
	*dst = &s
}
