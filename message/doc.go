// Package message sees a message as structure: parts with byte offsets, header
// fields, the envelope, addresses and dates, decoded text.
//
// It reads a message once, from front to back, keeps no copy of it, and promises
// never to fail on its content: whatever the bytes are, they have a structure. Depth,
// number of parts, and what it keeps of a header are bounded; a part beyond the
// bounds is one opaque part.
//
// It owns nothing. It knows no file, no mailbox and no wire syntax: offsets are into
// the octets as they are served, and names in the results are those of RFC 2045,
// RFC 5322 and RFC 3501.
package message
