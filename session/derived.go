package session

import (
	"context"
	"fmt"
	"io"
	"strings"

	"postrider/mail"
	"postrider/mailbox"
	"postrider/message"
)

// commonFields are the header fields that are kept in the cache: what Thunderbird,
// K-9, Apple Mail, mutt, Roundcube, mbsync and others ask for when they list a
// folder, and what SEARCH, SORT and THREAD need. The spelling is lower case.
var commonFields = strings.Fields(`
	date subject from sender reply-to to cc bcc message-id in-reply-to references newsgroups
	content-type content-transfer-encoding content-description content-language mime-version
	priority x-priority importance x-msmail-priority lines x-label x-original-to delivered-to envelope-to return-path
	list-id list-post list-subscribe list-unsubscribe list-unsubscribe-post list-help list-archive
	mail-followup-to mail-reply-to disposition-notification-to x-draft-info x-k9mail-identity
	x-mozilla-draft-info x-mozilla-keys x-mozilla-status x-uniform-type-identifier x-universally-unique-identifier
	x-spam-status x-spam-flag x-spam-score x-tuid x-offlineimap autocrypt autocrypt-draft-state chat-version
	resent-from resent-to resent-date resent-message-id followup-to original-message-id x-forwarded-message-id`)

// common is commonFields for looking up.
var common = func() map[string]bool {
	m := make(map[string]bool, len(commonFields))
	for _, f := range commonFields {
		m[f] = true
	}
	return m
}()

func allCommon(names []string) bool {
	for _, n := range names {
		if !common[strings.ToLower(n)] {
			return false
		}
	}
	return true
}

// maxCached bounds what is cached of one message and field; a message with more is
// read whenever it is asked for.
const maxCached = 64 << 10

// derived is what FETCH answers without the message's text, in the form in which it
// goes on the wire or, the table and the headers, is kept.
type derived struct {
	envelope  []byte
	body      []byte // BODY
	structure []byte // BODYSTRUCTURE
	table     []byte // message.LoadTable
	headers   []byte // the common fields
}

// derive reads a message and makes all of it.
func derive(r io.ReaderAt, size int64) (d derived, err error) {
	m, err := message.Parse(r, size)
	if err != nil {
		return d, err
	}
	header, err := message.ReadHeader(r, m.Root.Header())
	if err != nil {
		return d, err
	}
	envelope := m.Root.Envelope
	if envelope == nil {
		envelope = message.ParseEnvelope(header)
	}
	d.envelope = appendEnvelope(nil, envelope)
	d.body = appendStructure(nil, m.Root, false)
	d.structure = appendStructure(nil, m.Root, true)
	d.table = m.AppendTable(nil)
	d.headers = message.AppendFields(nil, header, commonFields, false)
	return d, nil
}

// put keeps it in the mailbox's cache.
func (d *derived) put(box *mailbox.Mailbox, uid mail.UID) {
	box.PutCached(uid, d.entries()...)
}

type cacheField struct {
	field uint8
	bytes *[]byte
	want  wants
}

func (d *derived) fields() [5]cacheField {
	return [5]cacheField{
		{mailbox.FieldEnvelope, &d.envelope, wantEnvelope}, {mailbox.FieldBody, &d.body, wantBody},
		{mailbox.FieldBodyStructure, &d.structure, wantStructure},
		{mailbox.FieldParts, &d.table, wantTable}, {mailbox.FieldHeaders, &d.headers, wantHeaders},
	}
}

// wants is a set of derived data.
type wants uint8

const (
	wantEnvelope wants = 1 << iota
	wantBody
	wantStructure
	wantTable
	wantHeaders
)

// cached takes from the cache what is wanted, and reports whether that was all.
func (d *derived) cached(box *mailbox.Mailbox, uid mail.UID, w wants) bool {
	for _, f := range d.fields() {
		if w&f.want == 0 {
			continue
		}
		b, ok := box.Cached(uid, f.field, (*f.bytes)[:0])
		if !ok {
			return false
		}
		*f.bytes = b
	}
	return true
}

// load reads the message, derives everything and keeps it in the cache.
func load(ctx context.Context, box *mailbox.Mailbox, uid mail.UID) (derived, error) {
	text, err := box.OpenMessage(ctx, uid)
	if err != nil {
		return derived{}, err
	}
	defer text.Close()
	size, err := text.Size()
	if err != nil {
		return derived{}, err
	}
	d, err := derive(text, size)
	if err != nil {
		return derived{}, fmt.Errorf("%w: %w", mailbox.ErrUnreadable, err)
	}
	d.put(box, uid)
	return d, nil
}
