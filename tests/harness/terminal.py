"""Runs a command on a terminal of its own, answers what it asks, and prints what the terminal showed.

    terminal.py [QUESTION ANSWER]... -- COMMAND...

Each answer is typed once its question has appeared and the terminal echoes no more, as most of these answers are
secrets, and no person types before that. The answer to a question that is written with a + before it is no secret. Ends with the command's status, or with 124 where a
question does not appear, or the command does not end, within a minute.
"""

import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time

words = sys.argv[1:sys.argv.index('--')]
command = sys.argv[len(words) + 2:]
dialogue = [
    (question.lstrip('+').encode(), answer.encode(), not question.startswith('+'))
    for question, answer in zip(words[::2], words[1::2])
]

child, terminal = pty.fork()
if child == 0:
    os.execvp(command[0], command)

# As large as a person's window; a new terminal has no size.
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack('HHHH', 50, 160, 0, 0))
shown, answered = b'', 0
end = time.monotonic() + 60


def echoes():
    return bool(termios.tcgetattr(terminal)[3] & termios.ECHO)


while time.monotonic() < end:
    if dialogue and dialogue[0][0] in shown[answered:] and not (dialogue[0][2] and echoes()):
        question, answer, _ = dialogue.pop(0)
        answered = shown.index(question, answered) + len(question)
        os.write(terminal, answer + b'\n')
    if not select.select([terminal], [], [], 0.01)[0]:
        continue
    try:
        part = os.read(terminal, 65536)
    except OSError:  # Linux says so when the other side is closed.
        part = b''
    if not part:
        break
    shown += part
else:
    os.kill(child, 9)
    dialogue.append(None)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
sys.stdout.buffer.write(shown)
sys.exit(124 if dialogue else status)
