"""Google's published definition of the API: which methods there are, and what fits them.

The document is the copy that the package google-api-python-client has.
"""

import json
import re
import urllib.parse
from pathlib import Path

from googleapiclient import discovery_cache

from . import masks
from .errors import ApiError, bad_fields
from .shapes import Scalar, Shapes, described, path_text

DOCUMENT = Path(discovery_cache.__file__).parent / 'documents' / 'sheets.v4.json'


class Method:
    """A method of the API, such as sheets.spreadsheets.values.get."""

    def __init__(self, description, common, shapes):
        self.id = description['id']
        self.verb = description['httpMethod']
        self.scopes = frozenset(description['scopes'])
        self.body = shapes.shape(description['request']) if 'request' in description else None
        self.answer = shapes.shape(description['response'])
        self.reads = self.verb == 'GET' or self.id.lower().endswith(('getbydatafilter', 'search'))
        parameters = description.get('parameters', {})
        self.in_path = {name: Scalar(found) for name, found in parameters.items() if found['location'] == 'path'}
        in_query = common | {name: found for name, found in parameters.items() if found['location'] == 'query'}
        self.in_query = {name: (Scalar(found), found.get('repeated', False)) for name, found in in_query.items()}
        # The path is matched as it was sent, still quoted, for a title can have a slash in it.
        template = re.split(r'\{(\w+)\}', '/' + description['path'])
        self.pattern = re.compile(''.join(
            f'(?P<{part}>[^/]+)' if index % 2 else re.escape(part) for index, part in enumerate(template)))

    def parameters(self, quoted, query):
        """All parameters of a call by name, converted to their types."""
        values, violations = {}, []

        def convert(name, shape, text):
            value = shape.from_text(text)
            if value is None:
                where = path_text(((), name))
                violations.append((where, f"Invalid value at '{where}' ({shape.name}), {json.dumps(text)}"))
            return value

        for name, shape in self.in_path.items():
            values[name] = convert(name, shape, urllib.parse.unquote(quoted[name]))
        for name, text in urllib.parse.parse_qsl(query, keep_blank_values=True):
            if name not in self.in_query:
                violations.append(('', f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query '
                                       f"parameter. Field '{name}' could not be found in request message."))
                continue
            shape, repeated = self.in_query[name]
            value = convert(name, shape, text)
            values[name] = [*values.get(name, []), value] if repeated else value
        refuse(violations)
        return values

    def parse_body(self, content):
        """The JSON of a request, which fits the method."""
        if self.body is None:
            if content.strip():
                refuse([('', 'Invalid JSON payload received. This method has no body.')])
            return None
        try:
            # An empty body is an empty message.
            body = json.loads(content, parse_constant=refuse_constant) if content.strip() else {}
        except ValueError as error:
            raise bad_fields(f'Invalid JSON payload received. {error}', []) from error
        if not isinstance(body, dict):
            refuse([('', 'Invalid JSON payload received. Unknown name "": Root element must be a message.')])
        found = []
        self.body.check(body, (), found)
        refuse([described(*problem) for problem in found])
        return body

    def mask(self, text):
        """The tree for the parameter `fields`; empty where everything is wanted."""
        if text is None:
            return {}
        try:
            return masks.parse(text, self.answer)
        except masks.BadMask as error:
            raise bad_fields('Request contains an invalid argument.', [
                (text, f"Error expanding 'fields' parameter. Cannot find matching fields for path '{error}'."),
            ]) from error


def refuse_constant(name):
    raise ValueError(f'{name} is not JSON.')


def refuse(violations):
    if violations:
        raise bad_fields('\n'.join(text for _, text in violations), violations)


class Discovery:
    def __init__(self):
        document = json.loads(DOCUMENT.read_text(encoding='utf-8'))
        self.shapes = Shapes(document['schemas'])
        self.scopes = frozenset(document['auth']['oauth2']['scopes'])
        common = document['parameters']
        self.methods = [Method(found, common, self.shapes) for found in methods(document)]
        # `values/{range}:append` before `values/{range}`, which would match it too.
        self.methods.sort(key=lambda method: -len(method.pattern.pattern))

    def route(self, verb, path):
        """The method of a request and the still quoted parameters of its path."""
        for method in self.methods:
            match = method.verb == verb and method.pattern.fullmatch(path)
            if match:
                return method, match.groupdict()
        raise ApiError(404, 'The requested URL was not found on this server.')


def methods(resource):
    yield from resource.get('methods', {}).values()
    for inner in resource.get('resources', {}).values():
        yield from methods(inner)
