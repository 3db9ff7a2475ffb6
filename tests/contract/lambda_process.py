"""A process like AWS Lambda's: it loads the handler once and then answers events one by one, line by line."""

import json
import sys

from api._lambda import handler

answers = sys.stdout
sys.stdout = sys.stderr  # the log is not to come between the answers

for line in sys.stdin:
    answers.write(json.dumps(handler(json.loads(line), None)) + "\n")
    answers.flush()
