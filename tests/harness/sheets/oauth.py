"""Google's token endpoint for service accounts, and the tokens that it gave."""

import base64
import binascii
import json
import os
import secrets
import time
import urllib.parse
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from .errors import ApiError

PROJECT = 'usher-test'
GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
# Google's own client for Python signs for this endpoint, whatever the token_uri of its key file.
GOOGLES_ENDPOINT = 'https://oauth2.googleapis.com/token'
LIFETIME = 3599
LONGEST_ASSERTION = 3600
SKEW = 60
DEVCONSOLE = 'See https://developers.google.com/identity/sign-in/web/devconsole-project.'
CREDENTIAL = 'Expected OAuth 2 access token, login cookie or other valid authentication credential.'
REALM = 'Bearer realm="https://accounts.google.com/"'


class Refused(Exception):
    """A request for a token that is answered with 400."""

    def __init__(self, error, description):
        super().__init__(description)
        self.body = {'error': error, 'error_description': description}


class Grant(NamedTuple):
    """What a token is good for."""

    account: str
    scopes: frozenset
    expires: float


def address(name):
    return f'{name}@{PROJECT}.iam.gserviceaccount.com'


def write_privately(path, text):
    """Writes a file that only its owner can read, and that is complete once it is there."""
    with open(os.open(path + '.part', os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 'w', encoding='utf-8') as file:
        file.write(text)
    os.rename(path + '.part', path)


class Accounts:
    """The service accounts, their keys and their tokens."""

    def __init__(self, token_uri, known_scopes):
        self.token_uri, self.known_scopes = token_uri, known_scopes
        # Public keys by account and key id. An account without keys is one whose key was revoked.
        self.keys = {}
        self.grants = {}

    def make_key_file(self, path, name, is_known=True):
        """Makes an account with a key of its own, and writes the file that Google's console gives for it."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        key_id, email = secrets.token_hex(20), address(name)
        self.keys[email] = {key_id: key.public_key()} if is_known else {}
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        quoted = urllib.parse.quote(email)
        write_privately(path, json.dumps({
            'type': 'service_account',
            'project_id': PROJECT,
            'private_key_id': key_id,
            'private_key': pem.decode(),
            'client_email': email,
            'client_id': str(10 ** 20 + secrets.randbelow(10 ** 20)),
            'auth_uri': 'https://accounts.google.com/o/oauth2/auth',
            'token_uri': self.token_uri,
            'auth_provider_x509_cert_url': 'https://www.googleapis.com/oauth2/v1/certs',
            'client_x509_cert_url': f'https://www.googleapis.com/robot/v1/metadata/x509/{quoted}',
            'universe_domain': 'googleapis.com',
        }, indent=2) + '\n')

    def token(self, form):
        """The answer to a request for a token."""
        grant_type = form.get('grant_type', '')
        if grant_type != GRANT_TYPE:
            raise Refused('unsupported_grant_type', f'Invalid grant_type: {grant_type}')
        account, scopes = self.verify(form.get('assertion', ''))
        token = 'ya29.c.' + secrets.token_urlsafe(96)
        self.grants[token] = Grant(account, scopes, time.monotonic() + LIFETIME)
        return {'access_token': token, 'expires_in': LIFETIME, 'token_type': 'Bearer'}

    def verify(self, assertion):
        """Account and scopes of a signed assertion. The checks are in the order of Google's."""
        header, claims, signed, signature = decode(assertion)
        account = claims.get('iss')
        if account not in self.keys:
            raise Refused('invalid_grant', 'Invalid grant: account not found')
        keys = self.keys[account]
        # The key's id may be left out, and yup-oauth2 does so: any key of the account will do then.
        tried = [keys.get(header['kid'])] if header.get('kid') else keys.values()
        if header.get('alg') != 'RS256' or not any(is_signed(key, signature, signed) for key in tried):
            raise Refused('invalid_grant', 'Invalid JWT Signature.')
        self.check_times(claims)
        scopes = frozenset(str(claims.get('scope') or '').split())
        if not scopes or not scopes <= self.known_scopes:
            raise Refused('invalid_scope', 'Invalid OAuth scope or ID token audience provided.')
        if claims.get('aud') not in (self.token_uri, GOOGLES_ENDPOINT):
            raise Refused('invalid_grant', 'Invalid JWT: Failed audience check.')
        return account, scopes

    def check_times(self, claims):
        times = []
        for name, meaning in (('iat', 'issued at'), ('exp', 'expiration time')):
            value = str(claims.get(name, ''))
            if not value.isdecimal():
                raise Refused('invalid_grant', f'Invalid JWT: {name} ({meaning}) is not set.')
            times.append(int(value))
        issued, expires = times
        if not issued - SKEW <= time.time() < expires <= issued + LONGEST_ASSERTION:
            raise Refused('invalid_grant', (
                'Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. '
                'Check your iat and exp values in the JWT claim.'))

    def grant(self, authorization):
        """The grant of an Authorization header."""
        kind, _, token = (authorization or '').partition(' ')
        if kind.lower() != 'bearer' or not token:
            raise ApiError(401, f'Request is missing required authentication credential. {CREDENTIAL} {DEVCONSOLE}',
                           headers={'WWW-Authenticate': REALM})
        grant = self.grants.get(token.strip())
        if grant is None or grant.expires < time.monotonic():
            raise ApiError(401, f'Request had invalid authentication credentials. {CREDENTIAL} {DEVCONSOLE}',
                           headers={'WWW-Authenticate': REALM + ', error="invalid_token"'})
        return grant

    def revoke_tokens(self):
        self.grants.clear()


def decode(assertion):
    """Header, claims, signed text and signature of a JWT."""
    try:
        header, claims, signature = (
            base64.urlsafe_b64decode(part + '=' * (-len(part) % 4)) for part in assertion.split('.'))
        header, claims = json.loads(header), json.loads(claims)
        if not isinstance(header, dict) or not isinstance(claims, dict):
            raise ValueError
    except (ValueError, binascii.Error) as error:
        raise Refused('invalid_request', 'Bad Request') from error
    return header, claims, assertion.rpartition('.')[0].encode(), signature


def is_signed(key, signature, signed):
    if key is None:
        return False
    try:
        key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True
