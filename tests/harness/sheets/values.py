"""The methods of sheets.spreadsheets.values.

Each takes a spreadsheet, which it may change if it is no reading method, the parameters and the body of the call.
"""

import itertools

from . import a1, cells
from .a1 import Area
from .answers import Rows
from .errors import ApiError, invalid


def get(spreadsheet, parameters, _):
    return value_range(
        spreadsheet, parameters['range'], parameters.get('majorDimension'), parameters.get('valueRenderOption'))


def batch_get(spreadsheet, parameters, _):
    ranges = [
        value_range(spreadsheet, text, parameters.get('majorDimension'), parameters.get('valueRenderOption'))
        for text in parameters.get('ranges', [])]
    return {'spreadsheetId': spreadsheet.spreadsheet_id} | ({'valueRanges': ranges} if ranges else {})


def value_range(spreadsheet, text, dimension, render):
    """The ValueRange for a range that was asked for."""
    sheet, area = spreadsheet.resolve(text)
    area = sheet.area(area)
    rows = sheet.read(area)
    dimension = 'COLUMNS' if dimension == 'COLUMNS' else 'ROWS'
    if dimension == 'COLUMNS':
        rows = columns_of(rows)
    answer = {'range': a1.format_range(sheet.title, area), 'majorDimension': dimension}
    if rows:
        show = cells.RENDER[render or 'FORMATTED_VALUE']
        answer['values'] = Rows([cell if type(cell) is str else show(cell) for cell in row] for row in rows)
    return answer


def columns_of(rows):
    """The columns of rows, without what is empty at their ends."""
    columns = []
    for column in itertools.zip_longest(*rows):
        end = len(column)
        while end and column[end - 1] is None:
            end -= 1
        columns.append(column[:end])
    return columns


def update(spreadsheet, parameters, body):
    if body.get('range') not in (None, parameters['range']):
        raise invalid(f"The range of the values is {body['range']}, but that of the request {parameters['range']}.")
    return put(spreadsheet, parameters['range'], body, parameters, parameters)


def batch_update(spreadsheet, _, body):
    responses = []
    for index, item in enumerate(body.get('data', [])):
        try:
            responses.append(put(spreadsheet, item.get('range', ''), item, body, body))
        except ApiError as error:
            raise invalid(f'Invalid data[{index}]: {error.message}') from error
    totals = {
        'totalUpdated' + what: sum(response.get('updated' + what, 0) for response in responses)
        for what in ('Rows', 'Columns', 'Cells')}
    totals['totalUpdatedSheets'] = len({
        response['updatedRange'].rpartition('!')[0] for response in responses if 'updatedCells' in response})
    return {'spreadsheetId': spreadsheet.spreadsheet_id} | without_zeros(totals) | {'responses': responses}


def put(spreadsheet, text, values, options, rendering):
    """Writes a ValueRange into the range that a text names, and returns the UpdateValuesResponse."""
    lines = entered_lines(values, options)
    sheet, area = spreadsheet.resolve(text)
    if (area.bottom or 0) > sheet.row_count or (area.right or 0) > sheet.column_count:
        raise sheet.exceeded(area)
    # A single cell is where the values begin; every other range is what they have to fit into.
    limits = sheet.area(area._replace(bottom=None, right=None) if area.is_cell() else area, area)
    named = a1.format_range(sheet.title, area)
    if area.top + len(lines) > limits.bottom:
        raise invalid(
            f'Requested writing within range [{named}], but tried writing to row [{limits.bottom + 1}]')
    if area.left + width(lines) > limits.right:
        raise invalid(f'Requested writing within range [{named}], but tried writing to column '
                      f'[{a1.column_name(limits.right)}]')
    spreadsheet.write(sheet, area.top, area.left, lines)
    return update_response(spreadsheet, sheet, area.top, area.left, lines, rendering)


