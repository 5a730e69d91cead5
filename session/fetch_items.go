package session

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"postrider/imap"
	"postrider/mailbox"
	"postrider/message"
)

// isMissing reports whether an error is about one message alone: it is gone, or its
// file cannot be read.
func isMissing(err error) bool {
	return errors.Is(err, mailbox.ErrVanished) || errors.Is(err, mailbox.ErrUnreadable)
}

// known reports whether an item of a message that is missing can still be answered.
func (r *response) known(it imap.FetchItem) bool {
	switch it.Kind {
	case imap.FetchUID, imap.FetchFlags:
		return true
	case imap.FetchInternalDate:
		return !r.m.Internal.IsZero()
	case imap.FetchSize:
		return r.m.CRLFSize >= 0
	case imap.FetchEnvelope:
		return len(r.pre.envelope) > 0
	case imap.FetchBody:
		return len(r.pre.body) > 0
	case imap.FetchBodyStructure:
		return len(r.pre.structure) > 0
	case imap.FetchSection:
		return cachedFields(it.Section) && len(r.pre.headers) > 0
	}
	return false
}

// name writes an item's name and the blank after it.
func (r *response) name(it imap.FetchItem) {
	b := append(r.AvailableBuffer(), r.sep...)
	r.Write(append(it.AppendName(b), ' '))
	r.sep = " "
}

func (r *response) flags() {
	r.name(imap.FetchItem{Kind: imap.FetchFlags})
	view := r.s.sel.view
	r.Write(imap.AppendFlags(r.AvailableBuffer(), r.m.Flags, view.IsRecent(r.m.UID), view.KeywordsAt(r.seq)))
}

// item writes an item with its value.
func (r *response) item(it imap.FetchItem) error {
	switch it.Kind {
	case imap.FetchFlags:
		r.flags()
		return nil
	case imap.FetchSection:
		return r.section(it, it.Section)
	case imap.FetchRFC822:
		return r.section(it, imap.Section{})
	case imap.FetchRFC822Header:
		return r.section(it, imap.Section{Text: imap.SectionHeader})
	case imap.FetchRFC822Text:
		return r.section(it, imap.Section{Text: imap.SectionBody})
	}
	r.name(it)
	switch it.Kind {
	case imap.FetchUID:
		r.Write(strconv.AppendUint(r.AvailableBuffer(), uint64(r.m.UID), 10))
	case imap.FetchInternalDate:
		r.Write(imap.AppendDateTime(r.AvailableBuffer(), r.m.Internal.In(time.Local)))
	case imap.FetchSize:
		r.Write(strconv.AppendInt(r.AvailableBuffer(), r.m.CRLFSize, 10))
	case imap.FetchEnvelope:
		r.Write(r.pre.envelope)
	case imap.FetchBody:
		r.Write(r.pre.body)
	case imap.FetchBodyStructure:
		r.Write(r.pre.structure)
	}
	return nil
}

// section writes a text of the message (RFC 3501 6.4.5, BODY[<section>]). A part
// that is not there is NIL.
func (r *response) section(it imap.FetchItem, s imap.Section) error {
	if cachedFields(s) {
		return r.bytes(it, message.AppendFields(nil, r.pre.headers, s.Fields, false))
	}
	span, ok, err := r.span(s)
	if err != nil {
		return err
	}
	if !ok {
		r.name(it)
		r.WriteString("NIL")
		return nil
	}
	if s.Text == imap.SectionFields || s.Text == imap.SectionFieldsNot {
		header, err := message.ReadHeader(r.text, span)
		if err != nil {
			return err
		}
		return r.bytes(it, message.AppendFields(nil, header, s.Fields, s.Text == imap.SectionFieldsNot))
	}
	return r.stream(it, partial(span, it.Partial), s.Text)
}

// span finds the octets that a section means; the whole header for its fields.
func (r *response) span(s imap.Section) (span message.Span, ok bool, err error) {
	if len(s.Path) == 0 && s.Text == imap.SectionAll {
		size, err := r.text.Size()
		return message.Span{End: size}, true, err
	}
	p := r.parts.Find(s.Path)
	switch {
	case p == nil:
		return span, false, nil
	case s.Text == imap.SectionAll:
		return p.Text(), true, nil
	case s.Text == imap.SectionMIME:
		return p.Header(), true, nil
	}
	if len(s.Path) > 0 {
		if p = p.Inner; p == nil {
			return span, false, nil
		}
	}
	if s.Text == imap.SectionBody {
		return p.Text(), true, nil
	}
	return p.Header(), true, nil
}

// partial cuts a span; what begins beyond its end is empty.
func partial(s message.Span, p *imap.Partial) message.Span {
	if p == nil {
		return s
	}
	s.Start = min(s.Start+int64(p.Offset), s.End)
	s.End = min(s.End, s.Start+int64(p.Count))
	return s
}

// bytes writes an item whose value is in hand.
func (r *response) bytes(it imap.FetchItem, b []byte) error {
	span := partial(message.Span{End: int64(len(b))}, it.Partial)
	r.name(it)
	r.Write(imap.AppendLiteralHeader(r.AvailableBuffer(), span.Len()))
	replaceNUL(b)
	r.Write(b[span.Start:span.End])
	r.s.stats.HeaderBytes += span.Len()
	return nil
}

// stream writes octets of the message from its file to the client. Once the literal
// is announced there is no way back: if the file then ends early, so does the
// connection.
func (r *response) stream(it imap.FetchItem, span message.Span, text imap.SectionText) error {
	r.name(it)
	r.Write(imap.AppendLiteralHeader(r.AvailableBuffer(), span.Len()))
	n, err := io.Copy(r.Command, withoutNUL{io.NewSectionReader(r.text, span.Start, span.Len())})
	if text == imap.SectionHeader || text == imap.SectionMIME {
		r.s.stats.HeaderBytes += n
	} else {
		r.s.stats.BodyBytes += n
	}
	if n != span.Len() {
		r.s.Logger.Error("a message was cut off while it was sent", "uid", r.m.UID, "sent", n, "of", span.Len(), "error", err)
		r.Close()
		return fmt.Errorf("send message %d: %w", r.m.UID, errors.Join(err, io.ErrUnexpectedEOF))
	}
	return nil
}
