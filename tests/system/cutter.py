# SPDX-License-Identifier: MIT
"""A way to a database server that is cut where a test wants it."""
import contextlib
import os
import socket
import threading


class Cutter:
    """A Unix socket that leads to another, and counts the packets of MySQL's
    protocol that the server sends, over all connections."""

    def __init__(self, target):
        self.target = target
        self.path = f'{target}-cut'
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        self.lock = threading.Lock()
        self.open = set()
        self.connections = 0
        self.packets = 0
        self.cut_at = None
        self.of_each = False
        self.part = 0
        self.cuts = 0
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        os.chmod(self.path, 0o666)
        self.listener.listen(16)
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def plan(self, cut_at=None, part=0, of_each=False):
        """Cut the connection in which the n-th packet from now on comes,
        after so many bytes of it; of_each: each connection, at its own n-th.
        """
        with self.lock:
            self.packets = self.connections = self.cuts = 0
            self.cut_at = cut_at
            self.of_each = of_each
            self.part = part

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()
        with self.lock:
            for sock in self.open:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(self.target)
            except OSError:
                client.close()
                server.close()
                continue
            with self.lock:
                self.connections += 1
                self.open |= {client, server}
            for work in (self._up, self._down):
                threading.Thread(target=work, args=(client, server),
                                 daemon=True).start()

    def _hang_up(self, *socks):
        for sock in socks:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _up(self, client, server):
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                server.sendall(data)
        self._hang_up(client, server)

    def _down(self, client, server):
        buffer, own = b'', 0
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                buffer += data
                out, at = b'', 0
                while len(buffer) - at >= 4:
                    end = at + 4 + int.from_bytes(buffer[at:at + 3], 'little')
                    if len(buffer) < end:
                        break
                    own += 1
                    if self._cuts_here(own):
                        client.sendall(out + buffer[at:at + self.part])
                        self._hang_up(client, server)
                        break
                    out += buffer[at:end]
                    at = end
                buffer = buffer[at:]
                client.sendall(out)
        self._hang_up(client, server)
        with self.lock:
            self.open -= {client, server}
        client.close()
        server.close()

    def _cuts_here(self, own):
        with self.lock:
            self.packets += 1
            number = own if self.of_each else self.packets
            if number != self.cut_at:
                return False
            self.cuts += 1
            return True
