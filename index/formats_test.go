package index_test

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"strings"
	"testing"
	"time"

	"postrider/index"
	"postrider/mail"
	"postrider/vfs"
	"postrider/vfs/memfs"
)

// This file reads what the package writes by docs/formats.md alone and shares no
// code with the package: if the two part, one of them is wrong.

var le = binary.LittleEndian

func crc(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// bytesOf takes numbers and strings from a text of bytes.
type bytesOf struct {
	t *testing.T
	b []byte
}

func (r *bytesOf) u() uint64 {
	n, k := binary.Uvarint(r.b)
	if k <= 0 {
		r.t.Fatal("no number where one should be")
	}
	r.b = r.b[k:]
	return n
}

func (r *bytesOf) v() int64 {
	n, k := binary.Varint(r.b)
	if k <= 0 {
		r.t.Fatal("no number where one should be")
	}
	r.b = r.b[k:]
	return n
}

func (r *bytesOf) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.t.Fatalf("%d bytes wanted, %d there", n, len(r.b))
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *bytesOf) byte() byte { return r.take(1)[0] }

// frame takes a frame and returns its payload.
func (r *bytesOf) frame() []byte {
	n, sum := le.Uint32(r.take(4)), le.Uint32(r.take(4))
	payload := r.take(uint64(n))
	if crc(payload) != sum {
		r.t.Fatal("a frame does not pass its check")
	}
	return payload
}

// batch prints a batch's payload.
func batch(t *testing.T, payload []byte) string {
	r := &bytesOf{t, payload}
	out := fmt.Sprintf("modseq %d at %d:", r.u(), r.v())
	if durable := r.u(); durable > 64 {
		out += fmt.Sprintf(" durable %d", durable)
	}
	for len(r.b) > 0 {
		kind := r.byte()
		body := &bytesOf{t, r.take(r.u())}
		out += " " + record(t, kind, body)
	}
	return out
}

func record(t *testing.T, kind byte, r *bytesOf) string {
	switch kind {
	case 1:
		return fmt.Sprintf("appended %d %d %d set %d modseq %d size %d %d dates %d %d ino %d email %x name %s%s",
			r.u(), r.byte(), r.byte(), r.u(), r.u(), r.v(), r.v(), r.v(), r.v(), r.u(), r.take(16), r.take(r.u()), r.b)
	case 2:
		return fmt.Sprintf("flags %d %d %d %s", r.u(), r.byte(), r.byte(), r.b)
	case 3:
		return fmt.Sprintf("renamed %d %d %s", r.u(), r.byte(), r.b)
	case 4:
		return fmt.Sprintf("keywords %d %d", r.u(), r.u())
	case 5:
		out, at := fmt.Sprintf("vanished %d %d", r.u(), r.v()), uint64(0)
		for len(r.b) > 0 {
			first := at + r.u()
			at = first + r.u()
			out += fmt.Sprintf(" %d-%d", first, at)
		}
		return out
	case 6:
		return fmt.Sprintf("keyword %d %s", r.u(), r.b)
	case 7:
		out := fmt.Sprintf("set %d", r.u())
		for len(r.b) > 0 {
			out += fmt.Sprintf(" %d", r.u())
		}
		return out
	case 8:
		return fmt.Sprintf("validity %d %d", r.u(), r.u())
	case 9:
		return fmt.Sprintf("forgotten %d", r.u())
	case 0x81:
		return fmt.Sprintf("known %d %d %d %d %d %x", r.u(), r.v(), r.v(), r.v(), r.u(), r.take(16))
	case 0x82:
		return fmt.Sprintf("recent %d", r.u())
	case 0x83:
		which, out := r.byte(), "times"
		for bit := range 2 {
			if which>>bit&1 != 0 {
				out += fmt.Sprintf(" %d", r.v())
			}
		}
		return out
	case 0x84:
		return fmt.Sprintf("mark %s=%s", r.take(r.u()), r.b)
	}
	if kind&0x80 == 0 {
		t.Fatalf("a record of kind %d", kind)
	}
	return fmt.Sprintf("unknown %x %x", kind, r.b)
}

// header checks magic word, version and check of a file's header.
func header(t *testing.T, b []byte, magic string, n int) []byte {
	t.Helper()
	if string(b[:8]) != magic+"\r\n" || le.Uint32(b[8:]) != 1 || le.Uint32(b[n-4:]) != crc(b[:n-4]) {
		t.Fatalf("the header of %s: %x", magic, b[:n])
	}
	return b[:n]
}

