package index

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"postrider/mail"
	"postrider/vfs/memfs"
)

func value(uid mail.UID, f Field) []byte {
	return bytes.Repeat(fmt.Appendf(nil, "%d/%d ", uid, f), 40)
}

func fill(c *Cache, uids ...mail.UID) {
	for _, uid := range uids {
		c.Put(uid, Entry{FieldEnvelope, value(uid, FieldEnvelope)}, Entry{FieldHeaders, value(uid, FieldHeaders)})
	}
}

func check(t *testing.T, c *Cache, want bool, uids ...mail.UID) {
	t.Helper()
	for _, uid := range uids {
		got, ok := c.Get(uid, FieldHeaders, []byte("x"))
		if ok != want || ok && string(got) != "x"+string(value(uid, FieldHeaders)) {
			t.Errorf("UID %d: there %v, want %v; %.30q", uid, ok, want, got)
		}
	}
}

func TestCacheDoesNotGrowByWhatItHolds(t *testing.T) {
	c := OpenCache(testDir(t, memfs.New(memfs.Options{})), 7)
	defer c.Close()
	fill(c, 1, 2)
	end := c.end
	fill(c, 2, 1)
	if c.end != end {
		t.Errorf("putting the same bytes once more took %d bytes", c.end-end)
	}
	c.Put(1, Entry{FieldEnvelope, []byte("other")})
	if c.end == end {
		t.Error("another value was not written")
	}
}

func TestCacheKeepsAndReplacesFields(t *testing.T) {
	d := testDir(t, memfs.New(memfs.Options{}))
	c := OpenCache(d, 7)
	fill(c, 5, 3, 9, 1)
	c.Put(3, Entry{FieldPreview, []byte("hello")}, Entry{FieldEnvelope, nil})
	for range 2 {
		check(t, c, true, 1, 3, 5, 9)
		check(t, c, false, 2, 4, 10)
		if b, ok := c.Get(3, FieldPreview, nil); !ok || string(b) != "hello" {
			t.Errorf("preview %q %v", b, ok)
		}
		if b, ok := c.Get(3, FieldEnvelope, nil); !ok || len(b) != 0 {
			t.Errorf("an empty field: %q %v", b, ok)
		}
		if _, ok := c.Get(5, FieldPreview, nil); ok {
			t.Error("a field that was never put")
		}
		c.Close()
		c = OpenCache(d, 7)
	}
	c.Close()
	check(t, c, false, 1)
	c = OpenCache(d, 8)
	check(t, c, false, 1, 3)
	fill(c, 1)
	check(t, c, true, 1)
	c.Close()
}

func TestCacheOpensFromItsTableAndWhatFollows(t *testing.T) {
	d := testDir(t, memfs.New(memfs.Options{}))
	c := OpenCache(d, 7)
	var all []mail.UID
	for uid := mail.UID(1); uid <= 4000; uid++ {
		all = append(all, uid)
	}
	fill(c, all...)
	c.Close()
	c = OpenCache(d, 7)
	if c.tableAt == 0 {
		t.Fatal("no table was written")
	}
	fill(c, 9000)
	c.Close()
	c = OpenCache(d, 7)
	check(t, c, true, all...)
	check(t, c, true, 9000)
	c.Close()

	b := contents(t, d, cacheName)
	copy(b[c.tableAt+20:], "rot")
	replace(t, d, cacheName, b)
	c = OpenCache(d, 7)
	check(t, c, false, 1, 4000)
	fill(c, 1)
	check(t, c, true, 1)
	c.Close()
}

func TestCacheThatIsDamagedForgets(t *testing.T) {
	d := testDir(t, memfs.New(memfs.Options{}))
	c := OpenCache(d, 7)
	fill(c, 1, 2, 3)
	c.Close()
	whole := contents(t, d, cacheName)
	for at := range whole {
		b := bytes.Clone(whole)
		b[at] ^= 0x10
		replace(t, d, cacheName, b)
		c := OpenCache(d, 7)
		for uid := mail.UID(1); uid <= 3; uid++ {
			for _, f := range []Field{FieldEnvelope, FieldHeaders} {
				if got, ok := c.Get(uid, f, nil); ok && !bytes.Equal(got, value(uid, f)) {
					t.Fatalf("byte %d changed: UID %d has %.30q", at, uid, got)
				}
			}
		}
		c.Put(4, Entry{FieldHeaders, value(4, FieldHeaders)})
		check(t, c, true, 4)
		c.Close()
	}
}

