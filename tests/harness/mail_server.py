"""A real SMTP server on a free loopback port, which keeps what it accepts in a folder.

    mail_server.py --folder DIR [--tls starttls|implicit|none] [--login USER:PASSWORD]
                   [--refuse ADDRESS]... [--fail-first N]

Prints `listening PORT` once it answers. Ends when its standard input is closed, so that it never outlives
the program that started it. Makes an authority and a certificate for 127.0.0.1 and localhost in DIR (`ca.pem`),
and a second authority that has signed nothing (`other-ca.pem`).

Each accepted message N becomes `DIR/N.eml`, as received, and `DIR/N.json`: envelope, TLS version, login and the
decoded subject and bodies. The .json file appears last and complete.

A file `DIR/fault` that holds `PLACE N` makes the N-th thing of that kind from now go wrong, and is gone then. Places:
`greeting` (the connection is closed as soon as it is there), `mail`, `rcpt` and `data` (the answer is 451), and `taken`
(the message is kept, and the connection closed without an answer).
"""

import argparse
import asyncio
import datetime
import email
import email.policy
import ipaddress
import json
import os
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


def signed(subject, issuer, issuer_key, extensions):
    """A key pair and a certificate for it, valid for a week."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.timezone.utc)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.subject if issuer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=7))
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return key, builder.sign(issuer_key or key, hashes.SHA256())


def authority(subject):
    return signed(subject, None, None, [
        (x509.BasicConstraints(ca=True, path_length=0), True),
        (x509.KeyUsage(False, False, False, False, False, True, True, False, False), True),
    ])


def write(path, *parts):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 'wb') as file:
        file.writelines(parts)


def certificates(folder):
    """Writes the certificates, and returns the context to serve with."""
    pem = serialization.Encoding.PEM
    ca_key, ca = authority('Usher test authority')
    key, certificate = signed('localhost', ca, ca_key, [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.SubjectAlternativeName([
            x509.DNSName('localhost'), x509.IPAddress(ipaddress.ip_address('127.0.0.1')),
        ]), False),
        (x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]), False),
    ])
    _, other = authority('Another test authority')
    write(os.path.join(folder, 'ca.pem'), ca.public_bytes(pem))
    write(os.path.join(folder, 'other-ca.pem'), other.public_bytes(pem))
    served = os.path.join(folder, 'server.pem')
    write(served, certificate.public_bytes(pem), key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(served)
    return context


LATER = '451 4.3.0 try again later'


class Closed(asyncio.Protocol):
    """Closes the connection as soon as it is there."""

    def connection_made(self, transport):
        transport.abort()


class Mailbox:
    """Accepts, defers or refuses, and keeps what it accepted."""

    def __init__(self, folder, refuse, fail_first):
        self.folder, self.refuse, self.fail_left = folder, {a.lower() for a in refuse}, fail_first
        self.count = 0

    def fault(self, place):
        """Whether something of this kind is to go wrong now."""
        path = os.path.join(self.folder, 'fault')
        try:
            with open(path) as file:
                wanted, left = file.read().split()
        except FileNotFoundError:
            return False
        if wanted != place:
            return False
        if int(left) > 1:
            write(path + '.part', f'{wanted} {int(left) - 1}'.encode())
            os.rename(path + '.part', path)
            return False
        os.remove(path)
        return True

    async def handle_MAIL(self, server, session, envelope, address, options):
        if self.fault('mail'):
            return LATER
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return '250 OK'

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.lower() in self.refuse:
            return '550 5.1.1 no such mailbox here'
        if self.fault('rcpt'):
            return LATER
        envelope.rcpt_tos.append(address)
        return '250 OK'

    async def handle_DATA(self, server, session, envelope):
        if self.fail_left > 0:
            self.fail_left -= 1
            return LATER
        if self.fault('data'):
            return LATER
        self.count += 1
        tls = server.transport.get_extra_info('ssl_object')
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        text, html = (message.get_body(preferencelist=(kind,)) for kind in ('plain', 'html'))
        record = {
            'from': envelope.mail_from,
            'to': envelope.rcpt_tos,
            'tls': tls.version() if tls else None,
            'login': session.auth_data.decode() if session.authenticated else None,
            'message_id': message['message-id'],
            'subject': message['subject'],
            'header_to': message['to'],
            'header_cc': message['cc'],
            'text': text.get_content() if text else None,
            'html': html.get_content() if html else None,
        }
        path = os.path.join(self.folder, '%05d' % self.count)
        write(path + '.eml', envelope.content)
        write(path + '.part', json.dumps(record).encode())
        os.rename(path + '.part', path + '.json')
        if self.fault('taken'):
            server.transport.abort()
        return '250 2.0.0 kept as %d' % self.count


async def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument('--folder', required=True)
    arguments.add_argument('--tls', choices=['starttls', 'implicit', 'none'], default='starttls')
    arguments.add_argument('--login')
    arguments.add_argument('--refuse', action='append', default=[])
    arguments.add_argument('--fail-first', type=int, default=0)
    given = arguments.parse_args()

    os.makedirs(given.folder, exist_ok=True)
    context = certificates(given.folder)
    options = {'hostname': 'mail.example.org', 'enable_SMTPUTF8': True}
    if given.tls == 'starttls':
        options |= {'tls_context': context, 'require_starttls': True}
    if given.login:
        user, password = (part.encode() for part in given.login.split(':', 1))

        def authenticate(server, session, envelope, mechanism, data):
            if (data.login, data.password) == (user, password):
                return AuthResult(success=True, auth_data=data.login)
            return AuthResult(success=False, handled=False)

        options |= {
            'authenticator': authenticate, 'auth_required': True,
            # The library knows only of STARTTLS; a connection that is TLS from the start needs no more.
            'auth_require_tls': given.tls == 'starttls',
        }
    mailbox = Mailbox(given.folder, given.refuse, given.fail_first)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Closed() if mailbox.fault('greeting') else SMTP(mailbox, loop=loop, **options), host='127.0.0.1', port=0,
        ssl=context if given.tls == 'implicit' else None)
    print('listening', server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


asyncio.run(main())
