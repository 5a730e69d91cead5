// Package oauth tells whose access token it is: one that an OpenID provider signed, by
// the provider's published keys; any other by asking the provider (RFC 7662).
//
// It owns the provider's keys, as long as they are good. It promises that a token counts
// only if it was made for us (audience or scope), by the provider that is named, and has
// not expired; and that a provider that cannot be asked is a temporary failure, never a
// wrong token. It knows no account: a token gives a login, nothing more.
package oauth
