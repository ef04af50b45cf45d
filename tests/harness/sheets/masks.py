"""Field masks: `sheets(properties(sheetId,title),data.rowData.values.formattedValue)`.

A slash is the same as a dot. A mask is a tree of dicts from names to what is wanted below them; an empty dict wants
everything.
"""

import re

TOKEN = re.compile(r'[^,().]+|[,().]')


class BadMask(Exception):
    """Names the path of the mask that leads nowhere."""


def parse(text, shape=None):
    """The tree for a mask over values of a shape; without one, every name is taken to be right."""
    tokens = TOKEN.findall(text.replace('/', '.'))
    position = 0

    def take():
        nonlocal position
        position += 1
        return tokens[position - 1] if position <= len(tokens) else None

    def selections(tree, shape, path, inner):
        """Reads selections between commas, up to the end or to the closing parenthesis."""
        while True:
            end = selection(tree, shape, path)
            if end == ',':
                continue
            if end != (')' if inner else None):
                raise BadMask(text)
            return

    def selection(tree, shape, path):
        """Reads one selection, such as `data.rowData(values)`, and returns the token after it."""
        while True:
            name = take()
            path = f'{path}.{name}' if path else str(name)
            below = shape and (shape if name == '*' else (shape.fields or {}).get(name))
            if name in (None, *',().') or shape and not below:
                raise BadMask(path)
            after = take()
            known = name in tree and not tree[name]
            if after not in ('.', '('):
                tree[name] = {}
                return after
            inner = {} if known else tree.setdefault(name, {})
            if after == '(':
                selections(inner, below, path, True)
                return take()
            tree, shape = inner, below

    tree = {}
    selections(tree, shape, '', False)
    return simplified(tree)


def simplified(tree):
    return {} if '*' in tree else {name: simplified(below) for name, below in tree.items()}


def wants(mask, *path):
    """Whether a mask wants anything at a path."""
    for name in path:
        if not mask:
            return True
        if name not in mask:
            return False
        mask = mask[name]
    return True


def leaves(mask, path=''):
    """The paths of a mask, such as `gridProperties.rowCount`."""
    for name, below in mask.items():
        if below and isinstance(below, dict):
            yield from leaves(below, f'{path}{name}.')
        else:
            yield path + name


def select(value, mask):
    """The part of a value that a mask wants."""
    if not mask:
        return value
    if isinstance(value, dict):
        return {name: select(item, mask[name]) for name, item in value.items() if name in mask}
    if isinstance(value, (list, tuple)):
        return [select(item, mask) for item in value]
    return value
