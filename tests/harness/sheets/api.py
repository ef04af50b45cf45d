"""Calls of the API and of the token endpoint, from the request to the answer."""

import re
import threading
import time
import urllib.parse
from typing import NamedTuple

from . import answers, batch_update, people, resource, values
from .discovery import Discovery
from .errors import STATUS, ApiError, error_info
from .faults import Calls, Faults, Quotas
from .oauth import Accounts, Refused
from .shapes import described

SPREADSHEETS = 'sheets.spreadsheets'
# The answers of these depend on what the mask wants.
RESOURCES = {
    f'{SPREADSHEETS}.get': resource.get, f'{SPREADSHEETS}.getByDataFilter': resource.get_by_data_filter,
    f'{SPREADSHEETS}.batchUpdate': batch_update.batch_update,
}
VALUES = {f'{SPREADSHEETS}.values.{name}': method for name, method in (values.READING | values.WRITING).items()}


class Request(NamedTuple):
    verb: str
    path: str
    query: str
    headers: object
    content: bytes


class Answer(NamedTuple):
    """The content is in pieces. A status of None closes the connection instead of answering."""

    status: int | None
    content: tuple = ()
    headers: dict = {}


def json_answer(status, value, headers=None):
    return Answer(status, (answers.dumps(value).encode(),), headers or {})


class Api:
    """The state of the service."""

    def __init__(self, base):
        self.discovery = Discovery()
        self.accounts = Accounts(base + '/token', self.discovery.scopes)
        self.spreadsheets = {}
        # Held while a spreadsheet is replaced by its successor.
        self.lock = threading.Lock()
        self.faults, self.calls, self.quotas = Faults(), Calls(), Quotas()
        self.latency = 0.0
        # Answers that did not fit the API's definition.
        self.violations = []

    def call(self, request):
        """Answers a call of the API, with the faults that are due."""
        time.sleep(self.latency)
        try:
            method, quoted = self.discovery.route(request.verb, request.path)
        except ApiError as error:
            self.calls.add(None, error.code, [])
            page = not_found_page(request.path).encode()
            return Answer(error.code, (page,), {'Content-Type': 'text/html; charset=UTF-8'})
        return self.with_faults(method.id, lambda: self.perform(method, quoted, request), api_status)

    def token(self, request):
        """Answers a call of the token endpoint."""
        time.sleep(self.latency)
        return self.with_faults('token', lambda: self.grant_token(request), token_status)

    def with_faults(self, method, perform, status_answer):
        rules = self.faults.next(method)
        by_kind = {rule.kind: rule.given for rule in rules}
        for rule in rules:
            if rule.kind == 'edit':
                self.change(rule.given['spreadsheet'], lambda copy, edits=rule.given['edits']: people.edit(copy, edits))
        if 'cut-before' in by_kind:
            answer = Answer(None)
        elif 'status' in by_kind:
            given = by_kind['status']
            headers = {'Retry-After': str(given['retry_after'])} if 'retry_after' in given else {}
            answer = status_answer(given['status'], headers)
        else:
            answer = perform()
            if 'hang-after' in by_kind:
                time.sleep(by_kind['hang-after'].get('delay_ms', 0) / 1000)
            if 'cut-after' in by_kind:
                answer = Answer(None)
        self.calls.add(method, answer.status, rules)
        return answer

    def grant_token(self, request):
        form = dict(urllib.parse.parse_qsl(request.content.decode('utf-8', 'replace')))
        try:
            if request.verb != 'POST':
                raise Refused('invalid_request', 'Bad Request')
            return json_answer(200, self.accounts.token(form))
        except Refused as refused:
            return json_answer(400, refused.body)

    def perform(self, method, quoted, request):
        """Checks a call in the order of Google's, does it, and writes its answer."""
        try:
            grant = self.accounts.grant(request.headers.get('Authorization'))
            self.quotas.spend(grant.account, 'read' if method.reads else 'write')
            parameters = method.parameters(quoted, request.query)
            mask = method.mask(parameters.get('fields'))
            body = method.parse_body(request.content)
            if not grant.scopes & method.scopes:
                raise ApiError(403, 'Request had insufficient authentication scopes.', [
                    error_info('ACCESS_TOKEN_SCOPE_INSUFFICIENT', method=method.id)])
            result = self.dispatch(method, grant.account, parameters, body, mask)
        except ApiError as error:
            return error_answer(error)
        found = []
        content = tuple(piece.encode() for piece in answers.pieces(result, method.answer, mask, found))
        if found:
            self.violations += [f'{method.id}: {described(*problem)[1]}' for problem in found[:10]]
            return error_answer(ApiError(500, 'The emulator made an answer that the API does not have.'))
        return Answer(200, content)

    def dispatch(self, method, account, parameters, body, mask):
        """Calls what does the work, with a copy of the spreadsheet where it may change it."""
        def work(spreadsheet):
            if method.id in VALUES:
                return VALUES[method.id](spreadsheet, parameters, body)
            return RESOURCES[method.id](spreadsheet, parameters, body, mask)

        if method.id not in VALUES and method.id not in RESOURCES:
            raise ApiError(501, f'The emulator has no {method.id}.')
        if method.reads:
            return work(self.shared(parameters['spreadsheetId'], account))
        with self.lock:
            copy = self.shared(parameters['spreadsheetId'], account).copy()
            result = work(copy)
            self.spreadsheets[copy.spreadsheet_id] = copy
        return result

    def shared(self, spreadsheet_id, account):
        """The spreadsheet with an id, if it is shared with an account."""
        spreadsheet = self.spreadsheets.get(spreadsheet_id)
        if spreadsheet is None:
            raise ApiError(404, 'Requested entity was not found.')
        if account not in spreadsheet.shared_with:
            raise ApiError(403, 'The caller does not have permission')
        return spreadsheet

    def change(self, spreadsheet_id, work):
        """Changes a spreadsheet as a person does."""
        with self.lock:
            copy = self.spreadsheets[spreadsheet_id].copy()
            work(copy)
            self.spreadsheets[spreadsheet_id] = copy


def error_answer(error):
    return json_answer(error.code, error.body(), error.headers)


def api_status(status, headers):
    words = STATUS.get(status, 'UNKNOWN').replace('_', ' ').capitalize()
    return error_answer(ApiError(status, f'{words} (a fault that the test wanted).', headers=headers))


def token_status(status, headers):
    error = 'temporarily_unavailable' if status in (429, 503) else 'server_error' if status >= 500 else 'invalid_grant'
    return json_answer(status, {'error': error, 'error_description': 'A fault that the test wanted.'}, headers)


def not_found_page(path):
    safe = re.sub(r'[^\w/.:%!-]', '', path)
    return ('<!DOCTYPE html><html lang=en><meta charset=utf-8><title>Error 404 (Not Found)!!1</title>'
            f'<p><b>404.</b> That’s an error.<p>The requested URL <code>{safe}</code> was not found on this server.')
