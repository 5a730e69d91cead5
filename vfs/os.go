package vfs

// OS returns the file system of the operating system.
func OS() FS { return osFS{} }
