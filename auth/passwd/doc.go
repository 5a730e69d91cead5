// Package passwd is an auth backend with the system's accounts as the files passwd
// and shadow have them: Courier's authpwd (the password in passwd) and authshadow
// (the password in shadow, with the dates there).
//
// It owns what was read of the files, which it reads again when they change. It
// asks no NSS: accounts that only a directory service knows are not here; PAM knows
// them (auth/pam). It looks at no shell, as Courier's modules do not.
package passwd
