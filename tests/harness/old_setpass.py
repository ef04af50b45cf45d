"""The setpass that sites had before, as its clients and its users saw it.

    old_setpass.py --folder DIR --keystone URL

Prints `listening PORT` once it answers. Ends when its standard input is closed, so that it never outlives the program
that started it. Keeps its records in `DIR/setpass.sqlite`, in clear, as it did.

`PUT /token/USER_ID` takes a JSON body whatever it is called, wants a Keystone token in X-Auth-Token that can be scoped to
the project admin, and answers with a new token as HTML, which is what its framework calls any text. A link works
for 48 hours and for five PINs.

A file `DIR/fault` that holds `KIND N` makes the N-th PUT from now go wrong, and is gone then; `KIND N always` also all
after it. Kinds: `cut-before` and `cut-after` (the connection is closed without an answer, and the user is not, or is,
registered), `silent-after` (registered, and no answer within half a minute), `page` (a page of some proxy), and a status.
`DIR/puts` gets a line for each PUT: the user's id and the status, 0 where there is no answer.
"""

import argparse
import html
import http.server
import json
import os
import sqlite3
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

LIFETIME = 48 * 3600
MAX_ATTEMPTS = 5
FORM = '''<html><body><form method="post">
PIN: <input name="pin"> Password: <input name="password" type="password">
Once more: <input name="confirm_password" type="password"> <input type="submit">
</form></body></html>'''


class NoAnswer(Exception):
    """The connection ends without one."""


class Setpass:
    def __init__(self, folder, keystone):
        self.folder, self.keystone = folder, keystone
        self.lock = threading.Lock()
        self.count = 0
        self.order = None
        with self.database() as database:
            database.execute(
                'CREATE TABLE IF NOT EXISTS user (id TEXT PRIMARY KEY, token TEXT UNIQUE, password TEXT, pin TEXT,'
                ' updated REAL, attempts INTEGER)')

    def database(self):
        return sqlite3.connect(os.path.join(self.folder, 'setpass.sqlite'))

    def identity(self, path, body):
        """The status of a POST to Keystone."""
        request = urllib.request.Request(
            self.keystone + path, json.dumps(body).encode(), {'Content-Type': 'application/json'})
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def fault(self):
        """What is to go wrong with the PUT that came just now."""
        file = os.path.join(self.folder, 'fault')
        with self.lock:
            if os.path.exists(file):
                with open(file) as ordered:
                    kind, nth, *always = ordered.read().split()
                os.remove(file)
                self.count, self.order = 0, (kind, int(nth), bool(always))
            self.count += 1
            if self.order is None:
                return None
            kind, nth, always = self.order
            return kind if self.count == nth or (always and self.count > nth) else None

    def put(self, user, token, body):
        if not token:
            return 401, 'Unauthorized'
        scope = {'project': {'name': 'admin', 'domain': {'id': 'default'}}}
        identity = {'methods': ['token'], 'token': {'id': token}}
        if self.identity('/auth/tokens', {'auth': {'identity': identity, 'scope': scope}}) != 201:
            return 403, 'Forbidden'
        try:
            fields = json.loads(body or '{}')
            password, pin = fields.get('password'), fields.get('pin')
        except (ValueError, AttributeError):
            return 400, 'Bad request'
        new = uuid.uuid4().hex
        with self.lock, self.database() as database:
            known = database.execute('SELECT password, pin FROM user WHERE id = ?', (user,)).fetchone()
            if known is None and not (password and pin):
                return 400, 'Bad request: password and pin are required'
            old_password, old_pin = known or (None, None)
            database.execute(
                'INSERT OR REPLACE INTO user VALUES (?, ?, ?, ?, ?, 0)',
                (user, new, password or old_password, pin or old_pin, time.time()))
        return 200, new

    def choose(self, token, form):
        if not all(form.get(name) for name in ('pin', 'password', 'confirm_password')):
            return 400, 'A field is missing'
        if form['password'] != form['confirm_password']:
            return 400, 'The passwords do not match'
        with self.lock, self.database() as database:
            found = database.execute(
                'SELECT id, password, pin, updated, attempts FROM user WHERE token = ?', (token,)).fetchone()
            if found is None:
                return 404, 'Token not found'
            user, password, pin, updated, attempts = found
            if time.time() > updated + LIFETIME:
                return 403, 'Token expired'
            if attempts >= MAX_ATTEMPTS:
                return 403, 'Too many attempts'
            if form['pin'] != pin:
                database.execute('UPDATE user SET attempts = attempts + 1 WHERE id = ?', (user,))
                return 403, 'Wrong PIN'
            change = {'user': {'password': form['password'], 'original_password': password}}
            status = self.identity('/users/%s/password' % user, change)
            if status != 204:
                return 400, 'Keystone says %d' % status
            database.execute('DELETE FROM user WHERE id = ?', (user,))
        return 200, 'Password set'


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    setpass = None

    def answer(self, status, text):
        body = text.encode()
        self.send_response(status)
        self.send_header('Content-Type', 'text/html; charset=utf-8')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        return self.rfile.read(int(self.headers.get('Content-Length') or 0)).decode('utf-8', 'replace')

    def do_PUT(self):
        path, body = urllib.parse.urlsplit(self.path).path, self.body()
        if not path.startswith('/token/'):
            return self.answer(405, 'Method not allowed')
        user = urllib.parse.unquote(path.removeprefix('/token/'))
        status, text = 0, ''
        try:
            status, text = self.registered(user, body)
        except NoAnswer:
            self.close_connection = True
        with open(os.path.join(self.setpass.folder, 'puts'), 'a') as puts:
            puts.write('%s %d\n' % (user, status))
        if status:
            self.answer(status, text)

    def registered(self, user, body):
        fault = self.setpass.fault()
        if fault == 'cut-before':
            raise NoAnswer
        if fault == 'page':
            return 200, '<html><body>Please sign in to the network</body></html>'
        if fault and fault.isdigit():
            return int(fault), 'wanted by the test'
        answer = self.setpass.put(user, self.headers.get('X-Auth-Token'), body)
        if fault == 'silent-after':
            time.sleep(30)
        if fault in ('cut-after', 'silent-after'):
            raise NoAnswer
        return answer

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        if url.path == '/' and urllib.parse.parse_qs(url.query).get('token'):
            return self.answer(200, FORM)
        return self.answer(404, 'Not found')

    def do_POST(self):
        url, form = urllib.parse.urlsplit(self.path), dict(urllib.parse.parse_qsl(self.body()))
        token = urllib.parse.parse_qs(url.query).get('token', [''])[0]
        if url.path != '/':
            return self.answer(404, 'Not found')
        status, text = self.setpass.choose(token, form)
        return self.answer(status, '<html><body>%s</body></html>' % html.escape(text))

    def log_message(self, *arguments):
        """Addresses hold tokens."""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--folder', required=True)
    parser.add_argument('--keystone', required=True)
    arguments = parser.parse_args()
    Handler.setpass = Setpass(arguments.folder, arguments.keystone)
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print('listening', server.server_address[1], flush=True)
    sys.stdin.read()


if __name__ == '__main__':
    main()
