package config

// OfSessions is what a process needs that serves sessions: of the settings those that
// concern what happens after the login. It has no secret of the server's, and nothing
// that says where accounts come from.
func (c *Config) OfSessions() *Config {
	return &Config{
		MaxPerAccount: c.MaxPerAccount,
		Maildir:       c.Maildir,

		CourierNames: c.CourierNames, Encoding: c.Encoding,
		HideWords: c.HideWords, OnlyWords: c.OnlyWords,
		CheckOwner: c.CheckOwner, Umask: c.Umask,
		Fsync: c.Fsync, CourierUIDDB: c.CourierUIDDB, UseLocks: c.UseLocks,
		AppendLimit: c.AppendLimit, EnhancedIdle: c.EnhancedIdle, PollInterval: c.PollInterval,

		TrashFolder: c.TrashFolder, EmptyTrash: c.EmptyTrash, ExpungeToTrash: c.ExpungeToTrash,
		LogDeletions: c.LogDeletions, NoSort: c.NoSort,
		Outbox: c.Outbox, OutboxMultiple: c.OutboxMultiple, Sendmail: c.Sendmail, SenderHeader: c.SenderHeader,
		DebugFile: c.DebugFile,

		IdleTimeout: c.IdleTimeout, DrainTimeout: c.DrainTimeout, LockTimeout: c.LockTimeout,
		LogFormat: c.LogFormat, LogLevel: c.LogLevel,
	}
}