func openDir(t *testing.T) vfs.Dir {
	t.Helper()
	fs := memfs.New(memfs.Options{})
	if err := fs.MkdirAll("/m", 0o700); err != nil {
		t.Fatal(err)
	}
	d, err := fs.OpenDir("/m")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func fileOf(t *testing.T, d vfs.Dir, name string) ([]byte, uint64) {
	t.Helper()
	f, err := d.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, _ := f.Stat()
	b := make([]byte, info.Size)
	f.ReadAt(b, 0)
	return b, info.Ino
}

var message = index.Message{UID: 300, Flags: mail.Seen | mail.Draft, New: true, Keywords: 1, ModSeq: 2, Size: 1000, CRLFSize: -1, Internal: 1_700_000_000,
	Saved: -3, Ino: 99, EmailID: index.EmailID{0xab}, Base: "17.M1.host,S=1000", Info: ":2,DS"}

func TestJournalIsAsDocumented(t *testing.T) {
	d := openDir(t)
	j, _, err := index.Open(d, index.Options{Now: func() time.Time { return time.Unix(44, 0) }, Fsync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	for _, b := range []index.Batch{
		{ModSeq: 1, At: 7, Records: []index.Record{index.ValiditySet{UIDValidity: 9, UIDNext: 300}, index.Appended{Message: message}}},
		{ModSeq: 2, At: 8, Records: []index.Record{index.FlagsSet{UID: 300, Flags: mail.Deleted, Info: ":2,T"}, index.KeywordNamed{ID: 0, Name: "k"},
			index.SetNamed{ID: 1, Keywords: []index.KeywordID{0, 200}}, index.KeywordsSet{UID: 300, Set: 1}, index.Vanished{UIDs: mail.SetOf[mail.UID](4, 5, 900)}}},
		{ModSeq: 2, At: 9, Records: []index.Record{index.Renamed{UID: 300, New: true, Info: ":2,"}, index.VanishedForgotten{UpTo: 1}, index.RecentClaimed{UpTo: 300},
			index.Known{UID: 300, Size: 5, CRLFSize: 6, Internal: 7, Ino: 8}, index.Mark{Name: "a", Value: "b"},
			index.Times{FolderTimes: mail.FolderTimes{Cur: time.Unix(1, 5)}, CurKnown: true}}},
	} {
		if _, err := j.Append(&b); err != nil {
			t.Fatal(err)
		}
	}
	b, ino := fileOf(t, d, "journal")
	h := header(t, b, "PRJRNL", 64)
	if le.Uint64(h[16:]) != 1 || le.Uint64(h[24:]) != ino || le.Uint64(h[32:]) != 44 {
		t.Errorf("header %x", h)
	}
	r := &bytesOf{t, b[64:]}
	var got []string
	for len(r.b) > 0 {
		got = append(got, batch(t, r.frame()))
	}
	want := []string{
		"modseq 1 at 7: validity 9 300 appended 300 9 1 set 1 modseq 2 size 1000 -1 dates 1700000000 -3 ino 99 email ab000000000000000000000000000000 name 17.M1.host,S=1000:2,DS",
		"modseq 2 at 8: flags 300 16 0 :2,T keyword 0 k set 1 0 200 keywords 300 1 vanished 0 0 4-5 900-900",
		"modseq 2 at 9: renamed 300 1 :2, forgotten 1 recent 300 known 300 5 6 7 8 00000000000000000000000000000000 mark a=b times 1000000005",
	}
	for i, w := range want {
		if i >= len(got) || got[i] != w {
			t.Errorf("batch %d:\n got %q\nwant %q", i, got[i], w)
		}
	}
}

// A second generation begins with what brings an empty mailbox to the state; the old
// file ends with a mark; a record of an unknown kind is carried over as it is.
func TestGenerationsAreAsDocumented(t *testing.T) {
	d := openDir(t)
	now := func() time.Time { return time.Unix(44, 0) }
	j, _, err := index.Open(d, index.Options{Now: now, Fsync: true})
	if err != nil {
		t.Fatal(err)
	}
	end, err := j.Append(&index.Batch{ModSeq: 1, At: 7, Records: []index.Record{index.ValiditySet{UIDValidity: 9, UIDNext: 300}, index.Unknown{Kind: 0xc0, Data: []byte{1, 2}}}})
	if err == nil {
		err = j.Sync(end)
	}
	if err == nil {
		_, err = j.Append(&index.Batch{ModSeq: 2, At: 8, Records: []index.Record{index.RecentClaimed{UpTo: 1}}})
	}
	old, oerr := d.Open("journal")
	if err != nil || oerr != nil {
		t.Fatal(err, oerr)
	}
	defer old.Close()
	m := message
	err = j.Compact(2, func(yield func(index.Record) bool) {
		for _, r := range []index.Record{index.ValiditySet{UIDValidity: 9, UIDNext: 301}, index.Unknown{Kind: 0xc0, Data: []byte{1, 2}},
			index.Vanished{UIDs: mail.SetOf[mail.UID](8), ModSeq: 1, At: 7}, index.Appended{Message: m}} {
			if !yield(r) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	info, _ := old.Stat()
	was := make([]byte, info.Size)
	old.ReadAt(was, 0)
	b, ino := fileOf(t, d, "journal")
	if h := header(t, b, "PRJRNL", 64); le.Uint64(h[16:]) != 2 || le.Uint64(h[24:]) != ino {
		t.Errorf("header %x", h)
	}
	for _, f := range []struct {
		file []byte
		want []string
	}{
		{was, []string{"modseq 1 at 7: validity 9 300 unknown c0 0102", fmt.Sprintf("modseq 2 at 8: durable %d recent 1", end), "modseq 2 at 44: mark replaced=2"}},
		{b, []string{"modseq 2 at 44: validity 9 301 unknown c0 0102 vanished 1 7 8-8 " +
			"appended 300 9 1 set 1 modseq 2 size 1000 -1 dates 1700000000 -3 ino 99 email ab000000000000000000000000000000 name 17.M1.host,S=1000:2,DS"}},
	} {
		r := &bytesOf{t, f.file[64:]}
		for _, want := range f.want {
			if got := batch(t, r.frame()); got != want {
				t.Errorf("a batch is %q, not %q", got, want)
			}
		}
		if len(r.b) > 0 {
			t.Errorf("%d bytes more", len(r.b))
		}
	}
}

func TestSnapshotIsAsDocumented(t *testing.T) {
	d := openDir(t)
	j, _, err := index.Open(d, index.Options{Fsync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	rows := func(yield func(*index.Message) bool) {
		for i := range 600 {
			m := message
			m.UID = mail.UID(i + 1)
			m.Base = fmt.Sprint("b", i)
			if i == 1 {
				m.Flags = mail.Deleted
			}
			if !yield(&m) {
				return
			}
		}
	}
	if err := j.WriteSnapshot(5, []index.Record{index.ValiditySet{UIDValidity: 9, UIDNext: 700}}, rows); err != nil {
		t.Fatal(err)
	}
	b, _ := fileOf(t, d, "index")
	h := header(t, b, "PRINDX", 128)
	u32, u64 := le.Uint32, le.Uint64
	if u32(h[12:]) != 3 || u64(h[16:]) != 1 || u64(h[24:]) != 64 || u64(h[32:]) != 600 {
		t.Errorf("header %x", h)
	}
	if u32(h[72:]) != 1 || u32(h[76:]) != 1 || u64(h[80:]) != 600_000 || u32(h[88:]) != 0 || u32(h[92:]) != 2 {
		t.Errorf("counts in the header %x", h[72:96])
	}
	directory, table, head := u64(h[40:]), u64(h[48:]), u64(h[56:])
	if u32(h[64:]) != crc(b[directory:table]) || table != directory+3*48 || head != table+2*4096 {
		t.Errorf("directory at %d, table at %d, head at %d", directory, table, head)
	}
	second, u16 := b[directory+48:], le.Uint16
	chunk := b[u64(second):][:u32(second[8:])]
	if u32(second[12:]) != crc(chunk) || u32(second[16:]) != 257 || u32(second[20:]) != 512 || u16(second[24:]) != 256 ||
		u16(second[26:]) != 0 || u16(second[28:]) != 0 || u16(second[30:]) != 0 || u64(second[32:]) != 256_000 || u64(second[40:]) != 2 {
		t.Errorf("row of the second chunk %x", second[:48])
	}
	if first := b[directory:]; u16(first[26:]) != 1 || u16(first[28:]) != 1 {
		t.Errorf("row of the first chunk %x", first[:48])
	}
	x := chunk[96:] // UID 258
	name := string(chunk[256*96+int(u32(x[12:])):][:int(le.Uint16(x[6:]))+int(le.Uint16(x[8:]))])
	if u32(x) != 258 || x[4] != 9 || x[5] != 1 || name != "b257:2,DS" || u32(x[16:]) != 1 || u64(x[24:]) != 2 || u64(x[32:]) != 1000 ||
		int64(u64(x[40:])) != -1 || u64(x[48:]) != 1_700_000_000 || int64(u64(x[56:])) != -3 || u64(x[64:]) != 99 || x[72] != 0xab {
		t.Errorf("a fixed record: name %q, %x", name, x[:96])
	}
	hash := fnv.New32a()
	hash.Write([]byte("b257"))
	if rest := b[table+4096+(600-511)*8 : table+4096+4088]; strings.Trim(string(rest), "\x00") != "" || u32(b[table+4092:]) != 0 {
		t.Error("what follows the last name is not zero")
	}
	found, last := false, uint64(0)
	for k := range 600 {
		block := b[table+uint64(k/511)*4096:][:4096]
		if u32(block[4088:]) != crc(block[:4088]) {
			t.Fatal("a block of the table does not pass its check")
		}
		e := u64(block[k%511*8:])
		if e < last {
			t.Fatal("the table is not sorted")
		}
		last = e
		found = found || e == uint64(hash.Sum32())<<32|258
	}
	if !found {
		t.Error("a base name is not in the table")
	}
	if got := batch(t, (&bytesOf{t, b[head:]}).frame()); got != "modseq 5 at 0: validity 9 700" {
		t.Errorf("head %q", got)
	}
}

func TestCacheIsAsDocumented(t *testing.T) {
	d := openDir(t)
	c := index.OpenCache(d, 77)
	big := strings.Repeat("x", 30_000)
	for uid := mail.UID(1); uid <= 50; uid++ {
		c.Put(uid, index.Entry{Field: index.FieldHeaders, Bytes: []byte(big)})
	}
	c.Put(3, index.Entry{Field: index.FieldEnvelope, Bytes: []byte("(e)")})
	c.Close()
	b, _ := fileOf(t, d, "cache")
	h := header(t, b, "PRCACH", 64)
	at := le.Uint64(h[16:])
	if le.Uint32(h[12:]) != 77 || at == 0 {
		t.Fatalf("header %x", h)
	}
	rows := (&bytesOf{t, b[at:]}).frame()
	if len(rows) != 4+50*16 || le.Uint32(rows) != 0 {
		t.Fatalf("a table of %d bytes", len(rows))
	}
	row := rows[4+2*16:]
	payload := (&bytesOf{t, b[le.Uint64(row[8:]):]}).frame()
	if le.Uint32(row) != 3 || int(le.Uint32(row[4:])) != len(payload) || le.Uint32(payload) != 3 {
		t.Fatalf("row %x", row[:16])
	}
	r := &bytesOf{t, payload[4:]}
	fields := map[byte]string{}
	for len(r.b) > 0 {
		f := r.byte()
		fields[f] = string(r.take(r.u()))
	}
	if fields[1] != "(e)" || fields[5] != big || len(fields) != 2 {
		t.Errorf("%d fields, envelope %q", len(fields), fields[1])
	}
}

func TestAccountFileIsAsDocumented(t *testing.T) {
	d := openDir(t)
	l := index.OpenLedger(d, func() time.Time { return time.Unix(1000, 0) }, func() (func(), error) { return func() {}, nil })
	l.NextValidity()
	l.Note("A/b", index.Marks{UIDValidity: 900, UIDNext: 5, ModSeq: 6})
	l.SetSpecialUse("A/b", []string{`\Sent`, `\Junk`})
	id, err := l.ID("A/b")
	if err != nil {
		t.Fatal(err)
	}
	l.Note("C", index.Marks{UIDValidity: 901, UIDNext: 7, ModSeq: 8})
	l.Forget("C")
	b, _ := fileOf(t, d, "account")
	if string(b[:8]) != "PRACCT\r\n" || le.Uint32(b[8:]) != 2 {
		t.Fatalf("header %x", b[:20])
	}
	known := map[string][]byte{}
	frames := &bytesOf{t, b[20:]}
	validity := uint64(0)
	for len(frames.b) > 0 {
		r := &bytesOf{t, frames.frame()}
		validity = r.u()
		for len(r.b) > 0 {
			name := string(r.take(r.u()))
			if known[name] = r.take(r.u()); len(known[name]) == 0 {
				delete(known, name)
			}
		}
	}
	if validity != 1000 || len(known) != 1 {
		t.Errorf("highest UIDVALIDITY %d, %d mailboxes", validity, len(known))
	}
	body := &bytesOf{t, known["A/b"]}
	if got := fmt.Sprintf("%d %d %s", body.u(), body.u(), body.take(body.u())); got != `5 6 \Sent \Junk` {
		t.Error(got)
	}
	if index.MailboxID(body.take(16)) != id || body.u() != 900 || len(body.b) != 0 {
		t.Errorf("the id, the UIDVALIDITY, or what follows: %x", body.b)
	}
}