func TestCacheCompactionDropsTheVanished(t *testing.T) {
	d := testDir(t, memfs.New(memfs.Options{}))
	c := OpenCache(d, 7)
	for round := range 3 {
		for uid := mail.UID(1); uid <= 3000; uid++ {
			fill(c, uid)
			c.Put(uid, Entry{FieldPreview, []byte{byte(round)}})
		}
	}
	other := OpenCache(d, 7)
	before, _ := d.Stat(cacheName)
	c.Compact(func(uid mail.UID) bool { return uid%2 == 0 })
	after, _ := d.Stat(cacheName)
	if after.Size > before.Size/4 {
		t.Errorf("%d bytes before, %d after", before.Size, after.Size)
	}
	check(t, c, true, 2, 1000, 3000)
	check(t, c, false, 1, 2999)
	fill(c, 4001)
	fill(other, 4003) // by another process, which had the old file open
	check(t, other, true, 2, 4001, 4003)
	check(t, other, false, 1)
	fill(c, 4005)
	check(t, c, true, 2, 4003, 4005)
}

func TestCacheWithoutADiskIsEmpty(t *testing.T) {
	fs := memfs.New(memfs.Options{})
	d := testDir(t, fs)
	c := OpenCache(d, 7)
	fill(c, 1)
	fs.SetQuota(fs.Used())
	fill(c, 2, 3, 4, 5, 6)
	check(t, c, true, 1)
	check(t, c, false, 6)
	c.Compact(func(mail.UID) bool { return true })
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func TestCacheIsSafeForMany(t *testing.T) {
	d := testDir(t, memfs.New(memfs.Options{}))
	c := OpenCache(d, 7)
	var wg sync.WaitGroup
	for k := range 4 {
		wg.Go(func() {
			for i := range 500 {
				uid := mail.UID(1 + (i*7+k*131)%600)
				fill(c, uid)
				check(t, c, true, uid)
				if i%100 == 50 {
					c.Compact(func(mail.UID) bool { return true })
					c.Quiet()
				}
			}
		})
	}
	wg.Wait()
	c.Close()
}

// A cache in which somebody put what he liked gives back bytes or nothing.
func FuzzCache(f *testing.F) {
	d := testDir(f, memfs.New(memfs.Options{}))
	c := OpenCache(d, 7)
	fill(c, 1, 2)
	c.settle()
	c.writeTable()
	fill(c, 3)
	c.file.Close()
	f.Add(contents(f, d, cacheName), true)
	f.Add([]byte("PRCACH\r\n"), false)
	f.Fuzz(func(t *testing.T, b []byte, seal bool) {
		d := testDir(t, memfs.New(memfs.Options{}))
		if seal {
			sealAll(b, headLen)
		}
		replace(t, d, cacheName, b)
		c := OpenCache(d, 7)
		for uid := range mail.UID(10) {
			got, _ := c.Get(uid, FieldHeaders, nil)
			if len(got) > len(b) {
				t.Errorf("%d bytes of a file of %d", len(got), len(b))
			}
		}
		fill(c, 1, 5)
		check(t, c, true, 1, 5)
		c.Close()
	})
}

// sealAll makes the checks of a header and of the frames behind it right, so that
// a fuzzer gets past them.
func sealAll(b []byte, head int) {
	if len(b) < head {
		return
	}
	le32(b[head-4:], castagnoli(b[:head-4]))
	for b = b[head:]; len(b) > frameHead; {
		n := int(uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24)
		if n > len(b)-frameHead {
			return
		}
		le32(b[4:], castagnoli(b[frameHead:][:n]))
		b = b[frameHead+n:]
	}
}
