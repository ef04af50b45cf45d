"""An emulator of the Google Sheets API v4 and of Google's token endpoint, on a free loopback port.

    server.py --folder DIR [--latency-ms N] [--quota READS_PER_MIN]

Prints `listening PORT` once it answers. Ends when its standard input is closed, so that it never outlives the
program that started it. Writes key files of service accounts, in the form of Google's console, to DIR:

    service-account.json     the account that spreadsheets are shared with
    stranger-account.json    an account that no spreadsheet is shared with
    other-account.json       an account whose key was revoked

`/v4/` is the Sheets API, `/token` the token endpoint, `/control/` the tests' own API; README.md describes it.
"""

import argparse
import os
import socket
import sys
import threading
import traceback
import urllib.parse
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

if __package__ in (None, ''):
    # Run by its path: the package is in the folder above. The one of this file would hide modules such as `resource`.
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from sheets.api import Api, Request, json_answer
from sheets.control import Control
from sheets.errors import ApiError

ACCOUNTS = ('service-account', 'main', True), ('stranger-account', 'stranger', True), ('other-account', 'other', False)
LARGEST_BODY = 256 * 1024 * 1024
# Compressing less than this is not worth the time.
SMALLEST_COMPRESSED = 1024
GZIP = 16 + zlib.MAX_WBITS


class Handler(BaseHTTPRequestHandler):
    """One connection. HTTP/1.1, which keeps it open between requests."""

    protocol_version = 'HTTP/1.1'
    disable_nagle_algorithm = True
    wbufsize = -1

    def handle_any(self):
        url = urllib.parse.urlsplit(self.path)
        content = self.body()
        if content is None:
            return
        request = Request(self.command, url.path, url.query, self.headers, content)
        try:
            answer = self.server.answer(request)
        except Exception:
            # A bug of the emulator must not look like a cut connection, which is something that tests ask for.
            text = traceback.format_exc()
            print(text, file=sys.stderr, flush=True)
            self.server.api.violations.append(text)
            answer = json_answer(500, ApiError(500, 'Internal error encountered.').body())
        self.send(answer)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = handle_any

    def body(self):
        """The content of the request, decompressed; None where it was refused."""
        if 'Transfer-Encoding' in self.headers:
            self.close_connection = True
            self.send_error(411)
            return None
        length = int(self.headers.get('Content-Length') or 0)
        if length > LARGEST_BODY:
            self.close_connection = True
            self.send_error(413)
            return None
        content = self.rfile.read(length)
        if self.headers.get('Content-Encoding') == 'gzip':
            try:
                return zlib.decompress(content, GZIP)
            except zlib.error:
                self.send_error(400)
                return None
        return content

    def send(self, answer):
        if answer.status is None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        content = answer.content
        length = sum(map(len, content))
        headers = {'Content-Type': 'application/json; charset=UTF-8', 'Vary': 'Accept-Encoding'} | answer.headers
        if length >= SMALLEST_COMPRESSED and 'gzip' in self.headers.get('Accept-Encoding', ''):
            compressor = zlib.compressobj(1, zlib.DEFLATED, GZIP)
            content = [compressor.compress(piece) for piece in content] + [compressor.flush()]
            length = sum(map(len, content))
            headers['Content-Encoding'] = 'gzip'
        self.send_response(answer.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header('Content-Length', str(length))
        self.end_headers()
        self.wfile.writelines(content)
        self.wfile.flush()

    def log_message(self, *_):
        """Nothing: the control API tells the calls."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        super().__init__(('127.0.0.1', 0), Handler)
        self.api = Api(f'http://127.0.0.1:{self.server_port}')
        self.control = Control(self.api)

    def answer(self, request):
        if request.path.startswith('/control/'):
            return self.control.call(request)
        if request.path == '/token':
            return self.api.token(request)
        return self.api.call(request)

    def handle_error(self, request, client_address):
        """A client that goes away is nothing to report."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument('--folder', required=True)
    arguments.add_argument('--latency-ms', type=int, default=0)
    arguments.add_argument('--quota', type=int, help='reads in a minute')
    given = arguments.parse_args()

    os.makedirs(given.folder, exist_ok=True)
    server = Server()
    server.api.latency = given.latency_ms / 1000
    server.api.quotas.limits['read'] = given.quota
    for file, name, is_known in ACCOUNTS:
        server.api.accounts.make_key_file(os.path.join(given.folder, file + '.json'), name, is_known)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print('listening', server.server_port, flush=True)
    sys.stdin.read()


if __name__ == '__main__':
    main()
