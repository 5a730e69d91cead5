"""A crowd of clients on one account, some through the server and some through a
process of their own, while other programs deliver and rename: PORT USER PASSWORD
SECONDS IMAPD. No command may fail, no UID may ever stand for another message, and
in the end all see the same."""
import imaplib
import random
import re
import sys
import threading
import time

port, user, password, seconds, imapd = sys.argv[1:]
end = time.time() + float(seconds)
BOXES = ["INBOX", "Work"]
mistakes, seen, lock = [], {}, threading.Lock()


def server():
    c = imaplib.IMAP4("127.0.0.1", int(port))
    c.login(user, password)
    return c


def pipe():
    return imaplib.IMAP4_stream(imapd)


def learn(box, uid, header):
    with lock:
        if seen.setdefault((box, uid), header) != header:
            mistakes.append(f"UID {uid} of {box} was {seen[(box, uid)]} and is {header}")


def step(c, r, me, n, box):
    other = BOXES[1 - BOXES.index(box)]
    op = r.choice(["append", "append", "store", "store", "expunge", "copy", "fetch", "noop", "move"])
    if op == "append":
        text = f"Subject: crowd\r\nMessage-ID: <{me}-{n}@crowd>\r\n\r\nmessage {n}\r\n".encode()
        return op, c.append(r.choice(BOXES), r.choice(["", "(\\Seen)", f"(\\Flagged kw{r.randint(0, 5)})"]), None, text)
    if op in ("noop", "expunge"):
        return op, getattr(c, op)()
    uids = (c.uid("SEARCH", "ALL")[1][0] or b"").split()
    if not uids:
        return "noop", c.noop()
    some = b",".join(r.sample(uids, min(len(uids), r.randint(1, 4)))).decode()
    if op == "store":
        return op, c.uid(op, some, r.choice(["+FLAGS", "-FLAGS", "FLAGS", "+FLAGS.SILENT"]), r.choice(["(\\Deleted)", "(\\Seen)", "(\\Flagged \\Answered)", "(kwx)"]))
    if op in ("copy", "move"):
        return op, c.uid(op, some, other)
    kind, data = c.uid("FETCH", some, "(UID FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
    for item in data or []:
        if isinstance(item, tuple):
            learn(box, re.search(rb"UID (\d+)", item[0]).group(1), item[1])
    return op, (kind, data)


def client(me):
    r, n = random.Random(me), 0
    c = pipe() if me % 4 == 3 else server()
    try:
        while time.time() < end:
            box = r.choice(BOXES)
            assert c.select(box)[0] == "OK"
            for _ in range(r.randint(1, 12)):
                n += 1
                op, (kind, data) = step(c, r, me, n, box)
                # what another one removed cannot be copied
                if kind != "OK" and b"EXPUNGEISSUED" not in (data[0] or b""):
                    mistakes.append(f"client {me}, {op}: {kind} {data}")
        c.logout()
    except Exception as e:
        mistakes.append(f"client {me}: {e!r}")


def state(c, box):
    c.select(box, readonly=True)
    lines = [x for x in c.uid("FETCH", "1:*", "(UID FLAGS)")[1] if x]
    return sorted((int(re.search(rb"UID (\d+)", x).group(1)),
                   sorted(set(re.search(rb"FLAGS \(([^)]*)\)", x).group(1).split()) - {b"\\Recent"})) for x in lines)


first = server()
first.create("Work")
crowd = [threading.Thread(target=client, args=(i,)) for i in range(8)]
for t in crowd:
    t.start()
for t in crowd:
    t.join()
second = pipe()
for box in BOXES:
    a, b = state(first, box), state(second, box)
    if a != b:
        mistakes.append(f"{box}: the server has {len(a)} messages, a process of its own {len(b)}, or their flags differ")
    print(box, len(a))
second.logout()
first.logout()
if mistakes:
    sys.exit("\n".join(mistakes[:20]))
