package mailbox_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"postrider/mail"
	"postrider/vfs"
)

// courier is one session of Courier in one folder, as far as other programs see it:
// its scans, its lock, its two files. It is written from the description of those
// formats and shares no code with package maildir.
type courier struct {
	w    *site
	box  string
	pid  int
	n    int
	told map[int]string // UIDs that a client was told, with what they mean

	validity, next int
	uids           map[string]int    // by base name, as of the last scan
	files          map[string]string // the names in cur
	words          map[string][]string
	provisional    map[string]bool // told by a scan that wrote nothing
}

func newCourier(w *site, box string) *courier {
	return &courier{w: w, box: box, pid: 4242, told: map[int]string{}}
}

func (c *courier) dir(sub string) vfs.Dir { return c.w.dir(strings.Trim(c.box+"/"+sub, "/")) }

func (c *courier) unique(what string) string {
	c.n++
	return fmt.Sprintf("%d.M%dP%d_%s%d.courier", c.w.clock.now().Unix(), c.n, c.pid, what, c.n)
}

func (c *courier) fail(format string, args ...any) {
	c.w.t.Helper()
	c.w.t.Fatalf("Courier: "+format, args...)
}

// write makes a file.
func (c *courier) write(d vfs.Dir, name, text string) {
	c.w.t.Helper()
	f, err := d.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err == nil {
		_, err = f.Write([]byte(text))
	}
	if err == nil { // Courier does not sync, but what it loses by that is not our subject
		err = errors.Join(f.Sync(), f.Close(), d.Sync())
	}
	if err != nil {
		c.fail("%v", err)
	}
}

func (c *courier) rename(from vfs.Dir, name string, to vfs.Dir, newname string) {
	c.w.t.Helper()
	if err := errors.Join(from.Rename(name, to, newname), to.Sync(), from.Sync()); err != nil {
		c.fail("%v", err)
	}
}

// read returns a file's text, false if it is not there.
func (c *courier) read(d vfs.Dir, name string) (string, bool) {
	f, err := d.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false
	}
	if err != nil {
		c.fail("%v", err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		c.fail("%v", err)
	}
	return string(b), true
}

func (c *courier) names(sub string) (names []string) {
	err := c.dir(sub).List(func(name string, _ vfs.Type) bool { names = append(names, name); return true })
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.fail("%v", err)
	}
	slices.Sort(names)
	return names
}

// locked runs f with the lock of the folder.
func (c *courier) locked(f func()) {
	tmp := c.dir("tmp")
	name := c.unique("courierlock")
	c.write(tmp, name, fmt.Sprintf("%d:courier", c.pid))
	if err := tmp.Link(name, tmp, "courier.lock"); err != nil {
		c.fail("the lock is left behind: %v", err) // nothing runs at the same time in these tests
	}
	tmp.Remove(name)
	f()
	if err := tmp.Remove("courier.lock"); err != nil {
		c.fail("the lock was taken away: %v", err)
	}
}

// coming is a message that a command adds.
type coming struct {
	base, info, text string
}

// scan is what SELECT, NOOP, APPEND and EXPUNGE do; one that does not write is what
// STATUS and EXAMINE do.
func (c *courier) scan(writes bool, add ...coming) {
	c.w.t.Helper()
	c.locked(func() {
		changed := c.load()
		c.provisional = map[string]bool{}
		cur := c.dir("cur")
		for _, m := range add {
			c.write(cur, m.base+m.info, m.text)
			c.uids[m.base] = c.next
			c.next++
			changed = true
		}
		c.files = map[string]string{}
		if writes {
			for _, name := range c.names("new") {
				to := name
				if !strings.Contains(to, ":") {
					to += ":2,"
				}
				c.rename(c.dir("new"), name, cur, to)
				base, _, _ := strings.Cut(to, ":")
				delete(c.uids, base) // what lay in new is new, whatever the list says
			}
		}
		for _, name := range c.names("cur") {
			if name[0] != '.' {
				base, _, _ := strings.Cut(name, ":")
				c.files[base] = name
			}
		}
		changed = c.number(writes) || changed
		if changed && writes {
			c.store()
		}
		c.loadWords()
	})
}

