// Package authdaemond is the program of that name, which answers courier-authlib's
// protocol, and Dovecot's if it is asked to, from the modules of the settings; and the
// same sockets opened by a server that runs anyway.
//
// It owns the sockets' files: each is made beside its place, listened on, and renamed
// into it, so that no client meets one that nobody listens on. What is left of it when
// the program ends is taken away unless another has taken its place.
package authdaemond
