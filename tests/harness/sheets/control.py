"""The control API, with which tests prepare spreadsheets, look at them, and order faults."""

import json
import re
import secrets
import urllib.parse

from . import cells, people
from .a1 import column_name
from .api import json_answer
from .errors import ApiError
from .oauth import address
from .spreadsheet import Spreadsheet


class Control:
    def __init__(self, api):
        self.api = api
        self.routes = [
            ('POST', r'spreadsheets', self.create),
            ('GET', r'spreadsheets/([^/]+)', self.show),
            ('PUT', r'spreadsheets/([^/]+)/sheets/([^/]+)', self.replace_rows),
            ('POST', r'spreadsheets/([^/]+)/edit', self.edit),
            ('GET', r'calls', lambda query, body: api.calls.report()),
            ('DELETE', r'calls', lambda query, body: api.calls.clear()),
            ('GET', r'formulas', self.formulas),
            ('GET', r'violations', lambda query, body: {'violations': api.violations}),
            ('POST', r'faults', self.add_faults),
            ('DELETE', r'faults', lambda query, body: api.faults.clear()),
            ('POST', r'settings', self.settings),
            ('DELETE', r'tokens', lambda query, body: api.accounts.revoke_tokens()),
        ]

    def call(self, request):
        """Answers a request; what a test did wrong is a 400 that says so."""
        query = dict(urllib.parse.parse_qsl(request.query))
        for verb, pattern, method in self.routes:
            match = verb == request.verb and re.fullmatch('/control/' + pattern, request.path)
            if match:
                try:
                    body = json.loads(request.content) if request.content else None
                    result = method(query, body, *map(urllib.parse.unquote, match.groups()))
                    return json_answer(200, result or {})
                except (ApiError, AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
                    return json_answer(400, {'error': f'{type(error).__name__}: {error}'})
        return json_answer(404, {'error': f'there is no {request.verb} {request.path}'})

    def create(self, _, body):
        """Makes a spreadsheet, in place of one with the same id if there is one."""
        spreadsheet_id = body.get('id') or secrets.token_urlsafe(32)
        # The first worksheet of a new spreadsheet has the id 0, as with Google.
        sheets = [people.new_sheet(given, **({} if index else {'sheet_id': 0}))
                  for index, given in enumerate(body.get('sheets') or [{'title': 'Sheet1'}])]
        shared_with = frozenset(body.get('shared_with', [address('main')]))
        spreadsheet = Spreadsheet(spreadsheet_id, body.get('title', 'Untitled spreadsheet'), sheets, shared_with)
        spreadsheet.check_size()
        with self.api.lock:
            self.api.spreadsheets[spreadsheet_id] = spreadsheet
        return {'id': spreadsheet_id}

    def show(self, query, _, spreadsheet_id):
        """The worksheets with their rows as people see them; with `raw=1` also as they were entered."""
        spreadsheet = self.api.spreadsheets[spreadsheet_id]
        return {
            'id': spreadsheet_id, 'title': spreadsheet.title,
            'sheets': [described(sheet, query.get('raw') == '1') for sheet in spreadsheet.sheets],
        }

    def replace_rows(self, _, body, spreadsheet_id, title):
        def work(spreadsheet):
            sheet = spreadsheet.titled(title)
            if sheet is None:
                raise ValueError(f'no such worksheet: {title}')
            people.replace_rows(sheet, body['rows'])

        self.api.change(spreadsheet_id, work)

    def edit(self, _, body, spreadsheet_id):
        self.api.change(spreadsheet_id, lambda spreadsheet: people.edit(spreadsheet, body['edits']))

    def formulas(self, _, body):
        return {'count': sum(spreadsheet.formulas_created for spreadsheet in list(self.api.spreadsheets.values()))}

    def add_faults(self, _, body):
        self.api.faults.add(body)

    def settings(self, _, body):
        known = {'latency_ms', 'reads_per_minute', 'writes_per_minute', 'minute_ms'}
        if set(body) - known:
            raise ValueError(f'the settings are {", ".join(sorted(known))}')
        quotas = self.api.quotas
        self.api.latency = body.get('latency_ms', self.api.latency * 1000) / 1000
        quotas.limits['read'] = body.get('reads_per_minute', quotas.limits['read'])
        quotas.limits['write'] = body.get('writes_per_minute', quotas.limits['write'])
        quotas.minute = body.get('minute_ms', quotas.minute * 1000) / 1000
        quotas.clear()


def described(sheet, raw):
    found = {
        'title': sheet.title, 'id': sheet.sheet_id, 'row_count': sheet.row_count, 'column_count': sheet.column_count,
        'rows': [[cells.shown(cell) for cell in row] for row in sheet.rows],
        'notes': {f'{column_name(column)}{row + 1}': note for (row, column), note in sorted(sheet.notes.texts.items())},
    }
    if raw:
        found['raw'] = [[None if cell is None else cells.entered(cell) for cell in row] for row in sheet.rows]
    return found
