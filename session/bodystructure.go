package session

import (
	"cmp"
	"strconv"
	"strings"

	"postrider/imap"
	"postrider/message"
)

// emptyPart stands for the part that the grammar wants in a multipart and that a
// broken message does not have.
const emptyPart = `("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0)`

// appendStructure appends a body structure, with the extension data of
// BODYSTRUCTURE if extended.
//
//	body            = "(" (body-type-1part / body-type-mpart) ")"
//	body-type-mpart = 1*body SP media-subtype [SP body-ext-mpart]
//	body-ext-mpart  = body-fld-param SP body-fld-dsp SP body-fld-lang SP body-fld-loc
func appendStructure(b []byte, p *message.Part, extended bool) []byte {
	if !strings.EqualFold(p.Type, "multipart") {
		return appendSinglePart(b, p, extended)
	}
	b = append(b, '(')
	for _, part := range p.Parts {
		b = appendStructure(b, part, extended)
	}
	if len(p.Parts) == 0 {
		b = append(b, emptyPart...)
	}
	b = imap.AppendString(append(b, ' '), []byte(p.Subtype))
	if extended {
		b = appendParams(append(b, ' '), p.Params)
		b = appendExtension(b, p)
	}
	return append(b, ')')
}

// appendSinglePart appends the structure of what is no multipart.
//
//	body-type-1part = (body-type-basic / body-type-msg / body-type-text) [SP body-ext-1part]
//	body-type-msg   = media-message SP body-fields SP envelope SP body SP body-fld-lines
//	body-ext-1part  = body-fld-md5 SP body-fld-dsp SP body-fld-lang SP body-fld-loc
func appendSinglePart(b []byte, p *message.Part, extended bool) []byte {
	b = imap.AppendString(append(b, '('), []byte(p.Type))
	b = imap.AppendString(append(b, ' '), []byte(p.Subtype))
	b = appendParams(append(b, ' '), p.Params)
	b = appendOptional(append(b, ' '), p.ID)
	b = appendOptional(append(b, ' '), p.Description)
	b = imap.AppendString(append(b, ' '), []byte(cmp.Or(p.Encoding, "7bit")))
	b = strconv.AppendInt(append(b, ' '), p.Text().Len(), 10)
	switch {
	case strings.EqualFold(p.Type, "text"):
		b = strconv.AppendInt(append(b, ' '), p.Lines, 10)
	case p.Inner != nil:
		envelope := p.Inner.Envelope
		if envelope == nil {
			envelope = &message.Envelope{}
		}
		b = appendEnvelope(append(b, ' '), envelope)
		b = appendStructure(append(b, ' '), p.Inner, extended)
		b = strconv.AppendInt(append(b, ' '), p.Lines, 10)
	case strings.EqualFold(p.Type, "message") && strings.EqualFold(p.Subtype, "rfc822"):
		// The bounds of package message left it closed; the grammar wants its
		// inside all the same.
		b = appendEnvelope(append(b, ' '), &message.Envelope{})
		b = append(append(b, ' '), emptyPart...)
		b = strconv.AppendInt(append(b, ' '), p.Lines, 10)
	}
	if extended {
		b = appendOptional(append(b, ' '), p.MD5)
		b = appendExtension(b, p)
	}
	return append(b, ')')
}

// appendParams appends parameters.
//
//	body-fld-param = "(" string SP string *(SP string SP string) ")" / nil
func appendParams(b []byte, params []message.Param) []byte {
	if len(params) == 0 {
		return append(b, "NIL"...)
	}
	sep := byte('(')
	for _, p := range params {
		b = append(b, sep)
		sep = ' '
		b = imap.AppendString(b, []byte(p.Name))
		b = imap.AppendString(append(b, ' '), []byte(p.Value))
	}
	return append(b, ')')
}

// appendExtension appends disposition, language and location.
//
//	body-fld-dsp  = "(" string SP body-fld-param ")" / nil
//	body-fld-lang = nstring / "(" string *(SP string) ")"
func appendExtension(b []byte, p *message.Part) []byte {
	if p.Disposition == "" {
		b = append(b, " NIL"...)
	} else {
		b = imap.AppendString(append(b, " ("...), []byte(p.Disposition))
		b = append(appendParams(append(b, ' '), p.DispParams), ')')
	}
	switch len(p.Language) {
	case 0:
		b = append(b, " NIL"...)
	case 1:
		b = imap.AppendString(append(b, ' '), []byte(p.Language[0]))
	default:
		sep := " ("
		for _, l := range p.Language {
			b = imap.AppendString(append(b, sep...), []byte(l))
			sep = " "
		}
		b = append(b, ')')
	}
	return appendOptional(append(b, ' '), p.Location)
}
