// Package accounts makes the one backend of accounts that the settings describe:
// the modules of authmodulelist, in their order, behind the rules of auth.Guard.
// Every command that asks "who are you" (serve, imaplogin, authdaemond, authtest)
// asks this backend.
//
// It owns the table of modules. It knows the settings; what a module does is its
// own package's business.
package accounts
