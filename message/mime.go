package message

import "strings"

// mimeNames are the fields that describe a part (RFC 2045, 2183, 3282, 1864, 2557).
var mimeNames = []string{
	"content-type", "content-transfer-encoding", "content-id", "content-description",
	"content-md5", "content-disposition", "content-language", "content-location",
}

// fields takes the MIME fields from a header whose lines end in LF. Of a field that
// is there twice the first counts; of Content-Type, the first that can be read.
func (part *Part) fields(header []byte) {
	var seen [8]bool // as mimeNames
	for f := range Fields(header) {
		i := nameIn(mimeNames, f.Name)
		if i >= 0 && !seen[i] {
			seen[i] = part.field(mimeNames[i], f.Value)
		}
	}
	part.defaultCharset()
}

// field takes one MIME field, and reports whether it could be read.
func (part *Part) field(name string, v []byte) (ok bool) {
	switch name {
	case "content-type":
		t, sub, params, ok := parseContentType(v)
		if ok {
			part.Type, part.Subtype, part.Params = t, sub, params
		}
		return ok
	case "content-transfer-encoding":
		part.Encoding = parseToken(v)
	case "content-id":
		part.ID = Unfold(v)
	case "content-description":
		part.Description = Unfold(v)
	case "content-md5":
		part.MD5 = parseWord(v)
	case "content-disposition":
		part.Disposition, part.DispParams = parseDisposition(v)
	case "content-language":
		part.Language = parseLanguages(v)
	case "content-location":
		part.Location = strings.Join(strings.Fields(Unfold(v)), "")
	}
	return true
}

// defaultCharset writes out the charset of a text that names none: "This default is
// assumed if no Content-Type header field is specified" (RFC 2045 5.2).
func (part *Part) defaultCharset() {
	if equalFold(part.Type, "text") && !hasParam(part.Params, "charset") {
		part.Params = append(part.Params, Param{"charset", "us-ascii"})
	}
}

func hasParam(params []Param, name string) bool {
	for _, x := range params {
		if equalFold(x.Name, name) {
			return true
		}
	}
	return false
}

// nameIn returns the index in a list of names that a field's name has, -1 if it is
// none of them. It makes no garbage.
func nameIn(names []string, name []byte) int {
	for i, n := range names {
		if equalName(name, n) {
			return i
		}
	}
	return -1
}
