"""Faults that a test wants, the calls that were made, and the quotas."""

import collections
import threading
import time

from .errors import ApiError, error_info

KINDS = 'status', 'cut-before', 'cut-after', 'hang-after', 'edit'
PROJECT_NUMBER = '123456789012'


class Rule:
    """A fault for the k-th matching call from now and the `times - 1` after it, or for the first `times` calls."""

    def __init__(self, given):
        unknown = set(given) - {
            'method', 'nth', 'times', 'kind', 'status', 'retry_after', 'delay_ms', 'spreadsheet', 'edits'}
        if unknown or given.get('kind') not in KINDS:
            raise ValueError(f'not a fault: {given}')
        if given['kind'] == 'status' and not isinstance(given.get('status'), int):
            raise ValueError(f'a fault needs a status: {given}')
        self.given, self.kind = given, given['kind']
        nth = given.get('nth', 1)
        if nth == 'every':
            self.first, self.last = 1, given.get('times')
        else:
            self.first, self.last = nth, nth + given.get('times', 1) - 1
        self.seen = 0

    def matches(self, method):
        """Counts a call, and says whether the fault is to happen."""
        # `*` is every method of the API; the token endpoint is none of them.
        if self.given.get('method', '*') not in ('*' if method != 'token' else method, method):
            return False
        self.seen += 1
        return self.first <= self.seen and (self.last is None or self.seen <= self.last)


class Faults:
    def __init__(self):
        self.lock = threading.Lock()
        self.rules = []

    def add(self, rules):
        rules = [Rule(rule) for rule in rules]
        with self.lock:
            self.rules += rules

    def clear(self):
        with self.lock:
            self.rules = []

    def next(self, method):
        """The rules that are to happen to a call."""
        with self.lock:
            return [rule for rule in self.rules if rule.matches(method)]


class Calls:
    """The calls so far."""

    def __init__(self):
        self.lock = threading.Lock()
        self.calls = []

    def add(self, method, status, faults):
        with self.lock:
            self.calls.append({
                'method': method, 'status': status, 'time': time.monotonic(),
                'faults': [rule.kind for rule in faults],
            })

    def report(self):
        with self.lock:
            calls = list(self.calls)
        return {'calls': calls, 'counts': collections.Counter(call['method'] for call in calls)}

    def clear(self):
        with self.lock:
            self.calls = []


class Quotas:
    """Reads and writes of an account within a minute. A limit of None is none."""

    def __init__(self):
        self.lock = threading.Lock()
        self.limits = {'read': None, 'write': None}
        self.minute = 60.0
        self.windows = {}

    def spend(self, account, kind):
        now = time.monotonic()
        with self.lock:
            limit = self.limits[kind]
            began, count = self.windows.get((account, kind), (now, 0))
            if now - began >= self.minute:
                began, count = now, 0
            self.windows[account, kind] = began, count + 1
        if limit is not None and count >= limit:
            raise exceeded(kind, limit)

    def clear(self):
        with self.lock:
            self.windows.clear()


def exceeded(kind, limit):
    name = kind.capitalize()
    return ApiError(
        429,
        f"Quota exceeded for quota metric '{name} requests' and limit '{name} requests per minute per user' of service "
        f"'sheets.googleapis.com' for consumer 'project_number:{PROJECT_NUMBER}'.",
        [error_info(
            'RATE_LIMIT_EXCEEDED', consumer=f'projects/{PROJECT_NUMBER}',
            quota_limit=f'{name}RequestsPerMinutePerUser', quota_limit_value=str(limit), quota_location='global',
            quota_metric=f'sheets.googleapis.com/{kind}_requests')])
