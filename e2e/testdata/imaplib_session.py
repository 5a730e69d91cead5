"""A session of Python's imaplib: KIND PORT USER PASSWORD CA. The inbox holds
three messages. Any answer that is not as it should be is an AssertionError."""
import imaplib
import ssl
import sys
import time

kind, port, user, password, ca = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)


def connect():
    if kind == "tls":
        c = imaplib.IMAP4_SSL("localhost", int(port), ssl_context=context)
    else:
        c = imaplib.IMAP4("localhost", int(port))
    if kind == "starttls":
        c.starttls(context)
    return c


def ok(answer):
    assert answer[0] == "OK", answer
    return answer[1]


c = connect()
try:
    c.login(user, "wrong")
    raise AssertionError("a wrong password was taken")
except imaplib.IMAP4.error:
    pass
ok(c.login(user, password))
assert ok(c.select("INBOX")) == [b"3"]
assert ok(c.search(None, "SUBJECT", '"python message 1"')) == [b"2"]
assert ok(c.search("UTF-8", "TEXT", '"message 2"')) == [b"3"]
text = ok(c.fetch("1", "(RFC822)"))[0][1]
assert text.endswith(b"This is python message 0.\r\n"), text
assert b"\\Seen" in ok(c.fetch("1", "(FLAGS)"))[0]
ok(c.store("2", "+FLAGS", "(\\Flagged Marked)"))
assert b"\\Flagged" in ok(c.fetch("2", "(FLAGS)"))[0]
ok(c.create("Archive/2026"))
ok(c.subscribe("Archive/2026"))
assert any(b"Archive/2026" in line for line in ok(c.lsub()))
assert any(b"Archive/2026" in line for line in ok(c.list()))
ok(c.copy("1:2", "Archive/2026"))
message = b"From: a@example.org\r\nSubject: appended\r\n\r\n" + b"x" * 100_000 + b"\r\n"
ok(c.append("Archive/2026", "(\\Seen)", imaplib.Time2Internaldate(time.time()), message))
ok(c.select("Archive/2026"))
assert ok(c.uid("FETCH", "3", "(BODY.PEEK[])"))[0][1] == message
assert ok(c.sort("(REVERSE ARRIVAL)", "UTF-8", "ALL"))[0].split()[0] in (b"3", b"2", b"1")
ok(c.thread("REFERENCES", "UTF-8", "ALL"))
ok(c.uid("STORE", "1", "+FLAGS.SILENT", "(\\Deleted)"))
assert ok(c.expunge()) == [b"1"]
ok(c.close())
assert b"MESSAGES 2" in ok(c.status("Archive/2026", "(MESSAGES UIDNEXT)"))[0]
ok(c.rename("Archive/2026", "Archive/2027"))
ok(c.unsubscribe("Archive/2026"))
ok(c.delete("Archive/2027"))
ok(c.namespace())
ok(c.noop())
assert c.logout()[0] == "BYE"

c = connect()
ok(c.authenticate("PLAIN", lambda _: b"\0" + user.encode() + b"\0" + password.encode()))
ok(c.select("INBOX", readonly=True))
assert c.store("1", "+FLAGS", "(\\Deleted)")[0] == "NO"
ok(c.unselect())
c.logout()
print("all done")
