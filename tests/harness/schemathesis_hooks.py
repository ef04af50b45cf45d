"""What Schemathesis cannot know: links that work, and what is to be told of each answer.

`SETPASS_TOKENS` names a file with a JSON list of tokens of links that nobody has used. Where a request to set a password
has a token at all, it is given the first of them instead, until that link has been used. To `SETPASS_ANSWERS` a line is
appended for each answer: the operation's id and the status.
"""

import json
import os
import threading

import schemathesis

LOCK = threading.Lock()
ANSWERS = os.environ['SETPASS_ANSWERS']
with open(os.environ['SETPASS_TOKENS']) as file:
    TOKENS = json.load(file)


def operation_id(case):
    return case.operation.definition.raw['operationId']


@schemathesis.hook
def before_call(context, case, kwargs):
    if operation_id(case) != 'setPassword' or not isinstance((case.query or {}).get('token'), str):
        return
    with LOCK:
        if TOKENS:
            case.query['token'] = TOKENS[0]


@schemathesis.hook
def after_call(context, case, response):
    with LOCK:
        if operation_id(case) == 'setPassword' and response.status_code == 200:
            token = (case.query or {}).get('token')
            if token in TOKENS:
                TOKENS.remove(token)
        with open(ANSWERS, 'a') as answers:
            answers.write('%s %d\n' % (operation_id(case), response.status_code))
