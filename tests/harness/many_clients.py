"""Opens many connections to a server, asks for a page once in each, and keeps them until standard input ends.

many_clients.py HOST PORT COUNT PATH [--tls]
"""

import resource
import socket
import ssl
import sys


def main():
    host, port, count, path = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, count + 64) if hard > 0 else count + 64, hard))
    context = None
    if "--tls" in sys.argv:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    clients = []
    for _ in range(count):
        client = socket.create_connection((host, port), timeout=60)
        if context:
            client = context.wrap_socket(client, server_hostname=host)
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: text/html\r\n\r\n".encode())
        answer = client.recv(65536)
        if not answer.startswith(b"HTTP/1.1 200"):
            sys.exit(f"client {len(clients)} was answered {answer[:80]!r}")
        clients.append(client)
    print("open", flush=True)
    sys.stdin.read()


main()
