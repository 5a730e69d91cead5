package account

import (
	"strings"
	"testing"

	"postrider/mail"
)

func TestSpecialUse(t *testing.T) {
	for _, test := range []struct {
		names string            // with spaces between
		set   map[string]string // explicitly
		want  string            // name=use
	}{
		{"Sent Drafts Trash Junk Archive", nil, `Archive=\Archive Drafts=\Drafts Junk=\Junk Sent=\Sent Trash=\Trash`},
		{"sent DRAFTS", nil, `DRAFTS=\Drafts sent=\Sent`},
		{"Spam Junk", nil, `Junk=\Junk`},
		{"Sent_Items Sent_Messages", nil, `Sent_Items=\Sent`},
		{"Sent Mine", map[string]string{"Mine": `\Sent`}, `Mine=\Sent`},
		{"Sent", map[string]string{"Sent": `\Archive`}, `Sent=\Archive`},
		{"Sent Sent_Items", map[string]string{"Sent": `\Archive`}, `Sent=\Archive Sent_Items=\Sent`},
		{"a/Sent", nil, ``},
		{"Sent/a", nil, ``}, // Sent only is a parent
		{"Sent", map[string]string{"Deleted": `\Sent`}, `Sent=\Sent`},
	} {
		dirs := map[mail.Name]string{mail.Inbox: ""}
		for n := range strings.FieldsSeq(test.names) {
			dirs[mail.Name(strings.ReplaceAll(n, "_", " "))] = "." + n
		}
		uses := map[mail.Name][]string{}
		for n, use := range test.set {
			uses[mail.Name(n)] = []string{use}
		}
		var got []string
		for _, n := range newTree(dirs, nil, uses).Nodes() {
			if len(n.SpecialUse) > 0 {
				got = append(got, strings.ReplaceAll(string(n.Name), " ", "_")+"="+strings.Join(n.SpecialUse, ","))
			}
		}
		if got := strings.Join(got, " "); got != test.want {
			t.Errorf("%s, %v set:\ngot  %s\nwant %s", test.names, test.set, got, test.want)
		}
	}
}

func TestInboxComesFirst(t *testing.T) {
	tree := newTree(map[mail.Name]string{"INBOX": "", "A": ".A", "INBOX/x": ".INBOX.x", "b/c/d": ".b.c.d"}, []mail.Name{"b/c"}, nil)
	var got []string
	for _, n := range tree.Nodes() {
		got = append(got, string(n.Name))
	}
	if s := strings.Join(got, " "); s != "INBOX A INBOX/x b b/c b/c/d" {
		t.Error(s)
	}
	if n, ok := tree.Find("b/c"); !ok || n.Exists || !n.HasChildren || !n.Subscribed {
		t.Errorf("%+v", n)
	}
	if _, ok := tree.Find("c"); ok {
		t.Error("c is found")
	}
}

func FuzzMatch(f *testing.F) {
	f.Add("a*b%c", "a/b/c")
	f.Add("%", "INBOX")
	f.Add("*/%", "x/y/z")
	f.Add("inb*/X", "INBOX/x")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if len(pattern) > 12 || len(name) > 12 {
			return
		}
		if got, want := Match(pattern, name, '/'), matchSlowly(pattern, name); got != want {
			t.Errorf("%q on %q is %v", pattern, name, got)
		}
	})
}

// matchSlowly is the definition, read aloud.
func matchSlowly(pattern, name string) bool {
	first, _, _ := strings.Cut(name, "/")
	same := func(p string, n string) bool {
		inFirst := len(n) > len(name)-len(first)
		return p[0] == n[0] || inFirst && mail.Name(first).IsInbox() && strings.EqualFold(p[:1], n[:1])
	}
	var match func(p, n string) bool
	match = func(p, n string) bool {
		if p == "" {
			return n == ""
		}
		if p[0] != '*' && p[0] != '%' {
			return n != "" && same(p, n) && match(p[1:], n[1:])
		}
		for i := 0; ; i++ {
			if match(p[1:], n[i:]) {
				return true
			}
			if i == len(n) || p[0] == '%' && n[i] == '/' {
				return false
			}
		}
	}
	return match(pattern, name)
}
