"""How the text of a fault names the rule that it breaks, and how that is taken away again.

Who says the rule beside the text, or of a whole file, does not say it twice.
"""

import re

_NAMED = re.compile(r" \(rule [a-z_.]+, [a-z][a-z0-9_-]* v\d+\)")


def rule_named(rule: str, contract: str) -> str:
    """The end of a fault's text: ` (rule order_date.format, orders v2)`."""
    return f" (rule {rule}, {contract})"


def without_rules(text: str) -> str:
    """The text of one or more faults, without the rules that it names."""
    return _NAMED.sub("", text)
