package session

import (
	"context"

	"postrider/imap"
	"postrider/wire"
)

// commands are all commands after the password.
var commands = wire.NewTable(rows()...)

type row = wire.Row[*Session]

// rows lists the commands with what the loop must know of each. EXPUNGE may not be
// told during FETCH, STORE and SEARCH (RFC 3501 7.4.1), nor SORT and THREAD (RFC
// 5256), but during their UID forms.
func rows() []row {
	return append(append(anyRows(), mailboxRows()...), messageRows()...)
}

// define completes a row with a method of the session.
func define[A any](r row, parse func(*imap.Decoder) A, run func(*Session, context.Context, *wire.Command, A) error) row {
	return wire.Define(r, parse, func(ctx context.Context, s *Session, c *wire.Command, a A) error {
		return run(s, ctx, c, a)
	})
}

func anyRows() []row {
	return []row{
		define(row{Name: "CAPABILITY", States: wire.LoggedIn, Caps: []string{"IMAP4rev1", "LITERAL+"}}, wire.NoArguments, (*Session).capability),
		define(row{Name: "NOOP", States: wire.LoggedIn}, wire.NoArguments, (*Session).noop),
		define(row{Name: "LOGOUT", States: wire.LoggedIn}, wire.NoArguments, (*Session).logout),
		define(row{Name: "ID", States: wire.LoggedIn, Caps: []string{"ID"}}, parseID, (*Session).id),
		define(row{Name: "ENABLE", States: wire.LoggedIn, Caps: []string{"ENABLE"}}, parseEnable, (*Session).enable),
		define(row{Name: "IDLE", States: wire.LoggedIn, Caps: []string{"IDLE"}}, wire.NoArguments, (*Session).idle),
		define(row{Name: "STARTTLS", States: wire.LoggedIn}, parseAnything, (*Session).loggedIn),
		define(row{Name: "LOGIN", States: wire.LoggedIn}, parseAnything, (*Session).loggedIn),
		define(row{Name: "AUTHENTICATE", States: wire.LoggedIn}, parseAnything, (*Session).loggedIn),
	}
}

func mailboxRows() []row {
	return []row{
		define(row{Name: "SELECT", States: wire.LoggedIn}, parseMailbox, (*Session).selectBox),
		define(row{Name: "EXAMINE", States: wire.LoggedIn}, parseMailbox, (*Session).selectBox),
		define(row{Name: "CREATE", States: wire.LoggedIn, Caps: []string{"CREATE-SPECIAL-USE"}}, parseCreate, (*Session).create),
		define(row{Name: "DELETE", States: wire.LoggedIn}, parseMailbox, (*Session).delete),
		define(row{Name: "RENAME", States: wire.LoggedIn}, parseRename, (*Session).rename),
		define(row{Name: "SUBSCRIBE", States: wire.LoggedIn}, parseMailbox, (*Session).subscribe),
		define(row{Name: "UNSUBSCRIBE", States: wire.LoggedIn}, parseMailbox, (*Session).subscribe),
		define(row{Name: "LIST", States: wire.LoggedIn, Caps: []string{"CHILDREN", "SPECIAL-USE"}}, parseList, (*Session).list),
		define(row{Name: "LSUB", States: wire.LoggedIn}, parseLsub, (*Session).lsub),
		define(row{Name: "NAMESPACE", States: wire.LoggedIn, Caps: []string{"NAMESPACE"}}, wire.NoArguments, (*Session).namespace),
		define(row{Name: "STATUS", States: wire.LoggedIn}, parseStatus, (*Session).status),
		define(row{Name: "APPEND", States: wire.LoggedIn, Streams: true}, parseAppend, (*Session).appendMessage),
		define(row{Name: "CHECK", States: wire.Selected}, wire.NoArguments, (*Session).noop),
		define(row{Name: "CLOSE", States: wire.Selected}, wire.NoArguments, (*Session).closeBox),
		define(row{Name: "UNSELECT", States: wire.Selected, Caps: []string{"UNSELECT"}}, wire.NoArguments, (*Session).unselect),
	}
}

func messageRows() []row {
	return []row{
		define(row{Name: "EXPUNGE", States: wire.Selected}, wire.NoArguments, (*Session).expunge),
		define(row{Name: "UID EXPUNGE", States: wire.Selected, Caps: []string{"UIDPLUS"}}, parseUIDs, (*Session).uidExpunge),
		define(row{Name: "SEARCH", States: wire.Selected, NoExpunge: true}, parseSearch, (*Session).search),
		define(row{Name: "UID SEARCH", States: wire.Selected}, parseSearch, (*Session).search),
		define(row{Name: "SORT", States: wire.Selected, NoExpunge: true, Caps: []string{"SORT"}}, parseSort, (*Session).sort),
		define(row{Name: "UID SORT", States: wire.Selected}, parseSort, (*Session).sort),
		define(row{Name: "THREAD", States: wire.Selected, NoExpunge: true, Caps: []string{"THREAD=ORDEREDSUBJECT", "THREAD=REFERENCES"}}, parseThread, (*Session).thread),
		define(row{Name: "UID THREAD", States: wire.Selected}, parseThread, (*Session).thread),
		define(row{Name: "FETCH", States: wire.Selected, NoExpunge: true}, parseFetch(parseSeqs), (*Session).fetch),
		define(row{Name: "UID FETCH", States: wire.Selected}, parseFetch(parseUIDs), (*Session).fetch),
		define(row{Name: "STORE", States: wire.Selected, NoExpunge: true}, parseStore(parseSeqs), (*Session).store),
		define(row{Name: "UID STORE", States: wire.Selected}, parseStore(parseUIDs), (*Session).store),
		define(row{Name: "COPY", States: wire.Selected}, parseCopy(parseSeqs), (*Session).copy),
		define(row{Name: "UID COPY", States: wire.Selected}, parseCopy(parseUIDs), (*Session).copy),
		define(row{Name: "MOVE", States: wire.Selected, Caps: []string{"MOVE"}}, parseCopy(parseSeqs), (*Session).move),
		define(row{Name: "UID MOVE", States: wire.Selected}, parseCopy(parseUIDs), (*Session).move),
	}
}
