"""Drives the emulator with Google's own client for Python, with gspread and with plain HTTP.

    python -m unittest discover
"""

import base64
import gzip
import http.client
import json
import os
import stat
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse

import google.auth.exceptions
import google.auth.transport.requests
import gspread
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from google.oauth2 import service_account
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

from sheets import answers
from sheets.discovery import Discovery
from sheets.shapes import described

HERE = os.path.dirname(os.path.abspath(__file__))
SCOPE = 'https://www.googleapis.com/auth/spreadsheets'
READ_ONLY = SCOPE + '.readonly'
JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
GOOGLE = 'https://sheets.googleapis.com'


class LoopbackHttpClient(gspread.HTTPClient):
    """gspread has the address of Google in its constants, so that it is replaced where requests are made."""

    base = None

    def request(self, method, endpoint, *args, **kwargs):
        return super().request(method, endpoint.replace(GOOGLE, self.base), *args, **kwargs)


class ServerTest(unittest.TestCase):
    """A server for the tests of a class. Every test has a spreadsheet of its own, and no faults of others."""

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.directory.cleanup)
        cls.process = subprocess.Popen(
            [sys.executable, '-m', 'sheets.server', '--folder', cls.directory.name],
            cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        cls.addClassCleanup(cls.stop)
        cls.port = int(cls.process.stdout.readline().removeprefix('listening '))
        cls.base = f'http://127.0.0.1:{cls.port}'
        cls.service = cls.build()
        cls.addClassCleanup(cls.service.close)
        cls.values = cls.service.spreadsheets().values()

    @classmethod
    def stop(cls):
        cls.process.stdin.close()
        cls.process.wait(5)
        cls.process.stdout.close()

    def setUp(self):
        self.control('DELETE', 'faults')
        self.control('POST', 'settings', {
            'latency_ms': 0, 'reads_per_minute': None, 'writes_per_minute': None, 'minute_ms': 60000})
        self.control('DELETE', 'calls')
        self.id = self.create([['name', 'state'], ['ann', 'new'], ['bob', 'new']])
        self.formulas_before = self.control('GET', 'formulas')['count']

    def tearDown(self):
        self.assertEqual(self.control('GET', 'violations'), {'violations': []})

    # Ways to the server.

    def http(self, verb, path, body=None, headers=None):
        """Status, headers and content of a plain request."""
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=20)
        try:
            connection.request(verb, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def control(self, verb, path, body=None):
        status, _, content = self.http(verb, '/control/' + path, None if body is None else json.dumps(body))
        self.assertEqual(status, 200, content)
        return json.loads(content)

    def create(self, rows, **more):
        return self.control('POST', 'spreadsheets', {'sheets': [{'title': 'People', 'rows': rows} | more]})['id']

    def sheet(self, index=0, raw=False):
        return self.control('GET', f'spreadsheets/{self.id}' + ('?raw=1' if raw else ''))['sheets'][index]

    def rows(self):
        return self.sheet()['rows']

    def edit(self, *edits):
        self.control('POST', f'spreadsheets/{self.id}/edit', {'edits': edits})

    def fault(self, **rule):
        self.control('POST', 'faults', [rule])

    def formulas(self):
        return self.control('GET', 'formulas')['count'] - self.formulas_before

    @classmethod
    def key_file(cls, name='service'):
        return os.path.join(cls.directory.name, f'{name}-account.json')

    def key(self, name='service'):
        with open(self.key_file(name), encoding='utf-8') as file:
            return json.load(file)

    @classmethod
    def credentials(cls, name='service', scope=SCOPE):
        return service_account.Credentials.from_service_account_file(cls.key_file(name), scopes=[scope])

    @classmethod
    def build(cls, name='service', scope=SCOPE):
        """Google's client for an account. The definition of the API comes with the client, not from the network."""
        return build('sheets', 'v4', credentials=cls.credentials(name, scope), static_discovery=True,
                     client_options={'api_endpoint': cls.base})

    def other_build(self, *args, **kwargs):
        service = self.build(*args, **kwargs)
        self.addCleanup(service.close)
        return service

    def bearer(self):
        credentials = self.credentials()
        credentials.refresh(google.auth.transport.requests.Request())
        return {'Authorization': 'Bearer ' + credentials.token}

    def gspread(self):
        client_type = type('Client', (LoopbackHttpClient,), {'base': self.base})
        return gspread.Client(auth=self.credentials(), http_client=client_type)

    # Shorthands for calls.

    def get(self, range_='People', **options):
        return self.values.get(spreadsheetId=self.id, range=range_, **options).execute()

    def update(self, range_, rows, option='RAW', **more):
        return self.values.update(
            spreadsheetId=self.id, range=range_, valueInputOption=option, body={'values': rows}, **more).execute()

    def append(self, rows, range_='People', option='RAW', **more):
        return self.values.append(
            spreadsheetId=self.id, range=range_, valueInputOption=option, body={'values': rows}, **more).execute()

    def batch(self, *requests, **more):
        return self.service.spreadsheets().batchUpdate(
            spreadsheetId=self.id, body={'requests': requests} | more).execute()

    def resource(self, **options):
        return self.service.spreadsheets().get(spreadsheetId=self.id, **options).execute()

    def refused(self, status, message, call, *args, **kwargs):
        """Asserts that a call is answered with an error, and returns the error."""
        with self.assertRaises(HttpError) as caught:
            call(*args, **kwargs)
        error = json.loads(caught.exception.content)['error']
        self.assertEqual((caught.exception.resp.status, error['code']), (status, status), error)
        self.assertIn(message, error['message'])
        return error


class Start(ServerTest):
    def test_key_files_have_the_form_of_googles(self):
        for name in 'service', 'stranger', 'other':
            key = self.key(name)
            self.assertEqual(key['type'], 'service_account')
            self.assertEqual(key['token_uri'], self.base + '/token')
            self.assertTrue(key['private_key'].startswith('-----BEGIN PRIVATE KEY-----\n'))
            self.assertEqual(stat.S_IMODE(os.stat(self.key_file(name)).st_mode), 0o600)

    def test_runs_by_its_path_with_options_and_ends_with_its_input(self):
        with tempfile.TemporaryDirectory() as folder:
            process = subprocess.Popen(
                [sys.executable, os.path.join(HERE, 'sheets', 'server.py'), '--folder', folder,
                 '--latency-ms', '1', '--quota', '5'],
                cwd='/', stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self.assertRegex(process.stdout.readline(), r'^listening \d+$')
            process.communicate(timeout=5)
            self.assertEqual(process.returncode, 0)


class Tokens(ServerTest):
    def token(self, change=None, header=None, key='service', **form):
        """Status and answer for an assertion whose claims were changed."""
        account, now = self.key(key), int(time.time())
        header = {'alg': 'RS256', 'typ': 'JWT', 'kid': account['private_key_id']} | (header or {})
        claims = {
            'iss': account['client_email'], 'scope': SCOPE, 'aud': account['token_uri'], 'iat': now, 'exp': now + 3600}
        claims |= change or {}
        claims = {name: value for name, value in claims.items() if value is not None}
        signed = '.'.join(
            base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip('=') for part in (header, claims))
        private = serialization.load_pem_private_key(account['private_key'].encode(), None)
        signature = private.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        assertion = signed + '.' + base64.urlsafe_b64encode(signature).decode().rstrip('=')
        form = {'grant_type': JWT_BEARER, 'assertion': assertion} | form
        status, _, content = self.http('POST', '/token', urllib.parse.urlencode(form))
        return status, json.loads(content)

    def assert_refused(self, error, description, *args, **kwargs):
        status, answer = self.token(*args, **kwargs)
        self.assertEqual((status, answer['error']), (400, error))
        self.assertIn(description, answer['error_description'])

    def test_a_good_assertion(self):
        status, answer = self.token()
        self.assertEqual(status, 200)
        self.assertEqual((answer['expires_in'], answer['token_type']), (3599, 'Bearer'))

    def test_two_scopes(self):
        self.assertEqual(self.token({'scope': f'{SCOPE} {READ_ONLY}'})[0], 200)

    def test_wrong_key(self):
        self.assert_refused('invalid_grant', 'Invalid JWT Signature.', key='other')

    def test_key_of_another_account(self):
        email = self.key('service')['client_email']
        self.assert_refused('invalid_grant', 'Invalid JWT Signature.', {'iss': email}, key='stranger')

    def test_other_algorithms(self):
        for algorithm in 'none', 'HS256', 'RS512', None:
            self.assert_refused('invalid_grant', 'Invalid JWT Signature.', header={'alg': algorithm})

    def test_unknown_account(self):
        self.assert_refused('invalid_grant', 'account not found', {'iss': 'nobody@example.org'})

    def test_times(self):
        now = int(time.time())
        for iat, exp in (now - 7200, now - 3600), (now, now + 3601), (now + 600, now + 1200):
            self.assert_refused('invalid_grant', 'short-lived token (60 minutes)', {'iat': iat, 'exp': exp})
        self.assert_refused('invalid_grant', 'exp (expiration time) is not set', {'exp': None})

    def test_wrong_audience(self):
        self.assert_refused('invalid_grant', 'Failed audience check', {'aud': self.base})

    def test_scopes(self):
        for scope in None, '', 'spreadsheets', SCOPE + ' https://www.googleapis.com/auth/nothing':
            self.assert_refused('invalid_scope', 'Invalid OAuth scope', {'scope': scope})

    def test_other_grants_and_rubbish(self):
        self.assert_refused('unsupported_grant_type', 'password', grant_type='password')
        self.assert_refused('invalid_request', 'Bad Request', assertion='a.b')
        self.assert_refused('invalid_request', 'Bad Request', assertion='')

    def test_googles_client_reports_a_wrong_key(self):
        with self.assertRaisesRegex(google.auth.exceptions.RefreshError, 'Invalid JWT Signature'):
            self.other_build('other').spreadsheets().get(spreadsheetId=self.id).execute()


class Permissions(ServerTest):
    def test_no_token_and_a_bad_one(self):
        for headers, message, challenge in (
                ({}, 'missing required', 'realm'), ({'Authorization': 'Bearer x'}, 'had invalid', 'invalid_token')):
            status, answered, content = self.http('GET', f'/v4/spreadsheets/{self.id}', headers=headers)
            error = json.loads(content)['error']
            self.assertEqual((status, error['status']), (401, 'UNAUTHENTICATED'))
            self.assertIn(message, error['message'])
            self.assertIn(challenge, answered['WWW-Authenticate'])

    def test_revoked_tokens_are_renewed(self):
        self.get()
        self.control('DELETE', 'calls')
        self.control('DELETE', 'tokens')
        self.get()
        self.assertEqual(self.control('GET', 'calls')['counts'], {'token': 1, 'sheets.spreadsheets.values.get': 2})

    def test_read_only_scope(self):
        values = self.other_build(scope=READ_ONLY).spreadsheets().values()
        values.get(spreadsheetId=self.id, range='People').execute()
        error = self.refused(403, 'insufficient authentication scopes', values.clear(
            spreadsheetId=self.id, range='People').execute)
        self.assertEqual(error['details'][0]['reason'], 'ACCESS_TOKEN_SCOPE_INSUFFICIENT')
        self.assertEqual(error['status'], 'PERMISSION_DENIED')

    def test_not_shared(self):
        call = self.other_build('stranger').spreadsheets().get(spreadsheetId=self.id)
        self.assertEqual(self.refused(403, 'The caller does not have permission', call.execute)['status'],
                         'PERMISSION_DENIED')

    def test_shared_with_others(self):
        email = self.key('stranger')['client_email']
        self.id = self.control('POST', 'spreadsheets', {'shared_with': [email]})['id']
        self.other_build('stranger').spreadsheets().get(spreadsheetId=self.id).execute()
        self.refused(403, 'permission', self.resource)

    def test_unknown_spreadsheet(self):
        self.id = 'nothing'
        self.assertEqual(self.refused(404, 'Requested entity was not found.', self.resource)['status'], 'NOT_FOUND')

    def test_quotas(self):
        self.control('POST', 'settings', {'reads_per_minute': 2, 'writes_per_minute': 1, 'minute_ms': 600})
        self.get()
        self.get()
        error = self.refused(429, "Quota exceeded for quota metric 'Read requests' and limit 'Read requests per minute "
                                  "per user' of service 'sheets.googleapis.com'", self.get)
        self.assertEqual(error['status'], 'RESOURCE_EXHAUSTED')
        self.assertEqual(error['details'][0]['reason'], 'RATE_LIMIT_EXCEEDED')
        self.append([['x']])
        self.refused(429, 'Write requests', self.append, [['x']])
        time.sleep(0.7)
        self.get()


class Reading(ServerTest):
    def test_values(self):
        self.assertEqual(self.get(), {
            'range': 'People!A1:Z1000', 'majorDimension': 'ROWS',
            'values': [['name', 'state'], ['ann', 'new'], ['bob', 'new']]})

    def test_blank_cells_and_rows(self):
        self.id = self.create([['a', '', 'c', ''], [], ['', 'x'], ['', '']])
        self.assertEqual(self.get()['values'], [['a', '', 'c'], [], ['', 'x']])
        self.assertEqual(self.get('People!A2:A9'), {'range': 'People!A2:A9', 'majorDimension': 'ROWS'})
        self.assertEqual(self.get('People!A1:B2')['values'], [['a']])

    def test_columns(self):
        self.id = self.create([['a', 'b'], ['c'], ['d']])
        self.assertEqual(self.get(majorDimension='COLUMNS')['values'], [['a', 'c', 'd'], ['b']])

    def test_ranges(self):
        for text, named, values in (
                ('A2', 'People!A2', [['ann']]),
                ('people!B2:A1', 'People!A1:B2', [['name', 'state'], ['ann', 'new']]),
                ("'People'!A:A", 'People!A1:A1000', [['name'], ['ann'], ['bob']]),
                ('People!2:2', 'People!A2:Z2', [['ann', 'new']]),
                ('People!B2:B', 'People!B2:B1000', [['new'], ['new']]),
                ('People!A3:AZ5000', 'People!A3:Z1000', [['bob', 'new']])):
            answer = self.get(text)
            self.assertEqual((answer['range'], answer['values']), (named, values))

    def test_quoted_titles(self):
        title = "It's 50% a/b & ü!"
        self.batch({'addSheet': {'properties': {'title': title}}})
        self.update("'It''s 50% a/b & ü!'!A1:C", [['x']])
        answer = self.get("'It''s 50% a/b & ü!'")
        self.assertEqual(answer['values'], [['x']])
        self.assertEqual(answer['range'], "'It''s 50% a/b & ü!'!A1:Z1000")

    def test_bad_ranges(self):
        for text in 'Nobody', 'Nobody!A1', 'People!A0', 'People!', "'People'x!A1":
            self.assertEqual(
                self.refused(400, f'Unable to parse range: {text}', self.get, text)['status'], 'INVALID_ARGUMENT')
        self.refused(400, 'Range (People!A1001:A1002) exceeds grid limits. Max rows: 1000, max columns: 26',
                     self.get, 'People!A1001:A1002')

    def test_batch_get(self):
        answer = self.values.batchGet(spreadsheetId=self.id, ranges=['A1', 'People!B2:B3']).execute()
        self.assertEqual([found['values'] for found in answer['valueRanges']], [[['name']], [['new'], ['new']]])

    def test_render_options(self):
        self.id = self.create([['1', {'numberValue': 2.0}, {'numberValue': 0.1}, {'boolValue': True},
                                {'formulaValue': '=A1'}]])
        for option, values in (
                ('FORMATTED_VALUE', ['1', '2', '0.1', 'TRUE', '#NAME?']),
                ('UNFORMATTED_VALUE', ['1', 2, 0.1, True, '#NAME?']),
                ('FORMULA', ['1', 2, 0.1, True, '=A1'])):
            self.assertEqual(self.get(valueRenderOption=option)['values'], [values])

    def test_resource(self):
        self.assertEqual(self.resource(), {
            'spreadsheetId': self.id,
            'properties': {
                'title': 'Untitled spreadsheet', 'locale': 'en_US', 'autoRecalc': 'ON_CHANGE', 'timeZone': 'Etc/GMT'},
            'sheets': [{'properties': {
                'sheetId': 0, 'title': 'People', 'index': 0, 'sheetType': 'GRID',
                'gridProperties': {'rowCount': 1000, 'columnCount': 26}}}],
            'spreadsheetUrl': f'https://docs.google.com/spreadsheets/d/{self.id}/edit',
        })

    def test_masks(self):
        self.assertEqual(self.resource(fields='sheets.properties.title'),
                         {'sheets': [{'properties': {'title': 'People'}}]})
        self.assertEqual(self.get(fields='values'), {'values': [['name', 'state'], ['ann', 'new'], ['bob', 'new']]})
        self.assertEqual(self.resource(fields='*')['spreadsheetId'], self.id)
        mask = ('sheets(properties(sheetId,gridProperties/rowCount),'
                'data.rowData.values(userEnteredValue,formattedValue))')
        answer = self.resource(fields=mask, ranges=['People!A2:B2'])
        cells = [{'userEnteredValue': {'stringValue': text}, 'formattedValue': text} for text in ('ann', 'new')]
        self.assertEqual(answer, {'sheets': [{
            'properties': {'sheetId': 0, 'gridProperties': {'rowCount': 1000}},
            'data': [{'rowData': [{'values': cells}]}]}]})

    def test_masks_that_lead_nowhere(self):
        for mask in (
                'sheets.names', 'sheets(properties', 'sheets)', 'sheets,', '', 'spreadsheetId.x', 'sheets, properties'):
            error = self.refused(400, 'Request contains an invalid argument.', self.resource, fields=mask)
            violation, = error['details'][0]['fieldViolations']
            self.assertIn('Cannot find matching fields for path', violation['description'])

    def test_grid_data(self):
        self.id = self.create(
            [['a', '', {'formulaValue': '=B1'}], [], [{'numberValue': 1}]], row_count=4, column_count=3)
        data = self.resource(includeGridData=True)['sheets'][0]['data'][0]
        text, formula, number = {'stringValue': 'a'}, {'formulaValue': '=B1'}, {'numberValue': 1}
        self.assertEqual(data['rowData'], [
            {'values': [
                {'userEnteredValue': text, 'effectiveValue': text, 'formattedValue': 'a'}, {},
                {'userEnteredValue': formula, 'effectiveValue': {'errorValue': {'type': 'NAME'}},
                 'formattedValue': '#NAME?'}]},
            {},
            {'values': [{'userEnteredValue': number, 'effectiveValue': number, 'formattedValue': '1'}]}])
        self.assertEqual((len(data['rowMetadata']), len(data['columnMetadata'])), (4, 3))

    def test_data_filters(self):
        call = self.service.spreadsheets().getByDataFilter(spreadsheetId=self.id, body={
            'includeGridData': True,
            'dataFilters': [{'a1Range': 'People!A2'}, {'gridRange': {'startRowIndex': 2, 'endColumnIndex': 1}}]})
        first, second = call.execute()['sheets'][0]['data']
        self.assertEqual(first['rowData'][0]['values'][0]['formattedValue'], 'ann')
        self.assertEqual(second['startRow'], 2)
        self.assertEqual(second['rowData'][0]['values'][0]['formattedValue'], 'bob')

    def test_ten_thousand_rows(self):
        rows = [[str(row), 'x' * 20, ''] for row in range(10_000)]
        self.id = self.create(rows)
        self.assertEqual(self.get()['values'], [row[:2] for row in rows])
        self.assertEqual(self.append([['last']])['updates']['updatedRange'], 'People!A10001')
        self.assertEqual(self.sheet()['row_count'], 10_001)


class Writing(ServerTest):
    def test_append(self):
        self.assertEqual(self.append([['eve', 'new']]), {
            'spreadsheetId': self.id, 'tableRange': 'People!A1:B3',
            'updates': {'spreadsheetId': self.id, 'updatedRange': 'People!A4:B4', 'updatedRows': 1,
                        'updatedColumns': 2, 'updatedCells': 2}})
        self.assertEqual(self.rows()[3:], [['eve', 'new']])

    def test_append_to_nothing_and_to_a_full_grid(self):
        self.id = self.create([], row_count=1, column_count=1)
        self.assertNotIn('tableRange', self.append([['a', 'b'], ['c', 'd']]))
        self.assertEqual((self.sheet()['row_count'], self.sheet()['column_count']), (2, 2))
        self.append([['e']])
        self.assertEqual(self.rows(), [['a', 'b'], ['c', 'd'], ['e']])

    def test_append_finds_the_last_table(self):
        self.id = self.create([['a'], ['b'], [], ['', '', 'x', 'y'], ['', '', 'z']])
        answer = self.append([['new']])
        self.assertEqual((answer['tableRange'], answer['updates']['updatedRange']), ('People!C4:D5', 'People!C6'))
        answer = self.append([['new']], 'People!A1')
        self.assertEqual((answer['tableRange'], answer['updates']['updatedRange']), ('People!A1:A2', 'People!A3'))

    def test_append_inserts_or_overwrites(self):
        self.id = self.create([['a'], [], ['total']])
        self.append([['b'], ['c']], 'People!A1', insertDataOption='INSERT_ROWS')
        self.assertEqual(self.rows(), [['a'], ['b'], ['c'], [], ['total']])
        self.append([['d'], ['e']], 'People!A1', insertDataOption='OVERWRITE')
        self.assertEqual(self.rows(), [['a'], ['b'], ['c'], ['d'], ['e']])

    def test_raw_never_interprets(self):
        self.update('A2', [['=1+1', '12', 'TRUE', "'x", 3, False]])
        self.assertEqual(self.sheet(raw=True)['raw'][1], [
            {'stringValue': '=1+1'}, {'stringValue': '12'}, {'stringValue': 'TRUE'}, {'stringValue': "'x"},
            {'numberValue': 3}, {'boolValue': False}])
        self.assertEqual(self.formulas(), 0)

    def test_user_entered_is_parsed(self):
        self.update('A2', [['=1+1', '012', 'true', "'=x", '1,234.50', '-.5e1', '1e999', '']], 'USER_ENTERED')
        self.assertEqual(self.sheet(raw=True)['raw'][1], [
            {'formulaValue': '=1+1'}, {'numberValue': 12}, {'boolValue': True}, {'stringValue': '=x'},
            {'numberValue': 1234.5}, {'numberValue': -5}, {'stringValue': '1e999'}])
        self.assertEqual(self.rows()[1][0], '#NAME?')

    def test_formulas_are_counted(self):
        self.update('A5', [['=A1']], 'USER_ENTERED')
        self.append([['=A1', '=A2']], option='USER_ENTERED')
        self.batch({'appendCells': {'sheetId': 0, 'fields': '*', 'rows': [
            {'values': [{'userEnteredValue': {'formulaValue': '=A3'}}]}]}})
        self.edit({'kind': 'set-cell', 'sheet': 'People', 'cell': 'A9', 'value': {'formulaValue': '=A4'}})
        self.assertEqual(self.formulas(), 4)

    def test_update(self):
        self.assertEqual(self.update('People!B2:B3', [['done'], [None]]), {
            'spreadsheetId': self.id, 'updatedRange': 'People!B2:B3', 'updatedRows': 1, 'updatedColumns': 1,
            'updatedCells': 1})
        self.assertEqual(self.rows(), [['name', 'state'], ['ann', 'done'], ['bob', 'new']])
        self.update('People!A3:B3', [['', '']])
        self.assertEqual(self.rows(), [['name', 'state'], ['ann', 'done']])

    def test_update_by_columns_with_the_values_in_the_answer(self):
        answer = self.values.update(
            spreadsheetId=self.id, range='People!A2:B3', valueInputOption='RAW', includeValuesInResponse=True,
            responseValueRenderOption='UNFORMATTED_VALUE',
            body={'majorDimension': 'COLUMNS', 'values': [['x', 'y'], [1]]}).execute()
        self.assertEqual(answer['updatedData']['values'], [['x', 1], ['y', 'new']])

    def test_update_outside_of_its_range_or_of_the_grid(self):
        self.refused(400, 'Requested writing within range [People!A1:B2], but tried writing to row [3]',
                     self.update, 'People!A1:B2', [['x'], ['y'], ['z']])
        self.refused(400, 'Requested writing within range [People!A1:B2], but tried writing to column [C]',
                     self.update, 'People!A1:B2', [['x', 'y', 'z']])
        self.refused(400, 'Range (People!A1001) exceeds grid limits. Max rows: 1000, max columns: 26',
                     self.update, 'People!A1001', [['x']])
        self.refused(400, 'Range (People!A1:AA1) exceeds grid limits.', self.update, 'People!A1:AA1', [['x']])
        self.assertEqual(len(self.rows()), 3)

    def test_a_value_option_is_required(self):
        call = self.values.update(spreadsheetId=self.id, range='A1', body={'values': [['x']]})
        self.refused(400, "'valueInputOption' is required but not specified", call.execute)

    def test_limits(self):
        self.update('A1', [['x' * 50_000]])
        self.refused(400, 'more than the maximum of 50000 characters in a single cell', self.update, 'A1',
                     [['x' * 50_001]])
        self.refused(400, 'above the limit of 10000000 cells', self.batch, {'addSheet': {'properties': {
            'title': 'Big', 'gridProperties': {'rowCount': 10_000_000, 'columnCount': 1}}}})

    def test_clear(self):
        answer = self.values.clear(spreadsheetId=self.id, range='People!A2:A').execute()
        self.assertEqual(answer, {'spreadsheetId': self.id, 'clearedRange': 'People!A2:A1000'})
        self.assertEqual(self.rows(), [['name', 'state'], ['', 'new'], ['', 'new']])

    def test_batch_clear(self):
        answer = self.values.batchClear(spreadsheetId=self.id, body={'ranges': ['A1', 'People!3:3']}).execute()
        self.assertEqual(answer['clearedRanges'], ['People!A1', 'People!A3:Z3'])
        self.assertEqual(self.rows(), [['', 'state'], ['ann', 'new']])

    def test_batch_update_of_values(self):
        def call(second):
            return self.values.batchUpdate(spreadsheetId=self.id, body={'valueInputOption': 'RAW', 'data': [
                {'range': 'People!B2', 'values': [['done']]}, {'range': second, 'values': [['done']]}]}).execute()

        self.refused(400, 'Invalid data[1]: Unable to parse range: Nobody', call, 'Nobody')
        self.assertEqual(self.rows()[1], ['ann', 'new'])
        answer = call('People!B3')
        self.assertEqual((answer['totalUpdatedCells'], answer['totalUpdatedSheets']), (2, 1))
        self.assertEqual(self.rows()[1:], [['ann', 'done'], ['bob', 'done']])


class Batches(ServerTest):
    def rows_range(self, start, end):
        return {'range': {'sheetId': 0, 'dimension': 'ROWS', 'startIndex': start, 'endIndex': end}}

    def test_add_and_delete_a_sheet(self):
        reply = self.batch({'addSheet': {'properties': {'title': 'Done'}}})['replies'][0]['addSheet']['properties']
        self.assertEqual((reply['title'], reply['index']), ('Done', 1))
        self.refused(400, 'Invalid requests[0].addSheet: A sheet with the name "done" already exists. '
                          'Please enter another name.', self.batch, {'addSheet': {'properties': {'title': 'done'}}})
        self.assertEqual(self.batch({'deleteSheet': {'sheetId': reply['sheetId']}})['replies'], [{}])
        self.refused(400, "You can't remove all the sheets in a document.", self.batch, {'deleteSheet': {'sheetId': 0}})

    def test_sheet_properties(self):
        self.batch({'updateSheetProperties': {
            'properties': {'sheetId': 0, 'title': 'Renamed', 'gridProperties': {'rowCount': 2, 'frozenRowCount': 1}},
            'fields': 'title,gridProperties.rowCount,gridProperties.frozenRowCount'}})
        properties = self.resource()['sheets'][0]['properties']
        self.assertEqual(properties['title'], 'Renamed')
        self.assertEqual(properties['gridProperties'], {'rowCount': 2, 'columnCount': 26, 'frozenRowCount': 1})
        self.assertEqual(len(self.rows()), 2)

    def test_move_a_sheet(self):
        """An index means the place before the worksheet that has it now."""
        self.batch(*({'addSheet': {'properties': {'title': title}}} for title in 'BC'))

        def move(index):
            self.batch({'updateSheetProperties': {'properties': {'sheetId': 0, 'index': index}, 'fields': 'index'}})
            return [sheet['properties']['title'] for sheet in self.resource()['sheets']]

        self.assertEqual(move(1), ['People', 'B', 'C'])
        self.assertEqual(move(2), ['B', 'People', 'C'])
        self.assertEqual(move(0), ['People', 'B', 'C'])
        self.assertEqual(move(3), ['B', 'C', 'People'])

    def test_move_rows(self):
        """What the product does to a finished row: it is appended to one worksheet and deleted from another."""
        row = {'values': [{'userEnteredValue': {'stringValue': text}} for text in ('ann', '=1', '')]}
        reply = self.batch(
            {'addSheet': {'properties': {'sheetId': 7, 'title': 'Done'}}},
            {'appendCells': {'sheetId': 7, 'rows': [row], 'fields': 'userEnteredValue'}},
            {'deleteDimension': self.rows_range(1, 2)})
        self.assertEqual(reply['replies'][1:], [{}, {}])
        self.assertEqual(self.rows(), [['name', 'state'], ['bob', 'new']])
        self.assertEqual(self.sheet(1, raw=True)['raw'], [[{'stringValue': 'ann'}, {'stringValue': '=1'}]])
        self.assertEqual(self.formulas(), 0)

    def test_all_or_nothing(self):
        self.refused(
            400, "Invalid requests[1].deleteDimension: No grid with id: 99", self.batch,
            {'deleteDimension': self.rows_range(1, 2)},
            {'deleteDimension': {'range': {'sheetId': 99, 'dimension': 'ROWS', 'startIndex': 0, 'endIndex': 1}}})
        self.assertEqual(len(self.rows()), 3)
        self.assertEqual(self.sheet()['row_count'], 1000)

    def test_delete_rows(self):
        self.batch({'deleteDimension': self.rows_range(0, 2)})
        self.assertEqual(self.rows(), [['bob', 'new']])
        self.refused(400, "You can't delete all the rows on the sheet.", self.batch,
                     {'deleteDimension': self.rows_range(0, 998)})
        self.refused(400, "Cannot delete a row that doesn't exist. Tried to delete row index 998 but there are only "
                          '998 rows.', self.batch, {'deleteDimension': self.rows_range(998, 999)})

    def test_insert_and_delete_columns(self):
        columns = {'sheetId': 0, 'dimension': 'COLUMNS', 'startIndex': 1, 'endIndex': 2}
        self.batch({'insertDimension': {'range': columns}})
        self.assertEqual(self.rows()[0], ['name', '', 'state'])
        self.batch({'deleteDimension': {'range': columns}}, {'insertDimension': self.rows_range(1, 3)})
        self.assertEqual(self.rows()[:4], [['name', 'state'], [], [], ['ann', 'new']])

    def test_update_cells(self):
        def cell(text):
            return {'userEnteredValue': {'stringValue': text}}

        self.batch({'updateCells': {
            'start': {'sheetId': 0, 'rowIndex': 1, 'columnIndex': 1}, 'fields': 'userEnteredValue',
            'rows': [{'values': [cell('=done')]}, {'values': [{}]}]}})
        self.assertEqual(self.rows(), [['name', 'state'], ['ann', '=done'], ['bob']])
        self.batch({'updateCells': {
            'range': {'sheetId': 0, 'startRowIndex': 0, 'endRowIndex': 2, 'startColumnIndex': 0, 'endColumnIndex': 2},
            'fields': '*', 'rows': [{'values': [cell('x')]}]}})
        self.assertEqual(self.rows(), [['x'], [], ['bob']])
        self.refused(400, 'Attempting to write column: 26, beyond the last requested column of: 25', self.batch,
                     {'updateCells': {'start': {'sheetId': 0, 'columnIndex': 25}, 'fields': '*',
                                      'rows': [{'values': [cell('x'), cell('y')]}]}})

    def test_append_cells_grows_rows_but_not_columns(self):
        self.id = self.create([['x']], row_count=1, column_count=1)
        row = {'values': [{'userEnteredValue': {'stringValue': 'y'}}]}
        self.batch({'appendCells': {'sheetId': 0, 'fields': '*', 'rows': [row]}})
        self.assertEqual((self.rows(), self.sheet()['row_count']), ([['x'], ['y']], 2))
        self.refused(400, 'Attempting to write column: 1, beyond the last requested column of: 0', self.batch,
                     {'appendCells': {'sheetId': 0, 'fields': '*', 'rows': [{'values': row['values'] * 2}]}})

    def test_sort(self):
        self.batch({'sortRange': {
            'range': {'sheetId': 0, 'startRowIndex': 1},
            'sortSpecs': [{'dimensionIndex': 0, 'sortOrder': 'DESCENDING'}]}})
        self.assertEqual(self.rows(), [['name', 'state'], ['bob', 'new'], ['ann', 'new']])

    def test_notes(self):
        def note(row, text, fields='note'):
            return {'updateCells': {
                'start': {'sheetId': 0, 'rowIndex': row, 'columnIndex': 0}, 'fields': fields,
                'rows': [{'values': [{'note': text}]}]}}

        self.batch(note(1, 'of ann'), note(2, 'of bob'), note(6, 'of nobody'))
        self.assertEqual(self.sheet()['notes'], {'A2': 'of ann', 'A3': 'of bob', 'A7': 'of nobody'})
        self.assertEqual(self.rows()[1], ['ann', 'new'], 'the mask names no value')
        grid = self.service.spreadsheets().get(
            spreadsheetId=self.id, ranges='People!A2:A', fields='sheets.data.rowData.values(formattedValue,note)',
        ).execute()['sheets'][0]['data'][0]['rowData']
        self.assertEqual(grid, [
            {'values': [{'formattedValue': 'ann', 'note': 'of ann'}]},
            {'values': [{'formattedValue': 'bob', 'note': 'of bob'}]}, {}, {}, {}, {'values': [{'note': 'of nobody'}]}])

        self.values.clear(spreadsheetId=self.id, range='People!A2', body={}).execute()
        self.assertIn('A2', self.sheet()['notes'], 'a note is no value')
        self.batch(note(1, ''), note(6, None), note(2, None, 'userEnteredValue'))
        self.assertEqual(self.sheet()['notes'], {'A3': 'of bob'})
        self.assertEqual(self.rows(), [['name', 'state'], ['', 'new'], ['', 'new']])
        self.batch(note(2, None, '*'))
        self.assertEqual(self.sheet()['notes'], {})

    def test_notes_go_where_their_cells_go(self):
        self.edit({'kind': 'set-note', 'sheet': 'People', 'cell': 'A2', 'note': 'of ann'},
                  {'kind': 'set-note', 'sheet': 'People', 'cell': 'B3', 'note': "of bob's state"})
        self.batch({'sortRange': {'range': {'sheetId': 0, 'startRowIndex': 1},
                                  'sortSpecs': [{'dimensionIndex': 0, 'sortOrder': 'DESCENDING'}]}})
        self.assertEqual(self.sheet()['notes'], {'B2': "of bob's state", 'A3': 'of ann'})
        self.batch({'insertDimension': {'range': {
            'sheetId': 0, 'dimension': 'COLUMNS', 'startIndex': 1, 'endIndex': 2}}},
            {'insertDimension': self.rows_range(2, 4)})
        self.assertEqual(self.sheet()['notes'], {'C2': "of bob's state", 'A5': 'of ann'})
        row = {'values': [{'userEnteredValue': {'stringValue': 'eve'}, 'note': 'of eve'}]}
        self.batch({'appendCells': {'sheetId': 0, 'fields': '*', 'rows': [row]}},
                   {'deleteDimension': self.rows_range(1, 4)})
        self.assertEqual(self.sheet()['notes'], {'A2': 'of ann', 'A3': 'of eve'})
        self.batch({'deleteDimension': {'range': {
            'sheetId': 0, 'dimension': 'COLUMNS', 'startIndex': 0, 'endIndex': 1}}})
        self.assertEqual(self.sheet()['notes'], {})

    def test_a_refused_change_leaves_the_notes(self):
        self.refused(
            400, 'No grid with id: 99', self.batch,
            {'updateCells': {'start': {'sheetId': 0}, 'fields': 'note', 'rows': [{'values': [{'note': 'x'}]}]}},
            {'deleteSheet': {'sheetId': 99}})
        self.assertEqual(self.sheet()['notes'], {})

    def test_parts_of_the_spreadsheet_in_the_answer(self):
        def answer(**options):
            return self.batch(
                {'updateCells': {'start': {'sheetId': 0, 'rowIndex': 1}, 'fields': 'note',
                                 'rows': [{'values': [{'note': 'x'}]}]}}, **options)

        self.assertNotIn('updatedSpreadsheet', answer())
        self.assertNotIn('data', answer(includeSpreadsheetInResponse=True)['updatedSpreadsheet']['sheets'][0])
        data = answer(includeSpreadsheetInResponse=True, responseIncludeGridData=True,
                      responseRanges=['People!B:B', 'People!A2'])['updatedSpreadsheet']['sheets'][0]['data']
        self.assertEqual([cell['values'][0]['formattedValue'] for cell in data[0]['rowData']], ['state', 'new', 'new'])
        self.assertEqual((data[0]['startColumn'], data[1]['startRow']), (1, 1))
        self.assertEqual(data[1]['rowData'][0]['values'][0]['note'], 'x')
        body = {'requests': [{'appendDimension': {'sheetId': 0, 'dimension': 'ROWS', 'length': 1}}],
                'includeSpreadsheetInResponse': True, 'responseRanges': ['People!A:A']}
        # A mask says by itself whether cells are wanted.
        masked = self.service.spreadsheets().batchUpdate(
            spreadsheetId=self.id, body=body,
            fields='updatedSpreadsheet.sheets.data.rowData.values.formattedValue').execute()
        self.assertEqual(masked, {'updatedSpreadsheet': {'sheets': [{'data': [{'rowData': [
            {'values': [{'formattedValue': text}]} for text in ('name', 'ann', 'bob')]}]}]}})

    def test_the_spreadsheet_in_the_answer(self):
        answer = self.batch({'deleteDimension': self.rows_range(1, 2)}, includeSpreadsheetInResponse=True,
                            responseIncludeGridData=True, responseRanges=['People!A2'])
        cell = answer['updatedSpreadsheet']['sheets'][0]['data'][0]['rowData'][0]['values'][0]
        self.assertEqual(cell['formattedValue'], 'bob')

    def test_bad_requests(self):
        self.refused(400, 'Must specify at least one request.', self.batch)
        self.refused(400, 'Invalid requests[0]: No request set.', self.batch, {})
        self.refused(400, 'addChart', self.batch, {'addChart': {}})
        self.refused(400, "At least one field must be listed in 'fields'", self.batch,
                     {'appendCells': {'sheetId': 0, 'rows': []}})


class Definition(ServerTest):
    """What does not fit the discovery document is refused."""

    def test_unknown_fields(self):
        error = self.refused(
            400, "Invalid JSON payload received. Unknown name \"DeleteRange\" at 'requests[0]': Cannot find field.",
            self.batch, {'DeleteRange': {}})
        self.assertEqual(error['details'][0]['fieldViolations'][0]['field'], 'requests[0]')
        self.refused(400, "Unknown name \"rows\" at 'requests[1].delete_dimension.range': Cannot find field.",
                     self.batch, {'addSheet': {}}, {'deleteDimension': {'range': {'rows': 1}}})
        self.refused(400, 'Unknown name "x": Cannot find field.', self.batch, {'addSheet': {}}, x=1)

    def test_wrong_types(self):
        self.refused(400, "Invalid value at 'requests[0].delete_sheet.sheet_id' (TYPE_INT32), \"a\"", self.batch,
                     {'deleteSheet': {'sheetId': 'a'}})
        self.refused(400, "Invalid value at 'requests[0].delete_dimension.range.dimension'", self.batch,
                     {'deleteDimension': {'range': {'dimension': 'ROW'}}})
        self.refused(400, "Invalid value at 'values'", self.update, 'A1', 'text')
        self.refused(400, "Invalid value at 'values[0]'", self.update, 'A1', ['text'])

    def test_parameters(self):
        headers = self.bearer()

        def status(query, path='/values/People'):
            answer = self.http('GET', f'/v4/spreadsheets/{self.id}{path}?{query}', headers=headers)
            return answer[0], answer[2].decode()

        self.assertEqual(status('alt=json&prettyPrint=false&key=x&$.xgafv=2&quotaUser=u&upload_protocol=raw')[0], 200)
        for query, message in (
                ('rows=1', 'Unknown name \\"rows\\": Cannot bind query parameter.'),
                ('valueRenderOption=RAW', "Invalid value at 'value_render_option'"),
                ('prettyPrint=maybe', "Invalid value at 'pretty_print' (TYPE_BOOL)")):
            answered, text = status(query)
            self.assertEqual(answered, 400)
            self.assertIn(message, text)

    def test_unknown_paths_and_methods(self):
        for verb, path in ('GET', '/v4/nothing'), ('DELETE', f'/v4/spreadsheets/{self.id}'), ('GET', '/'):
            status, headers, _ = self.http(verb, path)
            self.assertEqual((status, headers['Content-Type']), (404, 'text/html; charset=UTF-8'))
        self.refused(501, 'sheets.spreadsheets.create', self.service.spreadsheets().create(body={}).execute)

    def test_broken_json(self):
        path = f'/v4/spreadsheets/{self.id}:batchUpdate'
        for content in '{', '[]', '"x"', '{"requests": NaN}':
            status, _, answer = self.http('POST', path, content, self.bearer())
            self.assertEqual(status, 400)
            self.assertIn('Invalid JSON payload received.', json.loads(answer)['error']['message'])

    def test_gzip_both_ways(self):
        self.id = self.create([['text' * 1000]])
        headers = self.bearer()
        path = f'/v4/spreadsheets/{self.id}/values/A1'
        _, answered, content = self.http('GET', path, headers=headers | {'Accept-Encoding': 'gzip'})
        self.assertEqual(answered['Content-Encoding'], 'gzip')
        self.assertEqual(json.loads(gzip.decompress(content)), self.get('A1'))
        body = gzip.compress(json.dumps({'values': [['small']]}).encode())
        status, _, _ = self.http('PUT', path + '?valueInputOption=RAW', body, headers | {'Content-Encoding': 'gzip'})
        self.assertEqual((status, self.rows()), (200, [['small']]))


class Answers(unittest.TestCase):
    """An answer that does not fit the discovery document is found out, whether or not the mask wants it."""

    def problems(self, answer, mask=None):
        method, _ = Discovery().route('GET', '/v4/spreadsheets/x')
        found = []
        text = ''.join(answers.pieces(answer, method.answer, method.mask(mask), found))
        json.loads(text)
        return [described(*problem)[1] for problem in found]

    def test_good_answers(self):
        rows = answers.Rows({'values': [{'formattedValue': str(row)}]} for row in range(1200))
        self.assertEqual(self.problems({'sheets': [{'data': [{'rowData': rows}]}, {}]}), [])
        self.assertEqual(self.problems({'sheets': [], 'properties': {}}, 'sheets.properties'), [])

    def test_bad_answers(self):
        for answer, problem in (
                ({'names': 1}, 'Unknown name "names": Cannot find field.'),
                ({'sheets': {}}, "Invalid value at 'sheets'"),
                ({'sheets': [{'properties': {'title': 1}}]}, "Invalid value at 'sheets[0].properties.title'"),
                ({'sheets': [{'properties': {'sheetType': 'TABLE'}}]}, '(TYPE_ENUM), "TABLE"'),
                ({'sheets': [{'properties': {'index': True}}]}, '(TYPE_INT32), true'),
                ({'sheets': [{'data': [{'rowData': answers.Rows([{}, {'values': [{'x': 1}]}])}]}]},
                 "Unknown name \"x\" at 'sheets[0].data[0].row_data[1].values[0]'")):
            for mask in None, 'spreadsheetId':
                found, = self.problems(answer, mask)
                self.assertIn(problem, found)


class FaultsAndPeople(ServerTest):
    GET = 'sheets.spreadsheets.values.get'
    APPEND = 'sheets.spreadsheets.values.append'

    def setUp(self):
        super().setUp()
        self.get()
        self.control('DELETE', 'calls')

    def calls(self):
        return [(call['method'], call['status'], call['faults']) for call in self.control('GET', 'calls')['calls']]

    def test_calls(self):
        self.get()
        self.refused(400, 'Unable to parse range', self.get, 'Nobody')
        self.append([['x']])
        report = self.control('GET', 'calls')
        self.assertEqual(self.calls(), [(self.GET, 200, []), (self.GET, 400, []), (self.APPEND, 200, [])])
        self.assertEqual(report['counts'], {self.GET: 2, self.APPEND: 1})
        times = [call['time'] for call in report['calls']]
        self.assertEqual(times, sorted(times))

    def test_status(self):
        self.fault(method=self.GET, nth=2, times=1, kind='status', status=503, retry_after=7)
        self.get()
        with self.assertRaises(HttpError) as caught:
            self.get()
        self.assertEqual((caught.exception.resp.status, caught.exception.resp['retry-after']), (503, '7'))
        self.assertEqual(json.loads(caught.exception.content)['error']['status'], 'UNAVAILABLE')
        self.get()
        self.assertEqual(self.calls(), [(self.GET, 200, []), (self.GET, 503, ['status']), (self.GET, 200, [])])

    def test_every_call_until_the_faults_are_cleared(self):
        self.fault(method='*', nth='every', kind='status', status=500)
        for _ in range(3):
            self.refused(500, '', self.get)
        self.control('DELETE', 'faults')
        self.get()

    def test_googles_client_retries(self):
        self.fault(method=self.GET, nth='every', times=1, kind='status', status=429)
        self.assertEqual(len(self.values.get(spreadsheetId=self.id, range='A1').execute(num_retries=3)['values']), 1)
        self.assertEqual([status for _, status, _ in self.calls()], [429, 200])

    def test_token_faults(self):
        self.fault(method='token', nth='every', kind='status', status=400)
        with self.assertRaises(google.auth.exceptions.RefreshError):
            self.other_build().spreadsheets().get(spreadsheetId=self.id).execute()

    def plain_append(self):
        body = json.dumps({'values': [['cut']]})
        path = f'/v4/spreadsheets/{self.id}/values/People:append?valueInputOption=RAW'
        return self.http('POST', path, body, self.bearer())

    def test_cut_before_and_after_the_effect(self):
        for kind, rows in ('cut-before', 3), ('cut-after', 4):
            self.fault(method=self.APPEND, kind=kind)
            with self.assertRaises((http.client.RemoteDisconnected, ConnectionError)):
                self.plain_append()
            self.assertEqual(len(self.rows()), rows)
        self.assertEqual([call for call in self.calls() if call[0] == self.APPEND],
                         [(self.APPEND, None, ['cut-before']), (self.APPEND, None, ['cut-after'])])

    def test_hang_after_the_effect(self):
        self.fault(method=self.APPEND, kind='hang-after', delay_ms=300)
        began = time.monotonic()
        self.assertEqual(self.plain_append()[0], 200)
        self.assertGreater(time.monotonic() - began, 0.3)
        self.assertEqual(len(self.rows()), 4)

    def test_people_edit_just_before_a_call(self):
        self.fault(method='sheets.spreadsheets.batchUpdate', kind='edit', spreadsheet=self.id, edits=[
            {'kind': 'insert-row', 'sheet': 'People', 'row': 2, 'values': ['zoe', 'new']}])
        self.batch({'deleteDimension': {'range': {'sheetId': 0, 'dimension': 'ROWS', 'startIndex': 1, 'endIndex': 2}}})
        self.assertEqual(self.rows(), [['name', 'state'], ['ann', 'new'], ['bob', 'new']])

    def test_people_edit(self):
        self.edit(
            {'kind': 'append-row', 'sheet': 'People', 'values': ['eve', '=x']},
            {'kind': 'sort', 'sheet': 'People', 'column': 'A', 'descending': True},
            {'kind': 'delete-row', 'sheet': 'People', 'row': 3},
            {'kind': 'set-cell', 'sheet': 'People', 'cell': 'B2', 'value': {'numberValue': 5}},
            {'kind': 'insert-column', 'sheet': 'People', 'column': 'B', 'values': ['mail']},
            {'kind': 'rename-sheet', 'sheet': 'People', 'title': 'Users'})
        self.assertEqual(self.rows(), [['name', 'mail', 'state'], ['eve', '', '5'], ['ann', '', 'new']])
        self.assertEqual(self.sheet()['title'], 'Users')
        self.edit({'kind': 'delete-column', 'sheet': 'Users', 'column': 'B'})
        self.control('PUT', f'spreadsheets/{self.id}/sheets/Users', {'rows': [['new']]})
        self.assertEqual(self.rows(), [['new']])

    def test_latency(self):
        self.control('POST', 'settings', {'latency_ms': 100})
        began = time.monotonic()
        self.get()
        self.assertGreater(time.monotonic() - began, 0.1)

    def test_wrong_use_of_the_control_api(self):
        for verb, path, body in (
                ('POST', 'faults', [{'kind': 'explode'}]), ('GET', 'spreadsheets/none', None),
                ('POST', f'spreadsheets/{self.id}/edit', {'edits': [{'kind': 'x', 'sheet': 'People'}]}),
                ('POST', 'settings', {'x': 1})):
            status, _, content = self.http(verb, '/control/' + path, body and json.dumps(body))
            self.assertEqual(status, 400)
            self.assertIn('error', json.loads(content))


class Gspread(ServerTest):
    def setUp(self):
        super().setUp()
        self.book = self.gspread().open_by_key(self.id)
        self.people = self.book.worksheet('People')

    def test_read(self):
        self.assertEqual(self.people.get_all_records(), [
            {'name': 'ann', 'state': 'new'}, {'name': 'bob', 'state': 'new'}])
        self.assertEqual(self.people.acell('A2').value, 'ann')
        self.assertEqual(self.people.find('bob').row, 3)
        self.assertEqual(self.people.col_values(1), ['name', 'ann', 'bob'])

    def test_write(self):
        self.people.append_row(['eve', '=1'])
        self.people.update_cell(2, 2, 'done')
        self.people.batch_update([{'range': 'B3', 'values': [['done']]}])
        self.people.insert_row(['zoe', 'new'], 2)
        self.people.delete_rows(3)
        self.assertEqual(self.people.get_all_values(), [
            ['name', 'state'], ['zoe', 'new'], ['bob', 'done'], ['eve', '=1']])
        self.people.sort((1, 'des'), range='A2:B4')
        self.assertEqual(self.people.col_values(1), ['name', 'zoe', 'eve', 'bob'])
        self.people.clear()
        self.assertEqual(self.rows(), [])

    def test_notes(self):
        self.people.insert_note('A2', 'of ann')
        self.people.update_notes({'B2': 'new', 'A3': 'of bob'})
        self.assertEqual(self.people.get_note('A2'), 'of ann')
        self.assertEqual(self.people.get_notes(), [[''] * 2, ['of ann', 'new'], ['of bob', '']])
        self.people.clear_note('B2')
        self.people.sort((1, 'des'), range='A2:B3')
        self.assertEqual([self.people.get_note(cell) for cell in ('A2', 'A3', 'B3')], ['of bob', 'of ann', ''])

    def test_worksheets(self):
        done = self.book.add_worksheet('Done', rows=10, cols=5)
        done.resize(rows=20)
        done.update_title('Finished')
        done.freeze(rows=1)
        self.assertEqual([sheet.title for sheet in self.book.worksheets()], ['People', 'Finished'])
        self.assertEqual(self.book.worksheet('Finished').row_count, 20)
        self.book.del_worksheet(done)
        self.assertEqual(len(self.book.worksheets()), 1)

    def test_errors(self):
        with self.assertRaises(gspread.exceptions.SpreadsheetNotFound):
            self.gspread().open_by_key('nothing')
        with self.assertRaises(gspread.exceptions.WorksheetNotFound):
            self.book.worksheet('Nobody')
        with self.assertRaisesRegex(gspread.exceptions.APIError, 'exceeds grid limits'):
            self.people.update_acell('A5000', 'x')


if __name__ == '__main__':
    unittest.main()
