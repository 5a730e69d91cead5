package session

import (
	"slices"
	"testing"

	"postrider/mail"
)

func TestParts(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 4, 7} {
		var uids mail.UIDSet
		for i := range n {
			uids.Add(mail.UID(3*i + 1))
		}
		var got []mail.UID
		for part := range parts(uids, 3) {
			if part.Len() > 3 || part.Len() == 0 {
				t.Errorf("a part of %d", part.Len())
			}
			got = slices.AppendSeq(got, part.All())
		}
		if !slices.Equal(got, slices.Collect(uids.All())) {
			t.Errorf("%v in parts is %v", uids, got)
		}
		for range parts(uids, 3) {
			break
		}
	}
}
