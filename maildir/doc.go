// Package maildir is the format of Maildir++ on disk: message file names and
// their flags, tmp, new and cur, the form in which a message's bytes are
// stored, the flat tree of ".Folder" directories, the list of subscriptions, and
// Courier's files beside the messages: its list of UIDs, its keywords, its lock.
//
// It promises that no operation replaces or removes a message file except
// Folder.Remove and RemoveFolder, and that a letter of a name which it does not
// understand stays. It owns nothing but the handles it opened, keeps no state
// of a mailbox, and knows nothing of UIDs and of IMAP.
package maildir