// load reads courierimapuiddb; true if there is none.
func (c *courier) load() bool {
	c.uids = map[string]int{}
	text, ok := c.read(c.dir(""), "courierimapuiddb")
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	var version, validity, next int
	if n, err := fmt.Sscanf(lines[0], "%d %d %d", &version, &validity, &next); !ok || err != nil || n != 3 || version != 1 {
		if c.validity != 0 {
			c.fail("the list of UIDs was lost: %q", lines[0])
		}
		c.validity, c.next = int(c.w.clock.now().Unix()-1000000000), 1
		return true
	}
	if c.validity != 0 && c.validity != validity {
		c.fail("the UIDVALIDITY was %d and is %d", c.validity, validity)
	}
	last := 0
	c.validity, c.next = validity, next
	for _, line := range lines[1:] {
		number, base, _ := strings.Cut(line, " ")
		uid, err := strconv.Atoi(number)
		if err != nil || uid <= last || uid >= next {
			c.fail("the list of UIDs has %q after %d, next is %d", line, last, next)
		}
		c.uids[base], last = uid, uid
	}
	return false
}

// number forgets what is gone and gives UIDs to what is new, in order of names.
func (c *courier) number(writes bool) (changed bool) {
	for base := range c.uids {
		if c.files[base] == "" {
			delete(c.uids, base)
			changed = true
		}
	}
	var fresh []string
	for base := range c.files {
		if c.uids[base] == 0 {
			fresh = append(fresh, base)
		}
	}
	slices.SortFunc(fresh, func(a, b string) int {
		x, _ := strconv.Atoi(strings.SplitN(a, ".", 2)[0])
		y, _ := strconv.Atoi(strings.SplitN(b, ".", 2)[0])
		if x != y {
			return x - y
		}
		return strings.Compare(a, b)
	})
	for _, base := range fresh {
		c.uids[base] = c.next
		c.next++
		if !writes {
			c.provisional[base] = true
		}
	}
	for base, uid := range c.uids {
		if c.provisional[base] {
			continue
		}
		if was, ok := c.told[uid]; ok && was != base {
			c.fail("UID %d was %s and is %s", uid, was, base)
		}
		c.told[uid] = base
	}
	return changed || len(fresh) > 0
}

// store writes courierimapuiddb.
func (c *courier) store() {
	var b strings.Builder
	fmt.Fprintf(&b, "1 %d %d\n", c.validity, c.next)
	bases := slices.Collect(maps.Keys(c.uids))
	slices.SortFunc(bases, func(a, b string) int { return c.uids[a] - c.uids[b] })
	for _, base := range bases {
		fmt.Fprintf(&b, "%d %s\n", c.uids[base], base)
	}
	name := c.unique("")
	c.write(c.dir("tmp"), name, b.String())
	c.rename(c.dir("tmp"), name, c.dir(""), "courierimapuiddb")
}

// loadWords reads the keywords and brings the updates into the list.
func (c *courier) loadWords() {
	if err := c.dir("").Mkdir("courierimapkeywords", 0o700); err == nil {
		c.dir("").Sync()
	} else if !errors.Is(err, fs.ErrExist) {
		c.fail("%v", err)
	}
	d := c.dir("courierimapkeywords")
	slot := int(c.w.clock.now().Unix() / 300)
	listed := c.list(d)
	c.words = maps.Clone(listed)
	plain, slots := map[string]bool{}, map[string][]int{}
	for _, name := range c.names("courierimapkeywords") {
		switch {
		case strings.HasPrefix(name, ":"), strings.HasPrefix(name, ".tmp."):
		case !strings.HasPrefix(name, "."):
			plain[name] = true
		default:
			n, base, _ := strings.Cut(name[1:], ".")
			at, err := strconv.Atoi(n)
			if err != nil {
				c.fail("an update is called %q", name)
			}
			slots[base] = append(slots[base], at)
		}
	}
	update := func(base, name string) {
		text, _ := c.read(d, name)
		c.words[base] = strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		if text == "" {
			delete(c.words, base)
		}
	}
	for base, at := range slots {
		update(base, fmt.Sprintf(".%d.%s", slices.Max(at), base))
	}
	for base := range plain {
		update(base, base)
	}
	for base := range c.words {
		if c.files[base] == "" {
			delete(c.words, base)
		}
	}
	if !maps.EqualFunc(c.words, listed, slices.Equal) {
		c.storeWords(d)
	}
	for base := range plain {
		if c.files[base] != "" {
			c.rename(d, base, d, fmt.Sprintf(".%d.%s", slot+1, base))
		}
	}
	for base, at := range slots {
		for _, n := range at {
			if n < slot {
				d.Remove(fmt.Sprintf(".%d.%s", n, base))
			}
		}
	}
}

