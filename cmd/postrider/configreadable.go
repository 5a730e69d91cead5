package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// readable looks whether the user of RUN_AS, who reads them, may read the files that
// settings name. Courier's belong to root mostly, since its authdaemond runs as root.
func (k *settingsCheck) readable(uid, gid int) {
	c := &k.loaded.Config
	files := [][2]string{
		{"TLS_CERTFILE", c.CertFile}, {"TLS_PRIVATE_KEYFILE", c.KeyFile}, {"AUTH_SECRETFILE", c.AuthSecretFile},
		{"OAUTH_CLIENT_SECRETFILE", c.OAuth.ClientSecretFile}, {"IMAPACCESSFILE", c.AccessFile},
	}
	for _, m := range []struct{ module, setting, file string }{
		{"authuserdb", "USERDB", c.Userdb}, {"authshadow", "SHADOW_FILE", c.ShadowFile},
		{"authmysql", "authmodulelist", filepath.Join(c.AuthDir, "authmysqlrc")},
		{"authpgsql", "authmodulelist", filepath.Join(c.AuthDir, "authpgsqlrc")},
		{"authsqlite", "authmodulelist", filepath.Join(c.AuthDir, "authsqliterc")},
		{"authldap", "authmodulelist", filepath.Join(c.AuthDir, "authldaprc")},
	} {
		if slices.Contains(c.Modules, m.module) {
			files = append(files, [2]string{m.setting, m.file})
		}
	}
	for _, f := range files {
		if f[1] == "" {
			continue
		}
		if at, why := barred(f[1], uint32(uid), uint32(gid)); at != "" {
			k.wrong(f[0], "%s cannot read %s: %s %s; chown or chmod it, or copy the file to where that user can read it", c.User, f[1], at, why)
		}
	}
}

// barred is the first of a path's directories, or the file itself, that a user with one
// group has no way into; "" if there is none, or what it is cannot be seen from here.
func barred(path string, uid, gid uint32) (at, why string) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", ""
	}
	steps := []string{path}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		steps = append(steps, dir)
		if dir == filepath.Dir(dir) {
			break
		}
	}
	for _, step := range slices.Backward(steps) {
		info, err := os.Stat(step)
		if err != nil {
			return "", "" // told by what opens it
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return "", ""
		}
		wants := uint32(0o4)
		if step != path {
			wants = 0o1
		}
		mode := uint32(info.Mode().Perm())
		switch {
		case st.Uid == uid:
			mode >>= 6
		case st.Gid == gid:
			mode >>= 3
		}
		if mode&wants == 0 {
			return step, fmt.Sprintf("belongs to %d:%d and has mode %04o", st.Uid, st.Gid, info.Mode().Perm())
		}
	}
	return "", ""
}
