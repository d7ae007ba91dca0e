"""A slow, plain reading of CSV rows after DESIGN 3, character by character: what to agree with.

It shares no code with the validator: no regular expressions, no numpy, no Arrow; Decimal for money.
"""

from datetime import date, timedelta
from decimal import Decimal

TODAY = date(2026, 11, 23)
COLUMNS = {
    "orders": ["order_id", "user_id", "order_date", "total_amount", "status"],
    "order_items": ["order_id", "product_id", "quantity", "unit_price"],
    "products": ["product_id", "category", "name", "price"],
}
DATA_COLUMNS = {column for columns in COLUMNS.values() for column in columns}
DIGITS = set("0123456789")


def read_file_plainly(content, kind):
    """Of a whole file: ("rejected", rule), or ("read", accepted, bad).

    Header faults are found before a byte that is not UTF-8, if the header is whole before it.
    """
    if b"\0" in content.split(b"\n")[0].split(b"\r")[0]:
        return ("rejected", "file.binary")
    try:
        text, is_whole = content.decode(), True
    except UnicodeDecodeError as error:
        text, is_whole = content[: error.start].decode(), False
    text = text.removeprefix("\ufeff")
    first_line = text.split("\n")[0].split("\r")[0]
    after_first = text[len(first_line) :]
    if not is_whole and after_first == "\r":
        return ("rejected", "file.encoding")
    returns_end_lines = len(after_first) > 1 and after_first[0] == "\r" and after_first[1] != "\n"
    lines = split_lines(text, returns_end_lines)
    if not is_whole and lines:
        is_open = lines[-1] != text[-len(lines[-1]) :] or text[-1] != "\n"
        lines = lines[:-1] if is_open else lines
    index = 0
    while index < len(lines) and not without_break(lines[index]).strip(" \t\r"):
        index += 1
    if index == len(lines):
        return ("rejected", "file.empty" if is_whole else "file.encoding")
    if "\0" in lines[index]:
        return ("rejected", "file.binary")
    fields, _ = read_one(lines[index : index + 1], 0, [])
    names = [field.lower() for field in fields or []]
    if any(names.count(column) != 1 for column in COLUMNS[kind]):
        return ("rejected", "file.header")
    if not is_whole:
        return ("rejected", "file.encoding")
    accepted, bad = read_rows(lines[index + 1 :], index + 2, names, kind, returns_end_lines)
    return ("read", accepted, bad) if accepted or bad else ("rejected", "file.no_rows")


def read_plainly(text, kind):
    """Rows after a header of one line that ends in LF: accepted, bad."""
    return read_rows(split_lines(text, False), 2, COLUMNS[kind], kind, False)


def split_lines(text, returns_end_lines):
    """Lines with their line ends; the last one may have none."""
    lines, current = [], ""
    for index, character in enumerate(text):
        current += character
        is_return = character == "\r" and text[index + 1 : index + 2] != "\n"
        if character == "\n" or (is_return and returns_end_lines):
            lines.append(current)
            current = ""
    return [*lines, current] if current else lines


def read_rows(lines, line_number, names, kind, returns_end_lines):
    """Accepted rows as tuples ending in the line, bad rows as (line, rule, column, raw)."""
    accepted, bad = [], []
    while lines:
        body = without_break(lines[0])
        fields, count = read_one(lines, 0, names)
        if "\r" in body and not returns_end_lines and is_several(body, fields, names):
            parts = split_lines(lines[0], True)
            good, faulty = read_rows(parts, line_number, names, kind, True)
            accepted, bad = accepted + good, bad + faulty
            line_number += len(parts)
            lines = lines[1:]
            continue
        if body.strip(" \t\r"):
            raw = without_break("".join(lines[:count]))
            if "\0" in raw:
                bad.append((line_number, "record.nul", None, raw))
            elif fields is None:
                bad.append((line_number, "record.quote", None, raw))
            else:
                values, faults = check_row(fields, names, kind)
                if faults:
                    bad.append((line_number, *faults[0], raw))
                else:
                    accepted.append((*values, line_number))
        line_number += count
        lines = lines[count:]
    return accepted, bad


def is_several(body, fields, names):
    """Whether the CRs in a line end lines: see services/validator/segments.py."""
    if fields is None or len(fields) != len(names):
        return True
    return all(is_healthy(part, names) for part in body.split("\r") if part.strip(" \t"))


