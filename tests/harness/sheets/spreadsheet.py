"""Spreadsheets and their worksheets.

A spreadsheet that is stored is never changed: a change is made to a copy, which takes its place when all of it went
well. That makes every change atomic, and lets a long answer be written from a spreadsheet that others are changing.
Rows are tuples, which copies share, so that a copy costs little.
"""

import secrets
from dataclasses import dataclass, field, replace

from . import a1, cells
from .errors import invalid
from .notes import Notes, deleted, inserted

LARGEST = 10_000_000
NEW_SHEET = 1000, 26


def trimmed(row):
    """A row without the empty cells at its end."""
    end = len(row)
    while end and row[end - 1] is None:
        end -= 1
    return tuple(row[:end])


@dataclass(eq=False)
class Sheet:
    """A worksheet. `rows` has neither empty cells at the end of a row nor empty rows at the end."""

    title: str
    sheet_id: int = field(default_factory=lambda: secrets.randbelow(2 ** 31 - 1) + 1)
    rows: list = field(default_factory=list)
    row_count: int = NEW_SHEET[0]
    column_count: int = NEW_SHEET[1]
    frozen_rows: int = 0
    frozen_columns: int = 0
    hidden: bool = False
    notes: Notes = field(default_factory=Notes)

    def copy(self):
        return replace(self, rows=list(self.rows), notes=self.notes.copy())

    def area(self, area, described=None):
        """The part of an area that the grid has. An area that begins outside of the grid is an error."""
        if area.top >= self.row_count or area.left >= self.column_count:
            raise self.exceeded(described or area)
        return area.within(self.row_count, self.column_count)

    def exceeded(self, area):
        return invalid(f'Range ({a1.format_range(self.title, area)}) exceeds grid limits. '
                       f'Max rows: {self.row_count}, max columns: {self.column_count}')

    def read(self, area):
        """The rows of an area within the grid, without what is empty at their ends."""
        rows = self.rows[area.top:area.bottom]
        if area.left or area.right < self.column_count:
            rows = [trimmed(row[area.left:area.right]) for row in rows]
        while rows and not rows[-1]:
            rows.pop()
        return rows

    def write(self, top, left, lines):
        """Writes lines of cells, growing the grid where they need it. A cell that is KEEP stays as it is."""
        for index, line in enumerate(lines, top):
            while len(self.rows) <= index:
                self.rows.append(())
            row = list(self.rows[index])
            row.extend([None] * (left + len(line) - len(row)))
            for column, cell in enumerate(line, left):
                if cell is not cells.KEEP:
                    row[column] = cell
            self.rows[index] = trimmed(row)
            self.column_count = max(self.column_count, len(row))
        self.row_count = max(self.row_count, top + len(lines))
        self.drop_empty_end()

    def clear(self, area):
        """Empties the cells of an area within the grid."""
        for index in range(area.top, min(area.bottom, len(self.rows))):
            row = self.rows[index]
            blank = (None,) * (min(area.right, len(row)) - area.left)
            self.rows[index] = trimmed(row[:area.left] + blank + row[area.right:])
        self.drop_empty_end()

    def insert_rows(self, at, count):
        if at < len(self.rows):
            self.rows[at:at] = [()] * count
        self.row_count += count
        self.relocate_notes(row=inserted(at, count))

    def insert_columns(self, at, count):
        blank = (None,) * count
        self.rows = [row[:at] + blank + row[at:] if len(row) > at else row for row in self.rows]
        self.column_count += count
        self.relocate_notes(column=inserted(at, count))

    def delete_rows(self, start, end):
        del self.rows[start:end]
        self.row_count -= end - start
        self.relocate_notes(row=deleted(start, end))
        self.drop_empty_end()

    def delete_columns(self, start, end):
        self.rows = [trimmed(row[:start] + row[end:]) for row in self.rows]
        self.column_count -= end - start
        self.relocate_notes(column=deleted(start, end))
        self.drop_empty_end()

    def resize(self, row_count, column_count):
        """Sets the size of the grid; what is outside of it is lost."""
        if row_count < self.row_count:
            self.delete_rows(row_count, self.row_count)
        if column_count < self.column_count:
            self.delete_columns(column_count, self.column_count)
        self.row_count, self.column_count = row_count, column_count

    def sort(self, area, keys):
        """Sorts the rows of an area within the grid by (column, descending) pairs; empty cells come last."""
        def rank(row, column):
            cell = row[column] if column < len(row) else None
            return isinstance(cell, bool), isinstance(cell, str), cell if not isinstance(cell, str) else cell.casefold()

        rows = [(index, self.rows[index] if index < len(self.rows) else ()) for index in range(area.top, area.bottom)]
        for column, descending in reversed(keys):
            filled = [(index, row) for index, row in rows if column < len(row) and row[column] is not None]
            empty = [(index, row) for index, row in rows if column >= len(row) or row[column] is None]
            rows = sorted(filled, key=lambda item: rank(item[1], column), reverse=descending) + empty
        width = area.right - area.left
        self.write(area.top, area.left, [
            row[area.left:area.right] + (None,) * (width - len(row[area.left:area.right])) for _, row in rows])
        sorted_to = {before: after for after, (before, _) in enumerate(rows, area.top)}
        self.notes.relocate(lambda row, column: (
            (sorted_to.get(row, row) if area.left <= column < area.right else row), column))

    def relocate_notes(self, row=lambda index: index, column=lambda index: index):
        def place(from_row, from_column):
            to = row(from_row), column(from_column)
            return None if None in to else to

        self.notes.relocate(place)

    def drop_empty_end(self):
        while self.rows and not self.rows[-1]:
            self.rows.pop()


@dataclass(eq=False)
class Spreadsheet:
    """A spreadsheet. `formulas_created` counts the formulas that programs, not people, ever wrote into it."""

    spreadsheet_id: str
    title: str
    sheets: list
    shared_with: frozenset
    formulas_created: int = 0

    def copy(self):
        return replace(self, sheets=[sheet.copy() for sheet in self.sheets])

    def titled(self, title):
        """The worksheet with a title, whatever its case; None where there is none."""
        return next((sheet for sheet in self.sheets if sheet.title.casefold() == title.casefold()), None)

    def with_id(self, sheet_id):
        sheet = next((sheet for sheet in self.sheets if sheet.sheet_id == sheet_id), None)
        if sheet is None:
            raise invalid(f'No grid with id: {sheet_id}')
        return sheet

    def resolve(self, text):
        """The worksheet and the area, as it was written, of a range in A1 notation."""
        title, area = a1.parse(text) or ('', None)
        sheet = self.titled(title) if title is not None else self.sheets[0]
        if sheet is None or area is None:
            raise invalid(f'Unable to parse range: {text}')
        return sheet, area

    def write(self, sheet, top, left, lines):
        """A program's writing, as opposed to a person's."""
        self.formulas_created += sum(isinstance(cell, cells.Formula) for line in lines for cell in line)
        sheet.write(top, left, lines)

    def check_size(self):
        if sum(sheet.row_count * sheet.column_count for sheet in self.sheets) > LARGEST:
            raise invalid('This action would increase the number of cells in the workbook above the limit of '
                          f'{LARGEST} cells.')
