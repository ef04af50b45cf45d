"""What people do to a spreadsheet in their browser: rows and columns are named as they see them, from 1 and A."""

from . import a1, cells
from .a1 import Area
from .spreadsheet import Sheet


def cell_of(given):
    """A cell for what a test gives: a plain text, number or truth value, or an ExtendedValue. Nothing is parsed."""
    if isinstance(given, dict):
        return cells.from_extended(given)
    return None if given is None else cells.from_value(given, False, 'cell')


def line(given):
    return [cell_of(value) for value in given]


def new_sheet(given, **options):
    """A worksheet for `{"title", "rows", "row_count"?, "column_count"?}`, with as large a grid as it needs."""
    sheet = Sheet(given['title'], **options)
    sheet.row_count = given.get('row_count', sheet.row_count)
    sheet.column_count = given.get('column_count', sheet.column_count)
    sheet.write(0, 0, [line(row) for row in given.get('rows', [])])
    return sheet


def replace_rows(sheet, rows):
    sheet.clear(Area(0, 0, sheet.row_count, sheet.column_count))
    sheet.write(0, 0, [line(row) for row in rows])


def edit(spreadsheet, edits):
    """Makes edits one after the other."""
    for given in edits:
        given = dict(given)
        kind, sheet = given.pop('kind'), spreadsheet.titled(given.pop('sheet'))
        if kind not in EDITS or sheet is None:
            raise ValueError(f'no such kind of edit, or no such worksheet: {kind}')
        EDITS[kind](sheet, **given)
    spreadsheet.check_size()


def insert_row(sheet, row, values=()):
    """A new row, which then has the number `row`."""
    sheet.insert_rows(row - 1, 1)
    sheet.write(row - 1, 0, [line(values)])


def delete_row(sheet, row):
    sheet.delete_rows(row - 1, row)


def append_row(sheet, values):
    sheet.write(len(sheet.rows), 0, [line(values)])


def set_cell(sheet, cell, value):
    area = a1.parse_area(cell)
    sheet.write(area.top, area.left, [line([value])])


def set_note(sheet, cell, note):
    area = a1.parse_area(cell)
    sheet.notes.put(area.top, area.left, note)


def sort(sheet, column, descending=False, header_rows=1):
    area = Area(header_rows, 0, max(len(sheet.rows), header_rows), sheet.column_count)
    sheet.sort(area, [(a1.column_index(column), descending)])


def insert_column(sheet, column, values=()):
    at = a1.column_index(column)
    sheet.insert_columns(at, 1)
    sheet.write(0, at, [[value] for value in line(values)])


def delete_column(sheet, column):
    at = a1.column_index(column)
    sheet.delete_columns(at, at + 1)


def rename_sheet(sheet, title):
    sheet.title = title


EDITS = {
    'insert-row': insert_row, 'delete-row': delete_row, 'append-row': append_row, 'set-cell': set_cell,
    'set-note': set_note, 'sort': sort, 'insert-column': insert_column, 'delete-column': delete_column,
    'rename-sheet': rename_sheet,
}
