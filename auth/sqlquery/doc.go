// Package sqlquery is accounts in a table of an SQL database, as courier-authlib's
// authmysql, authpgsql and authsqlite know them: their settings, their default query,
// their clauses with $(local_part) and the like.
//
// It owns the pool of connections. It promises that nothing of a login becomes SQL: a
// quoted text with a substitution in it becomes a parameter of the query, and a
// substitution outside of quotes is refused when the settings are read. A database that
// cannot be asked is a temporary failure, never a wrong password.
//
// It knows no database: a Driver says how to reach one, and how its SQL is written.
package sqlquery
