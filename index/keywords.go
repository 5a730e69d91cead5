package index

// KeywordID is the number of a keyword's name in one mailbox, from 0.
type KeywordID uint32

// SetID is the number of a set of keywords in one mailbox. 0 is the empty set.
type SetID uint32
