"""The schemas of a discovery document, as checks of JSON values.

A check appends (path, name, text) to a list for everything that does not fit. Paths are nested pairs, which cost
little to make: a value of 100,000 rows is checked item by item, and almost never has anything to tell.
"""

import json
import re

INT32 = range(-2 ** 31, 2 ** 31)
CAPITAL = re.compile('[A-Z]')
NAMES = {'string': 'TYPE_STRING', 'boolean': 'TYPE_BOOL', 'integer': 'TYPE_INT32', 'number': 'TYPE_DOUBLE'}


class Anything:
    """A value without a schema."""

    fields = plain = None

    def check(self, value, path, found):
        pass


class Scalar:
    fields = None

    def __init__(self, schema):
        self.kind = schema['type']
        self.types = {'string': (str,), 'boolean': (bool,), 'integer': (int,), 'number': (int, float)}[self.kind]
        self.enum = frozenset(schema['enum']) if 'enum' in schema else None
        # The type whose every value fits, so that most values need no further check.
        self.plain = None if self.enum else {'string': str, 'boolean': bool}.get(self.kind)
        # What Google calls the type in its errors.
        self.name = 'TYPE_ENUM' if self.enum else NAMES[self.kind]

    def check(self, value, path, found):
        # Exact types, for a bool of Python is an int, and texts come as subclasses of str.
        if type(value) not in self.types and not (self.kind == 'string' and isinstance(value, str)):
            self.refuse(value, path, found)
        elif self.enum is not None and value not in self.enum or self.kind == 'integer' and value not in INT32:
            self.refuse(value, path, found)

    def refuse(self, value, path, found):
        found.append((path, None, f'({self.name}), {json.dumps(value)}'))

    def from_text(self, text):
        """The value of a query parameter; None where the text is none of this type."""
        if self.kind == 'boolean':
            return {'true': True, 'false': False, '1': True, '0': False}.get(text.lower())
        if self.kind == 'integer':
            return int(text) if re.fullmatch(r'-?\d{1,10}', text) and int(text) in INT32 else None
        return text if self.enum is None or text in self.enum else None


class Array:
    plain = None

    def __init__(self, items):
        self.items = items

    @property
    def fields(self):
        return self.items.fields

    def check(self, value, path, found):
        if not isinstance(value, (list, tuple)):
            found.append((path, None, f'(an array), {json.dumps(value)}'))
        elif type(self.items) is not Anything:
            for index, item in enumerate(value):
                self.items.check(item, (path, index), found)


class Map:
    fields = plain = None

    def __init__(self, items):
        self.items = items

    def check(self, value, path, found):
        if not isinstance(value, dict):
            found.append((path, None, f'(a map), {json.dumps(value)}'))
        else:
            for name, item in value.items():
                self.items.check(item, (path, name), found)


class Object:
    """A message. Its fields are filled in later, because messages can contain each other."""

    plain = None

    def __init__(self):
        self.fields = {}

    def check(self, value, path, found):
        if type(value) is not dict:
            found.append((path, None, f'(an object), {json.dumps(value)}'))
            return
        for name, item in value.items():
            shape = self.fields.get(name)
            if shape is None:
                found.append((path, name, 'Cannot find field.'))
            elif type(item) is not shape.plain and item is not None:
                # A null is the same as an absent field.
                shape.check(item, (path, name), found)


class Shapes:
    """All schemas of a discovery document by name."""

    def __init__(self, schemas):
        self.messages = {name: Object() for name in schemas}
        for name, schema in schemas.items():
            for field, described in schema.get('properties', {}).items():
                self.messages[name].fields[field] = self.shape(described)

    def shape(self, schema):
        if '$ref' in schema:
            return self.messages[schema['$ref']]
        kind = schema['type']
        if kind == 'any':
            return Anything()
        if kind == 'array':
            return Array(self.shape(schema['items']))
        if kind == 'object':
            return Map(self.shape(schema['additionalProperties']))
        return Scalar(schema)


def path_text(path):
    """A path as Google writes it: `requests[0].delete_dimension.range`, with the names of its protocol buffers."""
    text = ''
    while path:
        path, step = path
        text = (f'[{step}]' if isinstance(step, int) else '.' + CAPITAL.sub(lambda m: '_' + m[0].lower(), step)) + text
    return text.removeprefix('.')


def described(path, name, text):
    """Where and what, as Google says it."""
    where = path_text(path)
    if name is not None:
        at = f" at '{where}'" if where else ''
        return where, f'Invalid JSON payload received. Unknown name "{name}"{at}: {text}'
    return where, f"Invalid value at '{where}' {text}"
