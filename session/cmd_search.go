package session

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"postrider/imap"
	"postrider/mail"
	"postrider/message"
	"postrider/search"
	"postrider/wire"
)

func parseSearch(d *imap.Decoder) imap.Search { return d.Search() }
func parseSort(d *imap.Decoder) imap.Sort     { return d.Sort() }
func parseThread(d *imap.Decoder) imap.Thread { return d.Thread() }

// hits evaluates a search program; ghosts match nothing.
func (s *Session) hits(ctx context.Context, p imap.Search) (*source, []int, error) {
	query, err := decodeTexts(p)
	if err != nil {
		return nil, nil, err
	}
	src := newSource(s)
	found, err := search.Match(ctx, query, src, s.searchOptions())
	if err != nil || s.sel.view.Ghosts() == 0 {
		return src, found, err
	}
	live := found[:0]
	for _, i := range found {
		if _, ok := s.sel.view.Message(mail.SeqNum(i + 1)); ok {
			live = append(live, i)
		}
	}
	return src, live, nil
}

func (s *Session) searchOptions() search.Options {
	memory := s.sel.Memo(s.sel.view.Snapshot().UIDValidity(), func() any { return search.NewMemory() })
	return search.Options{Workers: s.workers(), Zone: time.Local, Memory: memory.(*search.Memory)}
}

// decodeTexts turns the texts of a program into UTF-8 (RFC 3501 6.4.4, BADCHARSET).
func decodeTexts(p imap.Search) (mail.Query, error) {
	charset := p.Charset
	if charset == "" {
		charset = "UTF-8" // US-ASCII, and what clients send without saying so
	}
	if _, err := message.DecodeCharset(charset, nil); err != nil {
		return nil, badCharset()
	}
	return mail.MapText(p.Query, func(text string) (string, error) {
		out, err := message.DecodeCharset(charset, []byte(text))
		if errors.Is(err, message.ErrCharset) {
			return "", badCharset()
		}
		return out, err
	})
}

func badCharset() *imap.Status {
	code := string(imap.CodeBadCharset) + " (" + strings.Join(message.Charsets(), " ") + ")"
	return imap.No(imap.Code(code), "The requested character set is not supported.")
}

// search runs SEARCH and UID SEARCH (RFC 3501 6.4.4).
func (s *Session) search(ctx context.Context, c *wire.Command, p imap.Search) error {
	src, found, err := s.hits(ctx, p)
	if err != nil {
		return err
	}
	s.tellHits(c, "SEARCH", src, found)
	c.Done("", c.Name+" done.")
	return nil
}

// sort runs SORT and UID SORT (RFC 5256).
func (s *Session) sort(ctx context.Context, c *wire.Command, p imap.Sort) error {
	if s.NoSort {
		return errDisabled()
	}
	src, found, err := s.hits(ctx, p.Search)
	if err != nil {
		return err
	}
	found, err = search.Sort(ctx, p.Criteria, src, found, s.searchOptions())
	if err != nil {
		return err
	}
	s.tellHits(c, "SORT", src, found)
	c.Done("", c.Name+" done.")
	return nil
}

// tellHits writes the numbers as one response.
func (s *Session) tellHits(c *wire.Command, word string, src *source, found []int) {
	c.WriteString("* " + word)
	for _, i := range found {
		c.Write(appendNumber(append(c.AvailableBuffer(), ' '), number(c, src, i)))
	}
	c.WriteString("\r\n")
}

// number is how the command names the message at an index.
func number(c *wire.Command, src *source, i int) uint64 {
	if c.UID() {
		return uint64(src.UID(i))
	}
	return uint64(i + 1)
}

func appendNumber(b []byte, n uint64) []byte { return strconv.AppendUint(b, n, 10) }

// thread runs THREAD and UID THREAD (RFC 5256).
func (s *Session) thread(ctx context.Context, c *wire.Command, p imap.Thread) error {
	if s.NoSort {
		return errDisabled()
	}
	src, found, err := s.hits(ctx, p.Search)
	if err != nil {
		return err
	}
	threads, err := search.Thread(ctx, p.Algorithm, src, found, s.searchOptions())
	if err != nil {
		return err
	}
	c.WriteString("* THREAD")
	if len(threads) > 0 {
		c.WriteString(" ")
	}
	for _, t := range threads {
		tellThread(c, src, t)
	}
	c.WriteString("\r\n")
	c.Done("", c.Name+" done.")
	return nil
}

// tellThread writes a thread. It keeps its own stack: how deep threads are is the
// senders' choice.
//
//	thread-list    = "(" (thread-members / thread-nested) ")"
//	thread-members = nz-number *(SP nz-number) [SP thread-nested]
//	thread-nested  = 2*thread-list
func tellThread(c *wire.Command, src *source, t *search.Node) {
	type open struct{ rest []*search.Node }
	var stack []open
	node, first := t, true
	c.WriteString("(")
	for {
		if node.Index >= 0 {
			b := c.AvailableBuffer()
			if !first {
				b = append(b, ' ')
			}
			c.Write(appendNumber(b, number(c, src, node.Index)))
			first = false
		}
		if len(node.Children) == 1 && node.Index >= 0 {
			node = node.Children[0]
			continue
		}
		if len(node.Children) > 0 {
			if !first {
				c.WriteString(" ")
			}
			stack = append(stack, open{node.Children})
		} else {
			c.WriteString(")")
		}
		for len(stack) > 0 && len(stack[len(stack)-1].rest) == 0 {
			stack = stack[:len(stack)-1]
			c.WriteString(")")
		}
		if len(stack) == 0 {
			return
		}
		top := &stack[len(stack)-1]
		node, top.rest = top.rest[0], top.rest[1:]
		c.WriteString("(")
		first = true
	}
}

// errDisabled is what IMAP_DISABLETHREADSORT has SORT and THREAD say.
func errDisabled() *imap.Status {
	return imap.No(imap.CodeCannot, "This command is disabled by the system administrator.")
}
