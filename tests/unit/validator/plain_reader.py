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
DIGITS = set("0123456789")


def read_plainly(text, kind):
    """Accepted rows as tuples ending in the line, bad rows as (line, rule, column, raw)."""
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    lines = [line[:-1] + "\r" if line.endswith("\r") else line for line in lines]
    accepted, bad = [], []
    index = 0
    while index < len(lines):
        if not without_return(lines[index]).strip(" \t\r"):
            index += 1
            continue
        fields, count = read_one(lines, index, kind)
        line_number = index + 2
        if fields is None:
            bad.append((line_number, "record.quote", None, without_return(lines[index])))
        else:
            raw = without_return("\n".join(lines[index : index + count]))
            values, faults = check_row(fields, kind)
            if faults:
                bad.append((line_number, *faults[0], raw))
            else:
                accepted.append((*values, line_number))
        index += count
    return accepted, bad


def without_return(line):
    return line[:-1] if line.endswith("\r") else line


def read_one(lines, index, kind):
    """Fields and how many lines they take; None for a record that is broken."""
    width = len(COLUMNS[kind])
    spanning = {}
    fields, current, state = [], "", "start"
    position = index
    while True:
        for character in without_return(lines[position]):
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
        alone, _ = read_one([lines[position + 1]], 0, kind)
        if alone is not None and not check_row(alone, kind)[1]:
            return None, 1
        current += "\r\n" if lines[position].endswith("\r") else "\n"
        position += 1
    fields.append(current)
    fields = [field.strip(" \t") for field in fields]
    if position > index:
        if len(fields) != width:
            return None, 1
        for column in spanning:
            if check_field(COLUMNS[kind][column], fields[column])[1]:
                return None, 1
    return fields, position - index + 1


def check_row(fields, kind):
    columns = COLUMNS[kind]
    if len(fields) != len(columns):
        return [], [("record.fields", None)]
    checked = [check_field(column, field) for column, field in zip(columns, fields, strict=True)]
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
