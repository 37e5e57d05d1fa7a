"""A WebSocket client that breaks the rules (RFC 6455), one case after another, with frames made by
hand. Arguments: `host:port`, the path of one job's socket, its id. Of each case it checks what comes
back and how the socket is closed, on the socket of one job and on that of many."""
import json
import os
import socket
import struct
import sys

host, only, job = sys.argv[1:]
MANY = "/_raincheck/events"
CONTINUE, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
END = 0x80


class Socket:
    def __init__(self, path):
        name, port = host.rsplit(":", 1)
        self.io = socket.create_connection((name, int(port)), timeout=20)
        self.io.sendall(
            f"GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
            "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        self.bytes = b""
        while b"\r\n\r\n" not in self.bytes:
            assert self.more(), "no head"
        head, self.bytes = self.bytes.split(b"\r\n\r\n", 1)
        assert head.startswith(b"HTTP/1.1 101 "), head

    def more(self):
        try:
            some = self.io.recv(65536)
        except ConnectionResetError:
            return False
        self.bytes += some
        return bool(some)

    def send(self, data):
        try:
            self.io.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def take(self, count):
        while len(self.bytes) < count:
            if not self.more():
                return None
        taken, self.bytes = self.bytes[:count], self.bytes[count:]
        return taken

    def frame(self):
        """The next frame's opcode and payload; none at the end."""
        head = self.take(2)
        if head is None:
            return None
        first, length = head
        assert first & 0x70 == 0 and length & 0x80 == 0, "reserved bits, or masked"
        if length >= 126:
            size = 2 if length == 126 else 8
            length = int.from_bytes(self.take(size), "big")
        payload = self.take(length)
        return (first & 0x0F, payload) if payload is not None else None

    def closed(self):
        """The code of the close that comes, and what came before it, but for status events."""
        before = []
        while True:
            frame = self.frame()
            if frame is None:
                return None, before
            opcode, payload = frame
            if opcode == CLOSE:
                code = struct.unpack(">H", payload[:2])[0] if payload else 0
                assert self.frame() is None, "more after the close"
                return code, before
            if opcode == TEXT:
                event = json.loads(payload)
                if event["event"] == "status":
                    continue
                before.append(event["error"]["code"])
            else:
                before.append((opcode, payload))


def frame(first, payload=b"", masked=True, length=None):
    """A frame; `length` is said in the widest form if it is a number."""
    mask = os.urandom(4) if masked else b""
    bit = 0x80 if masked else 0
    if length is not None:
        head = struct.pack(">BBQ", first, bit | 127, length)
    elif len(payload) < 126:
        head = struct.pack(">BB", first, bit | len(payload))
    elif len(payload) < 65536:
        head = struct.pack(">BBH", first, bit | 126, len(payload))
    else:
        head = struct.pack(">BBQ", first, bit | 127, len(payload))
    if masked:
        payload = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
    return head + mask + payload


def goodbye(code, reason=b""):
    return frame(END | CLOSE, struct.pack(">H", code) + reason)


BYE = goodbye(1000)
WRONG, LARGE = "invalid-parameter", "request-too-large"
SUBSCRIBE = json.dumps({"subscribe": [job]}).encode()

# What is sent, the code that closes, and what comes before that.
CASES = {
    # Section 5.2: what no extension was agreed on, and what nobody knows.
    **{f"reserved bit {bit:x}": (frame(END | bit | TEXT, b"{}"), 1002, []) for bit in (0x10, 0x20, 0x40, 0x70)},
    **{f"reserved bit {bit:x} of a ping": (frame(END | bit | PING), 1002, []) for bit in (0x10, 0x20, 0x40)},
    **{f"opcode {code:x}": (frame(END | code, b"{}"), 1002, []) for code in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    # Section 5.1: clients mask.
    **{f"unmasked {code}": (frame(END | code, b"{}", masked=False), 1002, []) for code in (TEXT, BINARY, PING, CLOSE)},
    # Section 5.5: frames of control are short and whole.
    **{f"control {code:x} in parts": (frame(code, b"\x03\xe8") + frame(END), 1002, []) for code in (CLOSE, PING, PONG)},
    **{f"control {code:x} too long": (frame(END | code, b"x" * 126), 1002, []) for code in (CLOSE, PING, PONG)},
    "a ping of 125 bytes": (frame(END | PING, b"x" * 125) + BYE, 1000, [(PONG, b"x" * 125)]),
    "a pong nobody asked for": (frame(END | PONG, b"x") + BYE, 1000, []),
    # Section 5.4: fragments.
    "a continuation of nothing": (frame(END | CONTINUE, b"{}"), 1002, []),
    "a continuation after an end": (frame(END | TEXT, b"{}") + frame(CONTINUE, b"{}"), 1002, [WRONG]),
    "a message within a message": (frame(TEXT, b"{") + frame(END | TEXT, b"{}"), 1002, []),
    "a binary within a text": (frame(TEXT, b"{") + frame(BINARY, b"{}"), 1002, []),
    "a ping within a message": (
        frame(TEXT, b"{") + frame(END | PING, b"p") + frame(END, b"}") + BYE, 1000, [(PONG, b"p"), WRONG]),
    "empty fragments": (frame(TEXT) + frame(CONTINUE) * 3 + frame(END) + BYE, 1000, [WRONG]),
    "a subscription byte by byte": (
        b"".join(frame(CONTINUE if at else TEXT, SUBSCRIBE[at:at + 1]) for at in range(len(SUBSCRIBE)))
        + frame(END) + BYE, 1000, []),
    # Section 5.2: lengths.
    "a length in too many bytes": (frame(END | TEXT, b"{}", length=2) + BYE, None, None),
    "a length beyond everything": (frame(END | TEXT, b"", length=2**63 - 1), "held", []),
    "a length with the highest bit": (frame(END | PING, b"", length=2**63), 1009, []),
    # Section 8.1: text is UTF-8, at whatever place it is not.
    **{f"no UTF-8: {text!r} behind {before} bytes": (frame(END | TEXT, b"x" * before + text), 1007, [])
       for before in (0, 1, 130, 60_000)
       for text in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\x80", b"\xf8\x88\x80\x80\x80")},
    "no UTF-8 in the second fragment": (frame(TEXT, b"{") + frame(END, b"\xff"), 1007, []),
    "no UTF-8 before the end": (frame(TEXT, b"\xe2\x28") + frame(CONTINUE, b"x"), 1007, []),
    "half a character at the end": (frame(TEXT, b"{\xe2\x82") + frame(END), 1007, []),
    "a character in two fragments": (frame(TEXT, b"\xe2\x82") + frame(END, b"\xac") + BYE, 1000, [WRONG]),
    "no UTF-8 in binary": (frame(END | BINARY, b"\xff\xfe") + BYE, 1000, [WRONG]),
    # What is too large is said, wherever it is cut, and the socket stays.
    "too large": (frame(END | TEXT, b"x" * 65_537) + BYE, 1000, [LARGE]),
    "as large as may be": (frame(END | TEXT, b"x" * 65_536) + BYE, 1000, [WRONG]),
    "too large in binary": (frame(END | BINARY, b"\xff" * 65_537) + BYE, 1000, [LARGE]),
    **{f"too large, cut {at} bytes into {text!r}": (
        frame(TEXT, b"x" * 65_530 + text[:at]) + frame(CONTINUE, text[at:] + b"y" * 10) + frame(END, b"z") + BYE,
        1000, [LARGE])
       for text in (b"\xc3\xa9", b"\xe2\x82\xac", b"\xe0\xa4\x85", b"\xf0\x9f\x98\x80", b"\xf4\x8f\xbf\xbf")
       for at in range(1, len(text))},
    # Section 7.4: codes of a close.
    **{f"a close with {code}": (goodbye(code), code, []) for code in (1000, 1001, 1002, 1003, 1007, 1008, 1011, 3000, 3999, 4000, 4999)},
    **{f"a close with {code}": (goodbye(code), 1002, []) for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)},
    "a close without a code": (frame(END | CLOSE), 0, []),
    "a close with half a code": (frame(END | CLOSE, b"\x03"), 1002, []),
    "a close with a reason": (goodbye(1000, "tschüß".encode()), 1000, []),
    "a close whose reason is no UTF-8": (goodbye(1000, b"\xff\xfe"), 1007, []),
    "words after a close": (BYE + frame(END | TEXT, b"{}") + frame(END | PING), 1000, []),
}

bad = []
for path in (only, MANY):
    for name, (sent, code, before) in CASES.items():
        io = Socket(path)
        io.send(sent)
        if code == "held":
            # Nothing is kept of it, and nothing is said before it is there; its client leaves.
            io.io.shutdown(socket.SHUT_WR)
            code = None
            while io.frame() is not None:
                pass
            continue
        got = io.closed()
        if code is not None and got != (code, before):
            bad.append(f"{path}: {name}: closed with {got[0]} after {got[1]}, not {code} after {before}")
        io.io.close()

# In pieces of any size the socket understands the same.
for size in (1, 2, 3, 7, 1000):
    io = Socket(MANY)
    sent = frame(END | TEXT, b"x" * 70_000)[:70_014] if size > 3 else frame(END | TEXT, b"{}")
    sent += frame(END | PING, b"p") + BYE
    for at in range(0, len(sent), size):
        io.send(sent[at:at + size])
    want = (1000, [LARGE if size > 3 else WRONG, (PONG, b"p")])
    got = io.closed()
    if got != want:
        bad.append(f"in pieces of {size}: {got}, not {want}")

print("\n".join(bad), flush=True)
print(f"{2 * len(CASES)} cases", "failed" if bad else "done", flush=True)
