package maildir

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"postrider/mail"
	"postrider/vfs"
)

// CourierKeywords is the directory in which Courier keeps a folder's keywords:
//
//	:list             the state of all messages
//	<base>            the newest set of one message, not yet in :list
//	.<N>.<base>       the same, in :list already, kept for slow readers
//	.tmp.<sec><name>  half made
//
// A set is one keyword a line; it replaces what :list says of its message. N is the
// time in steps of slotLen at which it went into :list, and one more.
const CourierKeywords = "courierimapkeywords"

const (
	keywordsList = ":list"
	keywordsTemp = ".tmp."
	slotLen      = 300 // seconds
)

// Bounds of what is read.
const (
	maxKeywordsList  = 1 << 30 // bytes of :list
	maxKeywordWords  = 1 << 16 // different keywords in :list
	maxKeywordUpdate = 64 << 10
	maxKeywordNames  = 4 << 20 // names in the directory
	maxMessageWords  = 4096    // keywords of one message
	maxKeywordTries  = 8
)

// errKeywords says that a file of keywords is beyond all bounds.
var errKeywords = errors.New("courierimapkeywords is larger than can be")

// ReadKeywords returns the keywords of the messages that have any, by base name. It
// writes nothing. A folder without courierimapkeywords has none.
func (f *Folder) ReadKeywords() (map[string][]string, error) {
	d, err := f.dir.OpenDir(CourierKeywords)
	if errors.Is(err, fs.ErrNotExist) {
		return map[string][]string{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read Courier's keywords: %w", err)
	}
	defer d.Close()
	k, err := readKeywords(d)
	if err != nil {
		return nil, fmt.Errorf("read Courier's keywords: %s: %w", f.dir.Path(), err)
	}
	for base, words := range k.sets {
		if len(words) == 0 {
			delete(k.sets, base)
		}
	}
	return k.sets, nil
}

// keywords is what a courierimapkeywords says.
type keywords struct {
	sets    map[string][]string // :list, and over it the updates
	listed  map[string][]string // :list alone
	updates map[string]update
	temps   []string
	spell   spelling
}

// update is what lies in the directory for one message.
type update struct {
	plain  bool    // there is one that is not in :list
	slots  []int64 // of those that are
	differ bool    // it says something else than :list
	empty  bool    // it says that there are no keywords
}

// readKeywords reads the directory until no file vanishes meanwhile: what vanished
// went into a newer :list, or there is a newer file.
func readKeywords(d vfs.Dir) (*keywords, error) {
	for range maxKeywordTries {
		k := &keywords{spell: spelling{}}
		err := k.read(d)
		if err == nil || !errors.Is(err, errRaced) {
			return k, err
		}
	}
	return nil, errRaced
}

// errRaced says that the directory changed while it was read.
var errRaced = errors.New("courierimapkeywords changes all the time")

func (k *keywords) read(d vfs.Dir) error {
	var err error
	if k.sets, err = k.readList(d); err != nil {
		return err
	}
	k.listed = make(map[string][]string, len(k.sets))
	for base, words := range k.sets {
		k.listed[base] = words
	}
	if err = k.readNames(d); err != nil {
		return err
	}
	for base, u := range k.updates {
		name := base
		if !u.plain {
			name = slotName(slices.Max(u.slots), base)
		}
		words, err := k.readUpdate(d, name)
		if errors.Is(err, fs.ErrNotExist) {
			return errRaced
		}
		if errors.Is(err, vfs.ErrNotRegular) || errors.Is(err, syscall.ELOOP) {
			delete(k.updates, base) // no file of keywords
			continue
		}
		if err != nil {
			return err
		}
		u.differ, u.empty = !slices.Equal(words, k.listed[base]), len(words) == 0
		k.updates[base] = u
		k.sets[base] = words
	}
	return nil
}

// readNames notes which messages have updates.
func (k *keywords) readNames(d vfs.Dir) error {
	k.updates, k.temps = map[string]update{}, nil
	n := 0
	err := d.List(func(name string, t vfs.Type) bool {
		n++
		switch base, slot, kind := keywordFile(name); kind {
		case keywordPlain:
			u := k.updates[base]
			u.plain = true
			k.updates[base] = u
		case keywordSlot:
			u := k.updates[base]
			u.slots = append(u.slots, slot)
			k.updates[base] = u
		case keywordTemp:
			k.temps = append(k.temps, name)
		}
		return n <= maxKeywordNames
	})
	if err == nil && n > maxKeywordNames {
		err = errKeywords
	}
	return err
}

// The kinds of names in the directory.
const (
	keywordOther = iota // :list, or nothing of Courier's
	keywordPlain
	keywordSlot
	keywordTemp
)

// keywordFile takes a name in courierimapkeywords apart.
func keywordFile(name string) (base string, slot int64, kind int) {
	switch {
	case name == "" || name[0] == ':':
		return "", 0, keywordOther
	case name[0] != '.':
		return name, 0, keywordPlain
	case strings.HasPrefix(name, keywordsTemp):
		return "", 0, keywordTemp
	}
	number, base, ok := strings.Cut(name[1:], ".")
	slot, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil || slot < 0 || !validBase(base) {
		return "", 0, keywordOther
	}
	return base, slot, keywordSlot
}

func slotName(slot int64, base string) string { return fmt.Sprintf(".%d.%s", slot, base) }

// readUpdate reads one set. It ends at the first empty line.
func (k *keywords) readUpdate(d vfs.Dir, name string) ([]string, error) {
	file, err := d.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxKeywordUpdate+1))
	if err == nil && len(text) > maxKeywordUpdate {
		err = errKeywords
	}
	if err != nil {
		return nil, err
	}
	var words []string
	for line := range strings.SplitSeq(string(text), "\n") {
		if line == "" || len(words) == maxMessageWords {
			break
		}
		words = append(words, k.spell.word(line))
	}
	return sortedWords(words), nil
}

