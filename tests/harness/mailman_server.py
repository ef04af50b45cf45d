"""A real Mailman 3 with its REST API on a loopback port, a free one unless it is told which.

    mailman_server.py --folder DIR [--port PORT]

Makes the domain `lists.example.org` and the list `users@lists.example.org`, and keeps everything below DIR, also
for the next start. Prints `listening PORT` once it answers; `DIR/api.json` has `url`, `user`, `password` and, for
whoever asks by hand, the `authorization` header. Ends when its standard input is closed, so that it never outlives
the program that started it.

It runs no more of Mailman than the API needs: members are stored, and nothing is posted or mailed.

Belongs to a virtual environment that has Mailman (mailman_requirements.txt).
"""

import argparse
import base64
import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import urllib.parse

DOMAIN = 'lists.example.org'
LIST = 'users@' + DOMAIN
USER = 'restadmin'
# Where the commands of this virtual environment are.
COMMANDS = os.path.dirname(sys.executable)

SETTINGS = '''\
[mailman]
site_owner: postmaster@example.org
layout: usher

[paths.usher]
var_dir: {folder}/var

[webservice]
hostname: 127.0.0.1
port: {port}
admin_user: {user}
admin_pass: {password}
workers: 1
configuration: {folder}/gunicorn.cfg

[mta]
incoming: mailman.mta.null.NullMTA
'''

# The socket is handed over open, so that nobody can take its port in between. The control socket of gunicorn
# would lie in the home folder, where all servers of a user share it.
GUNICORN = '''\
[gunicorn]
bind: fd://{socket}
control_socket_disable: true
graceful_timeout: 1
timeout: 60
'''


def write(path, text):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 'w') as file:
        file.write(text)


def start(folder, listener):
    """Starts the runner that serves the API. It ends with this program, even where this one is killed."""
    # In a group of its own, so that Ctrl-C leaves it to this program to stop it.
    return subprocess.Popen(
        ['setpriv', '--pdeathsig', 'TERM', os.path.join(COMMANDS, 'runner'), '--runner', 'rest',
         '--config', os.path.join(folder, 'mailman.cfg')],
        stdin=subprocess.DEVNULL, stdout=sys.stderr, cwd=folder,
        pass_fds=[listener.fileno()], process_group=0)


def stop(process):
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def password(folder):
    """The password of the API, which stays the same from start to start."""
    try:
        with open(os.path.join(folder, 'api.json')) as file:
            return json.load(file)['password']
    except FileNotFoundError:
        return secrets.token_urlsafe()


def ask(api, method, path, **fields):
    """The status and the body of an answer of the API."""
    url = urllib.parse.urlsplit(api['url'])
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
    connection.request(method, f'{url.path}/{path}', urllib.parse.urlencode(fields), {
        'Authorization': api['authorization'], 'Content-Type': 'application/x-www-form-urlencoded'})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def make_list(api):
    """Makes the list, where the folder does not have it from an earlier start."""
    # The first question waits in the open socket until the API has started.
    if ask(api, 'GET', 'lists/' + LIST)[0] == 200:
        return
    for path, fields in (('domains', {'mail_host': DOMAIN}), ('lists', {'fqdn_listname': LIST})):
        status, body = ask(api, 'POST', path, **fields)
        if status != 201:
            sys.exit(f'cannot make {fields}: {status} {body}')


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument('--folder', required=True)
    arguments.add_argument('--port', type=int, default=0)
    given = arguments.parse_args()

    folder = os.path.abspath(given.folder)
    os.makedirs(folder, exist_ok=True)
    listener = socket.create_server(('127.0.0.1', given.port))
    port = listener.getsockname()[1]
    secret = password(folder)
    login = base64.b64encode(f'{USER}:{secret}'.encode()).decode()
    api = {'url': f'http://127.0.0.1:{port}/3.1', 'user': USER, 'password': secret,
           'authorization': 'Basic ' + login}
    write(os.path.join(folder, 'api.json'), json.dumps(api))
    write(os.path.join(folder, 'mailman.cfg'), SETTINGS.format(
        folder=folder, port=port, user=USER, password=secret))
    write(os.path.join(folder, 'gunicorn.cfg'), GUNICORN.format(socket=listener.fileno()))

    # A request to end takes the same way out as the end of the input.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    running = start(folder, listener)
    try:
        # So that a connection fails, rather than waits, should the API be gone.
        listener.close()
        make_list(api)
        print('listening', port, flush=True)
        sys.stdin.read()
    finally:
        stop(running)


main()
