package userdb_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"postrider/auth/password"
	"postrider/cmd/userdb"
)

// courier is the folder where scripts/setup.sh unpacked Courier's programs.
func courier(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("../../scripts/setup.sh", "courier-dir").Output()
	root := strings.TrimSpace(string(out))
	if err == nil {
		_, err = os.Stat(filepath.Join(root, "usr/sbin/userdb"))
	}
	if err != nil {
		t.Fatalf("%v; scripts/setup.sh unpacks Courier's userdb", err)
	}
	return root
}

// answer is what a program did.
type answer struct {
	out    string
	status int
}

// theirs runs Courier's program.
func theirs(t *testing.T, name, in string, args ...string) answer {
	t.Helper()
	root := courier(t)
	cmd := exec.Command(filepath.Join(root, "usr/sbin", name), args...)
	arch, err := filepath.Glob(filepath.Join(root, "usr/lib/*-linux-gnu*"))
	if err != nil || len(arch) != 1 {
		t.Fatal(arch, err)
	}
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+filepath.Join(root, "usr/lib")+":"+arch[0])
	cmd.Stdin = strings.NewReader(in)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return answer{string(out), min(exit.ExitCode(), 1)} // Perl's die has other numbers
	}
	if err != nil {
		t.Fatal(err)
	}
	return answer{string(out), 0}
}

// ours runs our own in its place.
func ours(in string, run func(userdb.Tool) int, args ...string) answer {
	var out bytes.Buffer
	status := run(userdb.Tool{Name: "userdb", Args: args, In: strings.NewReader(in), Out: &out, Err: &bytes.Buffer{}})
	return answer{out.String(), status}
}

// sorted is a userdb's text with the fields of each line in order: Courier's program
// does not keep their order.
func sorted(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		if name, rest, found := strings.Cut(line, "\t"); found {
			fields := strings.Split(rest, "|")
			slices.Sort(fields)
			lines[i] = name + "\t" + strings.Join(fields, "|")
		}
	}
	return strings.Join(lines, "\n")
}