// readList reads :list. None is not an error.
func (k *keywords) readList(d vfs.Dir) (map[string][]string, error) {
	file, err := d.Open(keywordsList)
	if errors.Is(err, fs.ErrNotExist) {
		return map[string][]string{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return k.parseList(io.LimitReader(file, maxKeywordsList+1))
}

// parseList reads the table of keywords, up to an empty line, and then for each
// message its base name, a colon and its keywords' places in the table.
func (k *keywords) parseList(r io.Reader) (map[string][]string, error) {
	sets := map[string][]string{}
	var table []string
	in := bufio.NewScanner(r)
	in.Buffer(nil, maxKeywordUpdate)
	for in.Scan() && in.Text() != "" {
		if len(table) == maxKeywordWords {
			return nil, errKeywords
		}
		table = append(table, k.spell.word(in.Text()))
	}
	for in.Scan() {
		if base, words, ok := listLine(in.Text(), table); ok {
			sets[base] = words
		}
		if len(sets) > maxUIDDBEntries {
			return nil, errKeywords
		}
	}
	if errors.Is(in.Err(), bufio.ErrTooLong) {
		return nil, errKeywords
	}
	return sets, in.Err()
}

// listLine is one message's line of :list.
func listLine(line string, table []string) (base string, words []string, ok bool) {
	i := strings.LastIndexByte(line, ':')
	if i < 0 || !validBase(line[:i]) {
		return "", nil, false
	}
	for number := range strings.FieldsSeq(line[i+1:]) {
		n, err := strconv.Atoi(number)
		if err == nil && n >= 0 && n < len(table) && len(words) < maxMessageWords {
			words = append(words, table[n])
		}
	}
	return line[:i], sortedWords(words), true
}

// sortedWords is a set in a form in which equal sets are equal.
func sortedWords(words []string) []string {
	slices.Sort(words)
	return slices.Compact(words)
}

// spelling finds a keyword's first spelling: keywords are compared without regard to
// the case of letters.
type spelling map[string]string

// word is a line of a file as a keyword. Octets that no keyword of IMAP can have
// become "_", as in Courier, and so do those above ASCII, which an atom of RFC 3501
// cannot have either.
func (s spelling) word(line string) string {
	b := []byte(line[:min(len(line), mail.MaxKeywordLen)])
	for i, c := range b {
		if !mail.ValidKeyword(string(rune(c))) {
			b[i] = '_'
		}
	}
	key := strings.ToLower(string(b))
	if first, ok := s[key]; ok {
		return first
	}
	s[key] = string(b)
	return string(b)
}
