"""A bare XMPP client over WebSocket (RFC 6455, RFC 7395) in the standard library: frames in and out, nothing decided. For
checks of the rig itself, and for odd clients that no library would be."""
import base64, os, re, socket, ssl, struct

FRAMING = "urn:ietf:params:xml:ns:xmpp-framing"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"


class Closed(Exception):
    pass


class Wire:
    def __init__(self, url, ca=None, timeout=20):
        scheme, host, port, path = re.fullmatch(r"(wss?)://([^:/]+):(\d+)(/.*)", url).groups()
        self.socket = socket.create_connection(("127.0.0.1", int(port)), timeout)
        if scheme == "wss":
            context = ssl.create_default_context(cafile=ca)
            self.socket = context.wrap_socket(self.socket, server_hostname=host)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: xmpp\r\n\r\n").encode())
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        self.status = int(head.split()[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def _more(self):
        data = self.socket.recv(65536)
        if not data:
            raise Closed
        self.buffer += data

    def _take(self, n):
        while len(self.buffer) < n:
            self._more()
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data

    def send(self, text, opcode=1):
        data, mask = text.encode(), os.urandom(4)
        n = len(data)
        length = bytes([0x80 | n]) if n < 126 else struct.pack("!BH", 0xFE, n) if n < 65536 else struct.pack("!BQ", 0xFF, n)
        self.socket.sendall(bytes([0x80 | opcode]) + length + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data)))

    def recv(self):
        """The next text frame."""
        text = b""
        while True:
            first, second = self._take(2)
            n = second & 0x7F
            if n >= 126:
                n = int.from_bytes(self._take(2 if n == 126 else 8), "big")
            data = self._take(n)
            if first & 15 == 8:
                raise Closed
            if first & 15 in (0, 1):
                text += data
                if first & 0x80:
                    return text.decode()

    def until(self, sign):
        """Frames until one contains `sign`, which is returned."""
        while True:
            frame = self.recv()
            if sign in frame:
                return frame

    def open(self, domain):
        """Opens the stream and returns its features."""
        self.send(f"<open xmlns='{FRAMING}' to='{domain}' version='1.0'/>")
        return self.until("features")

    def login(self, domain, user=None, password=None):
        """Anonymous, or by PLAIN. Returns the full address; a refused login returns the failure."""
        self.open(domain)
        if user is None:
            self.send(f"<auth xmlns='{SASL}' mechanism='ANONYMOUS'/>")
        else:
            secret = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
            self.send(f"<auth xmlns='{SASL}' mechanism='PLAIN'>{secret}</auth>")
        answer = self.recv()
        if "<success" not in answer:
            return answer
        self.open(domain)
        self.send("<iq xmlns='jabber:client' type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
        return re.search(r"<jid>(.*?)</jid>", self.until("<jid>"))[1]

    def own_room(self, domain, room, focus, nick):
        """Logs in and enters a room that the focus makes; the first one there is made its owner."""
        self.login(domain)
        self.send(f"<iq xmlns='jabber:client' type='set' id='focus' to='{focus}'>"
                  f"<conference xmlns='http://jitsi.org/protocol/focus' room='{room}'/></iq>")
        self.until("<conference")
        self.send(f"<presence xmlns='jabber:client' to='{room}/{nick}'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
        while "affiliation='owner'" not in self.until(f"from='{room}/{nick}'"):
            pass

    def configure_room(self, room, **fields):
        """Sends the owner's form (XEP-0045 §10.2): `roomsecret="x"` is the field muc#roomconfig_roomsecret."""
        form = "".join(f"<field var='muc#roomconfig_{name}'><value>{value}</value></field>" for name, value in fields.items())
        self.send(f"<iq xmlns='jabber:client' type='set' id='form' to='{room}'><query xmlns='http://jabber.org/protocol/muc#owner'>"
                  "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig</value>"
                  f"</field>{form}</x></query></iq>")
        answer = self.until("id='form'")
        if "type='result'" not in answer:
            raise RuntimeError(answer)