def is_healthy(line, names):
    fields, _ = read_one([line], 0, names)
    return fields is not None and "\0" not in line and not check_row(fields, names)[1]


def without_break(line):
    return line.removesuffix("\n").removesuffix("\r")


def read_one(lines, index, names):
    """Fields and how many lines they take; None for a record that is broken."""
    spanning = {}
    fields, current, state = [], "", "start"
    position = index
    while True:
        for character in without_break(lines[position]):
            if state == "start":
                if character in " \t":
                    current += character
                elif character == '"':
                    current, state = "", "quoted"
                elif character == ",":
                    fields.append(current)
                    current = ""
                else:
                    current, state = current + character, "bare"
            elif state == "bare":
                if character == '"':
                    return None, 1
                if character == ",":
                    fields.append(current)
                    current, state = "", "start"
                else:
                    current += character
            elif state == "quoted":
                if character == '"':
                    state = "quote in quoted"
                else:
                    current += character
            elif state == "quote in quoted" and character == '"':
                current, state = current + '"', "quoted"
            elif character == ",":
                fields.append(current)
                current, state = "", "start"
            elif character in " \t":
                state = "closed"
            else:
                return None, 1
        if state != "quoted":
            break
        spanning[len(fields)] = True
        if position + 1 == len(lines):
            return None, 1
        following = without_break(lines[position + 1])
        if any(is_healthy(part, names) for part in [following, *following.split("\r")]):
            return None, 1
        current += lines[position][len(without_break(lines[position])) :]
        position += 1
    fields.append(current)
    fields = [field.strip(" \t") for field in fields]
    if position > index:
        if len(fields) != len(names):
            return None, 1
        for column in spanning:
            if names[column] in DATA_COLUMNS and check_field(names[column], fields[column])[1]:
                return None, 1
    return fields, position - index + 1


def check_row(fields, names, kind=None):
    """Values in the contract's order and faults as (rule, column)."""
    if len(fields) != len(names):
        return [], [("record.fields", None)]
    texts = dict(zip(names, fields, strict=True))
    columns = COLUMNS[kind] if kind else [name for name in names if name in DATA_COLUMNS]
    checked = [check_field(column, texts[column]) for column in columns]
    faults = [
        (f"{column}.{fault}", column)
        for column, (_, fault) in zip(columns, checked, strict=True)
        if fault
    ]
    return [value for value, _ in checked], faults


def check_field(column, text):
    """The staged value and the broken rule, one of them None."""
    if text == "":
        return None, "required"
    if column == "order_date":
        return check_date(text)
    if column in ("total_amount", "unit_price", "price"):
        return check_number(text, 2, Decimal(0), Decimal("9999999999.99"))
    if column == "quantity":
        return check_number(text, 0, Decimal(1), Decimal(1_000_000))
    longest = {"name": 1024, "category": 256}.get(column, 64)
    if len(text) > longest:
        return None, "maxLength"
    if column != "name" and any(not is_printable(character) for character in text):
        return None, "pattern"
    return (text.lower() if column == "status" else text), None


def is_printable(character):
    code = ord(character)
    invisible = (0xA0, 0xAD, 0xFEFF)
    ranges = ((0, 0x1F), (0x7F, 0x9F), (0x200B, 0x200F), (0x2028, 0x202E), (0x2060, 0x2064))
    return code not in invisible and not any(low <= code <= high for low, high in ranges)


def check_date(text):
    parts = text.split("-")
    if [len(part) for part in parts] != [4, 2, 2] or set("".join(parts)) - DIGITS:
        return None, "format"
    try:
        day = date(*map(int, parts))
    except ValueError:
        return None, "format"
    if day < date(1970, 1, 1):
        return None, "minimum"
    if day > TODAY + timedelta(days=1):
        return None, "maximum"
    return day, None


def check_number(text, places, lowest, highest):
    whole, dot, decimals = text.removeprefix("-").partition(".")
    if not whole or set(whole) - DIGITS or set(decimals) - DIGITS:
        return None, "format"
    if dot and not 0 < len(decimals) <= places:
        return None, "format"
    value = Decimal(text)
    if value < lowest:
        return None, "minimum"
    if value > highest:
        return None, "maximum"
    return int(value * 10**places), None
