package packet

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
)

func pair(t testing.TB) (*Conn, *Conn) {
	t.Helper()
	a, b, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]*Conn
	for i, f := range []*os.File{a, b} {
		if ends[i], err = New(f); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ends[i].Close() })
	}
	return ends[0], ends[1]
}

func TestMessagesArriveWholeAndWithFiles(t *testing.T) {
	a, b := pair(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	long := bytes.Repeat([]byte{7}, MaxMessage)
	if err := a.Send([]byte("x"), w); err != nil {
		t.Fatal(err)
	}
	w.Close()
	go a.Send(long)
	buf := make([]byte, MaxMessage)
	m, files, err := b.Receive(buf)
	if err != nil || string(m) != "x" || len(files) != 1 {
		t.Fatalf("%q with %d files: %v", m, len(files), err)
	}
	files[0].WriteString("through")
	files[0].Close()
	if got, err := io.ReadAll(r); err != nil || string(got) != "through" {
		t.Errorf("through the descriptor came %q, %v", got, err)
	}
	if m, files, err = b.Receive(buf); err != nil || !bytes.Equal(m, long) || files != nil {
		t.Errorf("a long message: %d octets, %v", len(m), err)
	}
	a.Close()
	if _, _, err := b.Receive(buf); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v", err)
	}
}

func TestTooLargeIsNotSent(t *testing.T) {
	a, _ := pair(t)
	if err := a.Send(make([]byte, MaxMessage+1)); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	if err := a.Send([]byte("x"), make([]*os.File, MaxFiles+1)...); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	if err := a.Send(nil); !errors.Is(err, ErrTooLarge) {
		t.Error("a message of nothing, which would look like the end, is sent:", err)
	}
}

func TestOnlySocketsForMessages(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := New(r); err == nil {
		t.Error("a pipe is taken")
	}
}

func TestFields(t *testing.T) {
	m := AppendText(AppendBool(AppendUint32(AppendUint64([]byte{9}, 1<<40), 77), true), "text")
	m = append(AppendText(m, []byte(nil)), "fix"...)
	f := NewFields(m)
	var fixed [3]byte
	if f.Octet() != 9 || f.Uint64() != 1<<40 || f.Uint32() != 77 || !f.Bool() || f.Text(4) != "text" || len(f.Bytes(9)) != 0 {
		t.Error("a field came out otherwise than it went in")
	}
	if f.Fixed(fixed[:]); string(fixed[:]) != "fix" || f.Err() != nil {
		t.Error(string(fixed[:]), f.Err())
	}
	for name, f := range map[string]*Fields{
		"beyond its bound": NewFields(AppendText(nil, "12345")), "of more than there is": NewFields([]byte{0, 0, 0, 4, 1}),
		"of nearly all numbers": NewFields([]byte{255, 255, 255, 255, 1}),
	} {
		if f.Bytes(4) != nil || !errors.Is(f.Err(), ErrMalformed) {
			t.Errorf("a text %s is taken", name)
		}
	}
	if f := NewFields([]byte{2}); f.Bool() || f.Err() == nil {
		t.Error("2 is a truth value")
	}
	if f := NewFields([]byte{1, 2}); f.Octet() != 1 || f.Err() == nil {
		t.Error("what is left over is no error")
	}
	if f := NewFields(nil); f.Uint64() != 0 || f.Text(9) != "" || f.Err() == nil {
		t.Error("fields of nothing")
	}
}

func FuzzFields(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 2, 65, 66}, uint8(3))
	f.Fuzz(func(t *testing.T, m []byte, order uint8) {
		before := string(m)
		fields := NewFields(m)
		total := 0
		for range 8 {
			switch order % 4 {
			case 0:
				fields.Octet()
			case 1:
				fields.Uint64()
			case 2:
				total += len(fields.Bytes(16))
			case 3:
				total += len(fields.Text(1000))
			}
			order /= 2
		}
		if total > len(m) || string(m) != before {
			t.Error("more came out than was in")
		}
	})
}