func (c *courier) list(d vfs.Dir) map[string][]string {
	sets := map[string][]string{}
	text, ok := c.read(d, ":list")
	if !ok {
		return sets
	}
	head, rest, ok := strings.Cut(text, "\n\n")
	if !ok {
		c.fail("the list of keywords is %q", text)
	}
	table := strings.Split(head, "\n")
	for line := range strings.SplitSeq(strings.TrimSuffix(rest, "\n"), "\n") {
		base, numbers, ok := strings.Cut(line, ":")
		for n := range strings.SplitSeq(numbers, " ") {
			k, err := strconv.Atoi(n)
			if !ok || err != nil || k >= len(table) {
				c.fail("the list of keywords has %q", line)
			}
			sets[base] = append(sets[base], table[k])
		}
	}
	return sets
}

func (c *courier) storeWords(d vfs.Dir) {
	if len(c.words) == 0 {
		d.Remove(":list")
		return
	}
	var table []string
	var lines strings.Builder
	for base, words := range c.words {
		var numbers []string
		for _, word := range words {
			k := slices.Index(table, word)
			if k < 0 {
				k = len(table)
				table = append(table, word)
			}
			numbers = append(numbers, strconv.Itoa(k))
		}
		fmt.Fprintf(&lines, "%s:%s\n", base, strings.Join(numbers, " "))
	}
	name := c.unique("kw")
	c.write(c.dir("tmp"), name, strings.Join(table, "\n")+"\n\n"+lines.String())
	c.rename(c.dir("tmp"), name, d, ":list")
}

// some is a message of the last scan, "" if there is none.
func (c *courier) some(n int) string {
	bases := slices.Sorted(maps.Keys(c.files))
	if len(bases) == 0 {
		return ""
	}
	return bases[n%len(bases)]
}

// setFlags renames the file; a race that is lost does nothing.
func (c *courier) setFlags(base, letters string) {
	to := base + ":2," + letters
	cur := c.dir("cur")
	if to != c.files[base] && cur.Rename(c.files[base], cur, to) == nil {
		c.files[base] = to
	}
}

// setWords replaces a message's keywords, as IMAP_KEYWORDS=1 has it: whoever comes
// last wins.
func (c *courier) setWords(base string, words ...string) {
	name, text := c.unique("kw"), ""
	for _, w := range words {
		text += w + "\n"
	}
	c.write(c.dir("tmp"), name, text)
	c.rename(c.dir("tmp"), name, c.dir("courierimapkeywords"), base)
	c.words[base] = words
}

// append is APPEND: keywords first, then the message.
func (c *courier) append(text, letters string, words ...string) (base string) {
	m := coming{base: c.unique("") + fmt.Sprintf(",S=%d", len(text)), info: ":2," + letters, text: text}
	if len(words) > 0 && c.words != nil {
		c.setWords(m.base, words...)
	}
	c.scan(true, m)
	return m.base
}

// expunge removes a file and looks.
func (c *courier) expunge(base string) {
	c.dir("cur").Remove(c.files[base])
	c.scan(true)
}

// state is what a client sees: a line for each message.
func (c *courier) state() string {
	var lines []string
	for base, uid := range c.uids {
		_, letters, _ := strings.Cut(c.files[base], ":2,")
		words := slices.Sorted(slices.Values(c.words[base]))
		lines = append(lines, fmt.Sprintf("%010d %s [%s] %s", uid, base, letters, strings.Join(words, ",")))
	}
	slices.Sort(lines)
	return fmt.Sprintf("%d %d\n%s", c.validity, c.next, strings.Join(lines, "\n"))
}

// courierState is the same of a mailbox of ours.
func courierState(s interface {
	UIDValidity() mail.UIDValidity
	UIDNext() mail.UID
}, lines []string) string {
	slices.Sort(lines)
	return fmt.Sprintf("%d %d\n%s", s.UIDValidity(), s.UIDNext(), strings.Join(lines, "\n"))
}
