"""What the generator prints."""

import re
from collections import Counter

from .holding import holds

STATS_LINE = re.compile(
    r"Requests: (?P<requests>\d+) \| Success: (?P<success>\d+) \| Failed: (?P<failed>\d+)"
    r" \| Blocked: (?P<blocked>\d+) \| RPS: (?P<rps>\d+\.\d)"
)


class Summary:
    """The generator's summary, whose ledger balances."""

    def __init__(self, log):
        scheduled = self.find(r"scheduled (\d+) = sent (\d+) \+ dropped (\d+) \+ unsent (\d+)", log)
        sent = self.find(r"sent (\d+) = allowed (\d+) \+ blocked (\d+) \+ failed (\d+) \+ abandoned (\d+)", log)
        total, self.sent, dropped, unsent = map(int, scheduled.groups())
        also_sent, self.allowed, self.blocked, self.failed, abandoned = map(int, sent.groups())
        holds(total == self.sent + dropped + unsent, f"does not balance: {scheduled[0]}")
        holds(self.sent == also_sent == self.allowed + self.blocked + self.failed + abandoned,
              f"does not balance: {scheduled[0]}; {sent[0]}")
        columns = self.find(r"^ +target +(.*?) +p50", log)[1].split()
        # A long name has a line of its own.
        rows = re.findall(r"^ +(https?://\S+)" + r"\s+(\d+)" * len(columns), log, re.MULTILINE)
        self.rows = {url: {"abandoned": 0, **dict(zip(columns, map(int, numbers)))} for url, *numbers in rows}
        kinds = self.find(r"^ +failures: (.*(?:\n {12}.*)*)", log)[1]
        self.failures = Counter()
        for cause, count in re.findall(r"(\w+) ×(\d+)", kinds):
            self.failures[cause] += int(count)

    @staticmethod
    def find(pattern, log):
        found = re.search(pattern, log, re.MULTILINE)
        holds(found, f"there is no summary with '{pattern}' in\n{log}")
        return found
