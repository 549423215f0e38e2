"""Chromium without a window, and the web server that gives it one page and takes what the page has to say."""

import base64
import hashlib
import http.server
import json
import pathlib
import queue
import shutil
import ssl
import subprocess
import threading

from cryptography import x509
from cryptography.hazmat.primitives import serialization


def pin(certificate):
    """The hash of a certificate's public key, as Chromium takes it in place of a chain that it knows."""
    key = x509.load_pem_x509_certificate(pathlib.Path(certificate).read_bytes()).public_key()
    spki = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(spki).digest()).decode()


class Site:
    """An HTTPS server on this machine. `files` maps paths to (content type, bytes); what pages POST comes into `said`."""

    def __init__(self, certificate, key):
        self.files, self.said, self.certificate = {}, queue.Queue(), certificate
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                kind, body = site.files.get(self.path.partition("?")[0], ("text/plain", None))
                self.send_response(404 if body is None else 200)
                self.send_header("Content-Type", kind)
                self.end_headers()
                self.wfile.write(body or b"")

            def do_POST(self):
                length = int(self.headers["Content-Length"])
                site.said.put(json.loads(self.rfile.read(length)))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.origin = f"https://localhost:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Chromium:
    """A running browser with one page open; its profile lives in `directory`."""

    def __init__(self, directory, url, *certificates):
        self.log = pathlib.Path(directory) / "chromium.log"
        pins = ",".join(pin(certificate) for certificate in certificates)
        binary = shutil.which("chromium") or "chromium"
        command = [binary, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        command += ["--disable-background-networking", "--disable-component-update", "--enable-logging=stderr"]
        command += [f"--user-data-dir={directory}/profile", f"--ignore-certificate-errors-spki-list={pins}", url]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
