"""Has pyserial's or Espressif's RFC 2217 server offer a line of the test.

usage: rfc2217_peer.py pyserial|espressif DATA-PORT CONTROL-PORT

DATA-PORT carries the bytes of the line. To CONTROL-PORT go "lines DTR RTS" and
"baud RATE", each answered by "ok". The server's own port is printed.
"""
import socket
import sys
import threading

import serial.rfc2217


def dial(port):
    s = socket.create_connection(("127.0.0.1", int(port)))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


class Line:
    """The little of serial.Serial that the servers use."""

    cts = dsr = ri = cd = xonxoff = rtscts = False
    bytesize, parity, stopbits, in_waiting, name = 8, "N", 1, 4096, "line"

    def __init__(self, data, control):
        self.data, self.control = data, control.makefile("rw")
        self.lock = threading.Lock()
        self.lines, self.rate = (False, False), 115200

    def tell(self, text):
        with self.lock:
            self.control.write(text + "\n")
            self.control.flush()
            self.control.readline()

    def setLines(self, dtr, rts):
        self.lines = (bool(dtr), bool(rts))
        self.tell("lines %d %d" % self.lines)

    def setDTR(self, on):
        self.setLines(on, self.lines[1])

    def setRTS(self, on):
        self.setLines(self.lines[0], on)

    def setRate(self, rate):
        self.rate = rate
        self.tell("baud %d" % rate)

    dtr = property(lambda self: self.lines[0], setDTR)
    rts = property(lambda self: self.lines[1], setRTS)
    baudrate = property(lambda self: self.rate, setRate)

    def read(self, n):
        return self.data.recv(n)

    def write(self, b):
        if b:
            self.data.sendall(b)

    def isOpen(self):
        return True

    def reset_input_buffer(self):
        pass

    def reset_output_buffer(self):
        pass


class Client:
    """One client's connection; the port manager writes to it, too."""

    def __init__(self, conn):
        self.conn, self.lock = conn, threading.Lock()

    def write(self, b):
        with self.lock:
            self.conn.sendall(b)


def manager(kind, line, client):
    if kind == "pyserial":
        return serial.rfc2217.PortManager(line, client)
    import esptool.reset
    from esp_rfc2217_server.esp_port_manager import EspPortManager

    # The one call that needs a real device.
    esptool.reset.UnixTightReset._setDTRandRTS = lambda self, dtr=False, rts=False: line.setLines(dtr, rts)
    return EspPortManager(line, client, False)


def main(kind, data, control):
    line = Line(dial(data), dial(control))
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    current = [None]

    def from_line():
        while True:
            b = line.read(4096)
            if not b:
                return
            if current[0]:
                client, m = current[0]
                try:
                    client.write(b"".join(m.escape(b)))
                except OSError:
                    pass  # gone: the main loop notices

    threading.Thread(target=from_line, daemon=True).start()
    while True:
        conn, _ = listener.accept()
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line.rts = line.dtr = True  # as both servers do
        client = Client(conn)
        m = manager(kind, line, client)
        current[0] = (client, m)
        try:
            while True:
                b = conn.recv(1024)
                if not b:
                    break
                line.write(b"".join(m.filter(b)))
        except OSError:
            pass
        current[0] = None
        conn.close()
        line.dtr = line.rts = False
        line.baudrate = 115200


main(*sys.argv[1:])
