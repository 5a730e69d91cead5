package config

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// courierSections are the files of docs/courier-settings.md whose variables Load reads.
func courierSections(t *testing.T) (sections map[string]string, own string) {
	t.Helper()
	text, err := os.ReadFile("../docs/courier-settings.md")
	if err != nil {
		t.Fatal(err)
	}
	sections = make(map[string]string)
	for section := range strings.SplitSeq(string(text), "\n## ") {
		name, rest, _ := strings.Cut(section, "\n")
		switch name {
		case "imapd", "imapd-ssl", "authdaemonrc":
			sections[name] = rest
		case "Settings that Courier does not have":
			own = rest
		}
	}
	if len(sections) != 3 || own == "" {
		t.Fatalf("sections are missing: %d, %q", len(sections), own)
	}
	return sections, own
}

// TestCourierSettingsDocumented: the page says of each of Courier's variables what the code
// does with it, and leaves none out.
func TestCourierSettingsDocumented(t *testing.T) {
	var obeyed []string
	for _, s := range Settings() {
		obeyed = append(obeyed, s.Name)
	}
	reasons := accepted()
	sections, own := courierSections(t)
	row := regexp.MustCompile("(?m)^\\| `([A-Za-z0-9_]+)` \\| ([a-z ]+) \\| (.*?) ?\\|$")
	told := make(map[string]bool)
	for file, text := range sections {
		for _, m := range row.FindAllStringSubmatch(text, -1) {
			name, state, note := m[1], m[2], m[3]
			told[name] = true
			want := "obeyed"
			if why, ok := reasons[name]; ok {
				if want = "accepted"; why == "not obeyed in this version" {
					want = "not built yet"
				}
				if note != why {
					t.Errorf("%s, %s: the page says %q, config check says %q", file, name, note, why)
				}
			} else if !slices.Contains(obeyed, name) {
				want = "unknown"
			}
			if state != want {
				t.Errorf("%s, %s: the page says %s, the code %s", file, name, state, want)
			}
		}
	}
	for name := range reasons {
		if !told[name] {
			t.Errorf("%s is accepted, and not on the page", name)
		}
		if slices.Contains(obeyed, name) {
			t.Errorf("%s is both obeyed and accepted", name)
		}
	}
	for _, m := range regexp.MustCompile("`([A-Za-z0-9_]+)`").FindAllStringSubmatch(own, -1) {
		if told[m[1]] {
			t.Errorf("%s is Courier's and said to be ours alone", m[1])
		}
		told[m[1]] = true
	}
	for _, name := range obeyed {
		if !told[name] {
			t.Errorf("%s is obeyed, and not on the page", name)
		}
	}
}

// What is said to be not obeyed is what is not built, no more.
func TestNotBuilt(t *testing.T) {
	var got []string
	for name, why := range accepted() {
		if strings.Contains(why, "in this version") {
			got = append(got, name)
		}
	}
	slices.Sort(got)
	want := []string{"IMAP_ACL", "IMAP_PROXY", "IMAP_PROXY_FOREIGN", "IMAP_SHAREDINDEXFILE", "IMAP_SHAREDMUNGENAMES", "PROXY_HOSTNAME"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
