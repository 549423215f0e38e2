"""MQTT over QUIC from the client's side, by aioquic: an implementation of QUIC that is not the broker's.

`Quic` drives one connection with one stream on a thread, and gives the test an ordinary socket whose bytes are those of
the stream.
"""

import contextlib
import socket
import threading
import time

from aioquic.quic import events
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection

from wire import readable

TICK_SECS = 0.05


class Quic:
    """One connection. `socket` speaks its stream; `ended` is the event that ended it, once it has ended."""

    def __init__(self, port, authority, *, host="localhost", alpn="mqtt", client=None, timeout=5.0, **options):
        options.setdefault("idle_timeout", 60.0)
        configuration = QuicConfiguration(alpn_protocols=[alpn], server_name=host, **options)
        configuration.load_verify_locations(cafile=str(authority))
        if client:
            configuration.load_cert_chain(str(client[0]), str(client[1]))
        self.configuration = configuration
        self.connection = QuicConnection(configuration=configuration)
        self.address = ("127.0.0.1", port)
        self.datagrams = self._bind()
        self.socket, self._inner = socket.socketpair()
        self.socket.settimeout(timeout)
        self.stream, self.ended, self._over = None, None, False
        self._ready, self._lock = threading.Event(), threading.Lock()
        self._muted = False
        self.connection.connect(self.address, time.monotonic())
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(timeout), "no handshake in time"
        if self.ended:
            raise ConnectionError(f"QUIC ended with {self.ended.error_code:#x}: {self.ended.reason_phrase}")

    @staticmethod
    def _bind():
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        datagrams.bind(("127.0.0.1", 0))
        datagrams.setblocking(False)
        return datagrams

    @property
    def peer_name(self):
        """The common name of the certificate that the broker showed."""
        subject = self.connection.tls._peer_certificate.subject
        return subject.rfc4514_string().removeprefix("CN=")

    @property
    def peer_serial(self):
        return self.connection.tls._peer_certificate.serial_number

    def move(self):
        """Goes on from another port, as behind a router that has forgotten the connection."""
        with self._lock:
            self.datagrams.close()
            self.datagrams = self._bind()

    def mute(self):
        """Neither sends nor hears any more, as a device out of reach."""
        self._muted = True

    def close(self):
        """Ends the connection and gives the socket back."""
        with self._lock:
            self.connection.close()
            self._flush()
        self.socket.close()

    def open_stream(self, unidirectional=False):
        """Tries to open another stream with a byte on it."""
        with self._lock:
            stream = self.connection.get_next_available_stream_id(is_unidirectional=unidirectional)
            self.connection.send_stream_data(stream, b"\x10")
            self._flush()
        return stream

    def was_acknowledged(self, stream):
        """Whether the broker has let bytes of a stream through."""
        with self._lock:
            sender = self.connection._streams[stream].sender
            return sender._buffer_start > 0

    def _flush(self):
        for datagram, address in self.connection.datagrams_to_send(time.monotonic()):
            if not self._muted:
                try:
                    self.datagrams.sendto(datagram, address)
                except OSError:
                    # As lost on the way; after the end, the thread has closed the socket.
                    pass

    def _run(self):
        try:
            while not self._over:
                self._turn()
        except OSError:
            pass
        self._ready.set()
        self._inner.close()
        self.datagrams.close()

    def _turn(self):
        with self._lock:
            self._flush()
            datagrams = self.datagrams
            due = self.connection.get_timer()
        wait = TICK_SECS if due is None else min(TICK_SECS, max(0.0, due - time.monotonic()))
        sources = [datagrams] + ([self._inner] if self.stream is not None and not self._closing else [])
        try:
            ready = readable(sources, wait)
        except (OSError, ValueError):
            return
        with self._lock:
            if datagrams in ready and datagrams is self.datagrams:
                self._hear()
            due = self.connection.get_timer()
            if due is not None and due <= time.monotonic():
                self.connection.handle_timer(time.monotonic())
            self._take_events()
            if self._inner in ready:
                self._speak()

    _closing = False

    def _speak(self):
        said = self._inner.recv(65536)
        self._closing = not said
        # What a broker no longer wants to hear is dropped, as TCP does it.
        with contextlib.suppress(RuntimeError):
            self.connection.send_stream_data(self.stream, said, end_stream=self._closing)

    def _hear(self):
        for _ in range(64):
            try:
                datagram, address = self.datagrams.recvfrom(65536)
            except BlockingIOError:
                return
            if not self._muted:
                self.connection.receive_datagram(datagram, address, time.monotonic())

    def _take_events(self):
        while (event := self.connection.next_event()) is not None:
            if isinstance(event, events.HandshakeCompleted):
                self.stream = self.connection.get_next_available_stream_id()
                self._ready.set()
            elif isinstance(event, events.StreamDataReceived):
                self._inner.sendall(event.data)
                if event.end_stream:
                    self._inner.shutdown(socket.SHUT_WR)
            elif isinstance(event, events.ConnectionTerminated):
                self.ended, self._over = event, True
