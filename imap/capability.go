package imap

// The capability words that a client may be told (RFC 3501 7.2.1 and the documents
// that name them).
const (
	CapIMAP4rev1     = "IMAP4rev1"
	CapAuthPrefix    = "AUTH="
	CapChildren      = "CHILDREN"              // RFC 3348
	CapEnable        = "ENABLE"                // RFC 5161
	CapID            = "ID"                    // RFC 2971
	CapIdle          = "IDLE"                  // RFC 2177
	CapLiteralPlus   = "LITERAL+"              // RFC 7888
	CapLoginDisabled = "LOGINDISABLED"         // RFC 3501 6.2.3
	CapMove          = "MOVE"                  // RFC 6851
	CapNamespace     = "NAMESPACE"             // RFC 2342
	CapSASLIR        = "SASL-IR"               // RFC 4959
	CapSort          = "SORT"                  // RFC 5256
	CapSpecialUse    = "SPECIAL-USE"           // RFC 6154
	CapCreateUse     = "CREATE-SPECIAL-USE"    // RFC 6154
	CapStartTLS      = "STARTTLS"              // RFC 3501 6.2.1
	CapThreadRefs    = "THREAD=REFERENCES"     // RFC 5256
	CapThreadSubject = "THREAD=ORDEREDSUBJECT" // RFC 5256
	CapUIDPlus       = "UIDPLUS"               // RFC 4315
	CapUnselect      = "UNSELECT"              // RFC 3691
)
