package mailbox

import "time"

// lookAgain has the directories looked at once more when a foreign change that hides
// behind one of ours, in a directory that inotify does not watch, would show in a
// reading. Where nobody hints, whoever waits looks by himself.
func (m *Mailbox) lookAgain() {
	if m.c.Watch == nil {
		return
	}
	if m.again == nil {
		m.again = time.AfterFunc(m.c.Poll+grain, func() { m.Hint(Hint{Kind: HintChanged}) })
		return
	}
	m.again.Reset(m.c.Poll + grain)
}