// TestEditAsCourier does the same to two files with both programs, step by step.
func TestEditAsCourier(t *testing.T) {
	const start = "# comment\n\njohn@example.com\tuid=990|gid=990|home=/h|bare|systempw=x\n990=\tjohn\nlast\tuid=1|gid=1|home=/l\n"
	dir := t.TempDir()
	a, b := filepath.Join(dir, "theirs"), filepath.Join(dir, "ours")
	for _, path := range []string{a, b} {
		if err := os.WriteFile(path, []byte(start), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		in   string
		args []string
	}{
		{"", []string{"-f", "FILE", "john@example.com", "set", "quota=1000000S", "home=/other"}},
		{"", []string{"-f", "FILE", "new", "set", "uid=1", "gid=2"}},
		{"typed\n", []string{"-f", "FILE", "new", "set", "imappw"}},
		{"one\ntwo\n", []string{"-f", "FILE", "new", "set", "pop3pw", "systempw"}},
		{"", []string{"-f", "FILE", "new", "set", "pop3pw"}},
		{"a|b\n", []string{"-f", "FILE", "new", "set", "pop3pw"}},
		{"", []string{"-f", "FILE", "new", "set", "x=a|b"}},
		{"", []string{"-f", "FILE", "john@example.com", "unset", "quota", "missing"}},
		{"", []string{"-f", "FILE", "nobody", "unset", "quota"}},
		{"", []string{"-f", "FILE", "nobody", "del"}},
		{"", []string{"-show", "-f", "FILE"}},
		{"", []string{"-show", "-f", "FILE", "last"}},
		{"", []string{"-show", "-f", "FILE", "nobody"}},
		{"", []string{"-show", "-f", "FILE.missing"}},
		{"", []string{"-f", "FILE", "last", "del"}},
		{"", []string{"-f", "FILE", "990=", "del"}},
		{"", []string{"-f", "FILE", "new", "del", "x"}},
		{"", []string{"-f", "FILE", "new", "frobnicate"}},
		{"", []string{"-f", "FILE", "new"}},
		{"", []string{"-f", "FILE"}},
		{"", nil},
	} {
		fill := func(path string) []string {
			args := slices.Clone(c.args)
			for i := range args {
				args[i] = strings.ReplaceAll(args[i], "FILE", path)
			}
			return args
		}
		want, got := theirs(t, "userdb", c.in, fill(a)...), ours(c.in, userdb.Tool.Edit, fill(b)...)
		want.out = strings.ReplaceAll(want.out, filepath.Join(courier(t), "usr/sbin/userdb"), "userdb")
		if len(c.args) > 3 && c.args[0] == "-show" { // one record: its fields have no order
			for _, s := range []*string{&want.out, &got.out} {
				lines := strings.Split(*s, "\n")
				slices.Sort(lines)
				*s = strings.Join(lines, "\n")
			}
		}
		if strings.HasPrefix(want.out, "Usage:") {
			want.out, got.out = strings.Join(strings.Fields(want.out), " "), strings.Join(strings.Fields(got.out), " ")
		}
		if got != want {
			t.Errorf("userdb %q: got %+v, Courier %+v", c.args, got, want)
		}
		if x, y := sorted(t, a), sorted(t, b); x != y {
			t.Fatalf("userdb %q: the file is\n%s\nwith Courier\n%s", c.args, y, x)
		}
	}
	if text, err := os.ReadFile(b); err != nil || !strings.HasPrefix(string(text), "# comment\n\njohn@example.com\tuid=990|gid=990|home=/other|bare|systempw=x\n") {
		t.Errorf("the order of fields was not kept: %s, %v", text, err)
	}
}

// TestEditPaths: a slash in the name names a file below the userdb; symbolic links
// of files are followed, the userdb itself may be none.
func TestEditPaths(t *testing.T) {
	top := filepath.Join(t.TempDir(), "userdb")
	if err := os.MkdirAll(filepath.Join(top, "domains"), 0o700); err != nil {
		t.Fatal(err)
	}
	run := func(base string, args ...string) (string, int) {
		var out bytes.Buffer
		status := userdb.Tool{Name: "userdb", Userdb: base, Args: args, In: strings.NewReader(""), Out: &out, Err: &out}.Edit()
		return out.String(), status
	}
	if out, status := run(top, "domains/example.com/john", "set", "uid=1"); status != 0 {
		t.Fatal(out)
	}
	file := filepath.Join(top, "domains/example.com")
	if text, err := os.ReadFile(file); err != nil || string(text) != "john\tuid=1\n" {
		t.Fatal(string(text), err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode())
	}
	link := filepath.Join(top, "link")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	if out, status := run(top, "link/john", "set", "gid=2"); status != 0 {
		t.Fatal(out)
	}
	if text, _ := os.ReadFile(file); string(text) != "john\tuid=1|gid=2\n" {
		t.Error(string(text))
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Error("the link was replaced")
	}
	other := filepath.Join(filepath.Dir(top), "other")
	if err := os.Symlink(top, other); err != nil {
		t.Fatal(err)
	}
	if out, status := run(other, "domains/example.com/john", "del"); status != 1 || !strings.Contains(out, "is a symbolic link") {
		t.Error(out, status)
	}
}

func TestEncryptAsCourier(t *testing.T) {
	v := password.NewVerifier(password.Limits{})
	for _, option := range []string{"-hmac-md5", "-hmac-sha1", "-hmac-sha256"} {
		if want, got := theirs(t, "userdbpw", "secret\n", option), ours("secret\n", userdb.Tool.Encrypt, option); got != want || got.out == "" {
			t.Errorf("%s: got %+v, Courier %+v", option, got, want)
		}
	}
	for _, args := range [][]string{{}, {"-md5"}} {
		for by, got := range map[string]answer{"Courier": theirs(t, "userdbpw", "secret\n", args...), "ours": ours("secret\n", userdb.Tool.Encrypt, args...)} {
			if ok, err := v.Verify(t.Context(), strings.TrimSuffix(got.out, "\n"), "secret"); !ok || err != nil || got.status != 0 {
				t.Errorf("%s %v: %+v, %v", by, args, got, err)
			}
		}
	}
	for _, args := range [][]string{{"-nosuch"}, {"-md5", "-md5"}} {
		if got := ours("secret\n", userdb.Tool.Encrypt, args...); got.status != 1 || got.out != "" {
			t.Errorf("%v: %+v", args, got)
		}
	}
	if got := ours("", userdb.Tool.Encrypt); got.status != 1 || got.out != "" {
		t.Errorf("nothing: %+v", got)
	}
}

func TestConvertAsCourier(t *testing.T) {
	dir := t.TempDir()
	passwd, shadow := filepath.Join(dir, "passwd"), filepath.Join(dir, "shadow")
	for path, text := range map[string]string{
		passwd: "root:x:0:0:root:/root:/bin/sh\n# x\nann:$6$a$b:1000:1001:Ann|B,1,2:/home/ann:\nbob:x:1001:1001::/home/bob:/bin/sh\n",
		shadow: "root:*:1:0:99999:7:::\nbob:$6$c$d:1::::::\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	lines := func(a answer) []string { // Courier's are in no order
		list := strings.Split(a.out, "\n")
		slices.Sort(list)
		return list
	}
	for _, more := range [][]string{{}, {"--noshadow"}, {"-nouid", "--domain", "example.com"}, {"--domain=example.com"}} {
		args := append([]string{"--passwd=" + passwd, "-shadow", shadow}, more...)
		want, got := theirs(t, "pw2userdb", "", args...), ours("", userdb.Tool.Convert, args...)
		if !slices.Equal(lines(got), lines(want)) || got.status != want.status || len(got.out) < 100 {
			t.Errorf("%v: got %+v, Courier %+v", more, got, want)
		}
	}
	for _, args := range [][]string{{"--nosuch"}, {"x"}, {"--passwd"}, {"--passwd=" + dir}, {"--passwd=" + dir + "/missing"}} {
		if got := ours("", userdb.Tool.Convert, args...); got.status != 1 || got.out != "" {
			t.Errorf("%v: %+v", args, got)
		}
	}
}

// TestMakeAsCourier: what Courier refuses is refused, with its words; what it takes
// is taken, if the server can read it.
func TestMakeAsCourier(t *testing.T) {
	const account = "john\tuid=1|gid=1|home=/h|systempw=x\n"
	for what, c := range map[string]struct {
		text   string
		mode   os.FileMode
		status int
		says   string
	}{
		"good":         {account + "# c\n\n1=\tjohn\n", 0o600, 0, ": 1 accounts."},
		"open":         {account, 0o640, 1, ": MAY NOT HAVE GROUP OR WORLD PERMISSIONS!!"},
		"twice":        {account + account, 0o600, 1, "Cannot store record for john - duplicate or out of disk space."},
		"cannot serve": {account + "ann\tuid=x|gid=1|home=/h\n", 0o600, 1, ":2: uid is not a number"},
	} {
		path := filepath.Join(t.TempDir(), "userdb")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		status := userdb.Tool{Name: "makeuserdb", Args: []string{"-f", path}, Out: &out, Err: &out}.Make()
		if status != c.status || !strings.Contains(out.String(), c.says) {
			t.Errorf("%s: %d, %s", what, status, out.String())
		}
		// What the server cannot read Courier compiles nevertheless.
		says, theirs := theirMake(t, path)
		if theirs != c.status && what != "cannot serve" || c.status != 0 && what != "cannot serve" && !strings.Contains(says, c.says) {
			t.Errorf("%s: Courier says %d, %s", what, theirs, says)
		}
	}
	if got := ours("", userdb.Tool.Make, "-f"); got.status != 1 {
		t.Error(got)
	}
}

// theirMake runs Courier's makeuserdb, a script that names its programs where Debian
// installs them.
func theirMake(t *testing.T, path string) (says string, status int) {
	t.Helper()
	root := courier(t)
	text, err := os.ReadFile(filepath.Join(root, "usr/sbin/makeuserdb"))
	if err != nil {
		t.Fatal(err)
	}
	const installed = "/usr/lib/courier/courier-authlib/makedatprog"
	if !strings.Contains(string(text), installed) {
		t.Fatalf("makeuserdb does not name %s", installed)
	}
	script := filepath.Join(t.TempDir(), "makeuserdb")
	if err := os.WriteFile(script, []byte(strings.ReplaceAll(string(text), installed, filepath.Join(root, installed))), 0o700); err != nil {
		t.Fatal(err)
	}
	arch, err := filepath.Glob(filepath.Join(root, "usr/lib/*-linux-gnu*"))
	if err != nil || len(arch) != 1 {
		t.Fatal(arch, err)
	}
	cmd := exec.Command("perl", script, "-f", path)
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+filepath.Join(root, "usr/lib")+":"+arch[0])
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if err == nil {
		if _, err := os.Stat(path + ".dat"); err != nil {
			t.Errorf("Courier made nothing: %v", err)
		}
		return string(out), 0
	}
	return string(out), 1
}
