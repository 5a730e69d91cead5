package session

// difference is a way in which our answers are not Dovecot's, on purpose. The lists
// name messages of message/testdata/hard. docs/mime-differences.md says it to users.
type difference struct {
	what      string // we do
	rfc       string // what it rests on
	envelope  string // messages whose ENVELOPE differs
	structure string // whose BODY and BODYSTRUCTURE differ
	extended  string // whose BODYSTRUCTURE alone differs
}

var differences = []difference{
	{
		what: "An address that can be read is given",
		rfc:  `RFC 3501 7.4.2: "This is computed by the server by parsing the [RFC-2822] header into the component parts, defaulting various fields as necessary."`,
		envelope: "address-angle-double address-angle-unclosed address-angle-unclosed-then-more " +
			"address-backslash-unquoted address-blank-for-comma address-comment-unclosed " +
			"address-control-characters address-domain-double-dot address-domain-trailing-dot " +
			"address-group-nested address-local-blank-inside address-mailto address-name-brackets " +
			"address-name-trailing-backslash address-name-with-at address-no-comma-angle address-no-local-angle " +
			"address-route-no-colon address-semicolons",
	},
	{
		what:     "A quote that is never closed is left out",
		rfc:      "RFC 5322 3.2.4: `quoted-string = [CFWS] DQUOTE *([FWS] qcontent) [FWS] DQUOTE [CFWS]`",
		envelope: "address-quote-unclosed address-quote-unclosed-second",
	},
	{
		what:     "The obsolete local part",
		rfc:      "RFC 5322 4.4: `obs-local-part = word *(\".\" word)`",
		envelope: "address-local-blanks-round-dots address-local-quoted-dot",
	},
	{
		what:     "Empty elements of a list are no addresses",
		rfc:      "RFC 5322 4.4: `obs-addr-list = *([CFWS] \",\") address *(\",\" [address / CFWS])`",
		envelope: "address-commas address-only-comma sender-and-reply-to-unreadable",
	},
	{
		what:     "One word for a host that is missing",
		rfc:      "RFC 3501 9: `addr-host = nstring ; NIL indicates [RFC-2822] group syntax.`",
		envelope: "address-no-host-angle-at",
	},
	{
		what: "Unfolding keeps the blanks",
		rfc:  `RFC 5322 2.2.3: "Unfolding is accomplished by simply removing any CRLF that is immediately followed by WSP."`,
		envelope: "address-comment-name-folded address-name-quoted-folded subject-folded subject-folded-blank-line subject-folded-blanks " +
			"subject-tabs",
	},
	{
		what:     "Blanks round a message identifier are not part of it",
		rfc:      "RFC 5322 3.6.4: `msg-id = [CFWS] \"<\" id-left \"@\" id-right \">\" [CFWS]`",
		envelope: "header-blank-lines-of-blanks in-reply-to-only-blanks message-id-folded",
	},
	{
		what:      "Octets are given as they are",
		rfc:       "RFC 3501 9: `CHAR8 = %x01-ff`",
		envelope:  "line-ends-bare-cr-in-header nul-in-header",
		structure: "nul-in-part-header",
	},
	{
		what:      "Sizes count the octets of APPEND",
		rfc:       `RFC 3501 7.4.2: "A number giving the size of the body in octets."`,
		structure: "line-ends-bare-cr line-ends-cr-cr-lf line-ends-mixed",
	},
	{
		what: "A Content-Type that cannot be read is text/plain",
		rfc:  `RFC 2045 5.2: "It is also recommend that this default be assumed when a syntactically invalid Content-Type header field is encountered."`,
		structure: "content-type-empty content-type-garbage content-type-leading-semicolon content-type-no-slash " +
			"content-type-no-subtype content-type-no-type content-type-only-slash content-type-quoted-type " +
			"content-type-twice-first-bad message-subtype-missing multipart-no-subtype",
	},
	{
		what:      "Type and subtype count if what follows them is wrong",
		rfc:       "RFC 2045 5.1: `content := \"Content-Type\" \":\" type \"/\" subtype *(\";\" parameter)`",
		structure: "content-type-comma-for-semicolon content-type-no-semicolon content-type-slash-in-subtype",
	},
	{
		what: "A parameter that is wrong does not spoil those beside it",
		rfc:  "RFC 2045 5.1: `parameter := attribute \"=\" value`, `attribute := token`",
		structure: "content-type-parameter-no-name content-type-parameter-no-value content-type-quote-unclosed " +
			"content-type-trailing-comment-unclosed content-type-two-semicolons content-type-value-with-specials " +
			"multipart-boundary-unquoted-special",
	},
	{
		what:      "A boundary has at least one character",
		rfc:       "RFC 2046 5.1.1: `boundary := 0*69<bchars> bcharsnospace`",
		structure: "multipart-empty-boundary-parameter",
	},
	{
		what:      "A boundary counts in its whole length",
		rfc:       `RFC 2046 5.1.1: "it is sufficient that the boundary appear in its entirety following the CRLF"`,
		structure: "multipart-boundary-200-characters",
	},
	{
		what:      "The line end before a delimiter belongs to it",
		rfc:       `RFC 2046 5.1.1: "The CRLF preceding the boundary delimiter line is conceptually attached to the boundary"`,
		structure: "rfc822-in-multipart-same-boundary",
	},
	{
		what:      "The first word of a transfer encoding counts",
		rfc:       "RFC 2045 6.1: `encoding := \"Content-Transfer-Encoding\" \":\" mechanism`",
		structure: "encoding-two-words",
	},
	{
		what:      "Types as they are spelled",
		rfc:       `RFC 2045 5.1: "The type, subtype, and parameter names are not case sensitive."`,
		structure: "content-type-text-uppercase rfc822-uppercase",
	},
	{
		what:      "An empty description or location is none",
		rfc:       "RFC 3501 9: `body-fld-desc = nstring`, `body-fld-loc = nstring`",
		structure: "content-description-empty",
		extended:  "location-empty",
	},
	{
		what:     "A disposition without a type",
		rfc:      "RFC 2183 2.8: \"Unrecognized disposition types should be treated as `attachment'.\"",
		extended: "disposition-empty disposition-no-kind disposition-quoted-kind",
	},
	{
		what:     "One language is a string",
		rfc:      "RFC 3501 9: `body-fld-lang = nstring / \"(\" string *(SP string) \")\"`",
		extended: "language-one language-blank-for-comma language-trailing-comma",
	},
	{
		what:     "Folds are no part of a location",
		rfc:      `RFC 2557 4.4.2: a long URI is folded by the algorithm of RFC 2017 3.1.`,
		extended: "location-folded multipart-related-type-parameter",
	},
	{
		what:     "Comments are no part of Content-MD5",
		rfc:      `RFC 3501 7.4.2: "A string giving the body MD5 value as defined in [MD5]."`,
		extended: "md5-comment",
	},
	{
		what:      "MIME fields count without MIME-Version",
		rfc:       `RFC 7103 8.1: "It is prudent to disregard this absence and conduct analysis of the message as if it were present"`,
		structure: "mime-version-missing",
	},
	{
		what:      "Blanks behind a delimiter are no part of it",
		rfc:       "RFC 2046 5.1.1: `close-delimiter := delimiter \"--\"`, `transport-padding := *LWSP-char`",
		structure: "multipart-boundary-outer-is-longer-blank",
	},
	{
		what:      "Parameters in the order of the message",
		rfc:       `RFC 2045 5: "The ordering of parameters is not significant."`,
		structure: "parameter-continuations-before-others",
	},
	{
		what:      "A plain piece is encoded where it joins encoded ones",
		rfc:       "RFC 2231 7: `extended-other-values := *(ext-octet / attribute-char)`",
		structure: "parameter-continuations-plain-piece",
	},
}
