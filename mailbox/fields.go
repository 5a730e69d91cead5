package mailbox

import "postrider/index"

// The fields that Cached and PutCached take: what a session keeps of a message.
const (
	FieldEnvelope      = uint8(index.FieldEnvelope)
	FieldBody          = uint8(index.FieldBody)
	FieldBodyStructure = uint8(index.FieldBodyStructure)
	FieldParts         = uint8(index.FieldParts)
	FieldHeaders       = uint8(index.FieldHeaders)
	FieldPreview       = uint8(index.FieldPreview)
)

// CacheEntry is a field with its bytes, for PutCached.
type CacheEntry struct {
	Field uint8
	Bytes []byte
}