def append(spreadsheet, parameters, body):
    lines = entered_lines(body, parameters)
    sheet, area = spreadsheet.resolve(parameters['range'])
    table = find_table(sheet, sheet.area(area))
    top, left = (table.bottom, table.left) if table else (area.top, area.left)
    if parameters.get('insertDataOption') == 'INSERT_ROWS':
        sheet.insert_rows(top, len(lines))
    spreadsheet.write(sheet, top, left, lines)
    spreadsheet.check_size()
    answer = {'spreadsheetId': spreadsheet.spreadsheet_id}
    if table:
        answer['tableRange'] = a1.format_range(sheet.title, table)
    return answer | {'updates': update_response(spreadsheet, sheet, top, left, lines, parameters)}


def find_table(sheet, area):
    """The last table with a cell in an area: the block around its last filled row that nothing else touches."""
    rows = sheet.rows

    def filled(row, left, right):
        return any(cell is not None for cell in rows[row][max(left, 0):right])

    last = next((row for row in reversed(range(area.top, min(area.bottom, len(rows))))
                 if filled(row, area.left, area.right)), None)
    if last is None:
        return None
    left = next(column for column in range(area.left, area.right) if rows[last][column] is not None)
    top, bottom, right = last, last + 1, left + 1
    grown = None
    while grown != (top, left, bottom, right):
        grown = top, left, bottom, right
        while top and filled(top - 1, left - 1, right + 1):
            top -= 1
        while bottom < len(rows) and filled(bottom, left - 1, right + 1):
            bottom += 1
        while left and any(filled(row, left - 1, left) for row in range(top, bottom)):
            left -= 1
        while any(filled(row, right, right + 1) for row in range(top, bottom)):
            right += 1
    return Area(top, left, bottom, right)


def clear(spreadsheet, parameters, _):
    return {
        'spreadsheetId': spreadsheet.spreadsheet_id,
        'clearedRange': clear_range(spreadsheet, parameters['range']),
    }


def batch_clear(spreadsheet, _, body):
    return {
        'spreadsheetId': spreadsheet.spreadsheet_id,
        'clearedRanges': [clear_range(spreadsheet, text) for text in body.get('ranges', [])],
    }


def clear_range(spreadsheet, text):
    sheet, area = spreadsheet.resolve(text)
    area = sheet.area(area)
    sheet.clear(area)
    return a1.format_range(sheet.title, area)


def entered_lines(values, options):
    """The rows of cells for a ValueRange that is to be written."""
    option = options.get('valueInputOption')
    if option in (None, 'INPUT_VALUE_OPTION_UNSPECIFIED'):
        raise invalid("'valueInputOption' is required but not specified")
    lines = [
        [cells.from_value(value, option == 'USER_ENTERED', f'values[{row}][{column}]')
         for column, value in enumerate(line)]
        for row, line in enumerate(values.get('values', []))]
    if values.get('majorDimension') == 'COLUMNS':
        lines = [list(line) for line in itertools.zip_longest(*lines, fillvalue=cells.KEEP)]
    return lines


def width(lines):
    return max(map(len, lines), default=0)


def update_response(spreadsheet, sheet, top, left, lines, rendering):
    written = [[cell is not cells.KEEP for cell in line] for line in lines]
    area = Area(top, left, top + max(len(lines), 1), left + max(width(lines), 1))
    answer = {
        'spreadsheetId': spreadsheet.spreadsheet_id,
        'updatedRange': a1.format_range(sheet.title, area),
    } | without_zeros({
        'updatedRows': sum(map(any, written)),
        'updatedColumns': sum(map(any, itertools.zip_longest(*written))),
        'updatedCells': sum(map(sum, written)),
    })
    if rendering.get('includeValuesInResponse'):
        answer['updatedData'] = value_range(
            spreadsheet, answer['updatedRange'], None, rendering.get('responseValueRenderOption'))
    return answer


def without_zeros(counts):
    """Counts as Google writes them: a zero is left out."""
    return {name: count for name, count in counts.items() if count}


READING = {'get': get, 'batchGet': batch_get}
WRITING = {
    'update': update, 'batchUpdate': batch_update, 'append': append, 'clear': clear, 'batchClear': batch_clear}
