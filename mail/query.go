package mail

import "time"

// Query is a SEARCH program as a tree (RFC 3501 6.4.4). Its nodes are the
// types of this file and no others.
type Query interface{ query() }

type (
	// All matches every message.
	All struct{}
	// And matches where every part does; an empty one matches everything.
	And []Query
	// Or matches where one of two does.
	Or struct{ A, B Query }
	// Not matches where its part does not.
	Not struct{ Query Query }

	// SeqIn matches messages by sequence number.
	SeqIn struct{ Set SeqSet }
	// UIDIn matches messages by UID.
	UIDIn struct{ Set UIDSet }

	// HasFlags matches messages that have all these system flags.
	HasFlags struct{ Flags Flags }
	// HasKeyword matches messages with the keyword, in any case of letters.
	HasKeyword struct{ Keyword string }
	// IsRecent matches messages that are \Recent in the session.
	IsRecent struct{}

	// InDays matches by a date without regard to time and zone.
	InDays struct {
		Field DateField
		// From and Until are the first day and the day after the last, as
		// midnights in UTC; a zero time leaves that side open.
		From, Until time.Time
	}

	// Larger matches messages of more than Size octets.
	Larger struct{ Size uint64 }
	// Smaller matches messages of fewer than Size octets.
	Smaller struct{ Size uint64 }

	// InHeader matches if the field's decoded text holds Text; with an empty
	// Text, if the field is there at all.
	InHeader struct{ Field, Text string }
	// InBody matches if the decoded text of the body holds Text.
	InBody struct{ Text string }
	// InText matches if the decoded header or body holds Text.
	InText struct{ Text string }
)

func (All) query()        {}
func (And) query()        {}
func (Or) query()         {}
func (Not) query()        {}
func (SeqIn) query()      {}
func (UIDIn) query()      {}
func (HasFlags) query()   {}
func (HasKeyword) query() {}
func (IsRecent) query()   {}
func (InDays) query()     {}
func (Larger) query()     {}
func (Smaller) query()    {}
func (InHeader) query()   {}
func (InBody) query()     {}
func (InText) query()     {}

// DateField says which date a query means.
type DateField uint8

const (
	// InternalDate is the date of delivery.
	InternalDate DateField = iota
	// SentDate is the date of the message's Date header field.
	SentDate
)

// MapText returns the query with f applied to each text that a client gave in
// its charset. It stops at the first error.
func MapText(q Query, f func(string) (string, error)) (Query, error) {
	var err error
	sub := func(q Query) Query {
		if err != nil {
			return q
		}
		q, err = MapText(q, f)
		return q
	}
	text := func(s string) string {
		if err != nil {
			return s
		}
		s, err = f(s)
		return s
	}
	switch n := q.(type) {
	case And:
		out := make(And, len(n))
		for i, part := range n {
			out[i] = sub(part)
		}
		q = out
	case Or:
		q = Or{sub(n.A), sub(n.B)}
	case Not:
		q = Not{sub(n.Query)}
	case InHeader:
		q = InHeader{n.Field, text(n.Text)}
	case InBody:
		q = InBody{text(n.Text)}
	case InText:
		q = InText{text(n.Text)}
	}
	return q, err
}

// SortKey is one key of SORT (RFC 5256 3).
type SortKey uint8

// The keys of RFC 5256.
const (
	SortArrival SortKey = iota
	SortCc
	SortDate
	SortFrom
	SortSize
	SortSubject
	SortTo
)

// SortCriterion is a key, perhaps in reverse order.
type SortCriterion struct {
	Key     SortKey
	Reverse bool
}

// ThreadAlgorithm is a way to gather messages into threads (RFC 5256 4).
type ThreadAlgorithm uint8

// The algorithms of RFC 5256.
const (
	OrderedSubject ThreadAlgorithm = iota
	References
)
