"""A slow, plain reading of CSV rows (docs/design.md, Validation), character by character.

What the validator has to agree with. It shares no code with it: no regular expressions, no
numpy, no Arrow; Decimal for money.
"""

import unicodedata
from datetime import date, timedelta
from decimal import Decimal

TODAY = date(2026, 11, 23)
COLUMNS = {
    "orders": ["order_id", "user_id", "order_date", "total_amount", "status"],
    "order_items": ["order_id", "product_id", "quantity", "unit_price"],
    "products": ["product_id", "category", "name", "price"],
}
OPTIONAL = {"orders": ["currency"], "order_items": ["line_id", "line_amount", "currency"]}
DATA_COLUMNS = {column for columns in [*COLUMNS.values(), *OPTIONAL.values()] for column in columns}
NOTHING = {"", "NULL", "null", "\\N", "NaN", "nan", "None", "N/A"}
MAY_SAY_NOTHING = {"user_id", "line_id", "line_amount", "currency"}
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
    while text.startswith("\ufeff"):
        text = text[1:]
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
    while index < len(lines) and (
        not without_break(lines[index]).strip(" \t\r") or names_a_delimiter(lines[index])
    ):
        index += 1
    if index == len(lines):
        return ("rejected", "file.empty" if is_whole else "file.encoding")
    if "\0" in lines[index]:
        return ("rejected", "file.binary")
    known = COLUMNS[kind] + OPTIONAL.get(kind, [])
    delimiter, (names, spare) = ",", header_names(lines[index], ",")
    for other in ";\t":
        others, unnamed = header_names(lines[index], other)
        if set(others) <= set(known) and is_header(others, kind) and is_each_once(others):
            delimiter, names, spare = other, others, unnamed
    if not is_header(names, kind) or any(names.count(column) > 1 for column in known):
        return ("rejected", "file.header")
    if not is_whole:
        return ("rejected", "file.encoding")
    layout = Layout(names, delimiter, spare)
    found = read_rows(lines[index + 1 :], index + 2, layout, kind, returns_end_lines)
    accepted, bad = settled(*found, kind)
    return ("read", accepted, bad) if accepted or bad else ("rejected", "file.no_rows")


def read_plainly(text, kind):
    """Rows after a header of one line that ends in LF: accepted, bad."""
    found = read_rows(split_lines(text, False), 2, Layout(COLUMNS[kind], ","), kind, False)
    return settled(*found, kind)


def settled(accepted, bad, kind):
    """Of rows with one key the last stands; those that say otherwise are bad, equal ones go."""
    standing, kept, contradicted = {}, [], []
    for row, raw in reversed(accepted):
        key = (row[0], row[4]) if kind == "order_items" else row[0]
        stands = standing.setdefault(key, row)
        if stands is row or (kind == "order_items" and row[4] is None):
            kept.insert(0, row)
        elif stands[:-1] != row[:-1]:
            column = {"orders": "order_id", "products": "product_id"}.get(kind, "line_id")
            contradicted.append((row[-1], f"{column}.contradicted", column, raw))
    return kept, sorted([*bad, *contradicted])


class Layout:
    def __init__(self, names, delimiter, spare=0):
        self.names, self.delimiter, self.spare = names, delimiter, spare
        self.blanks = " " if delimiter == "\t" else " \t"


def header_names(line, delimiter):
    fields, _ = read_one([line], 0, Layout([], delimiter))
    names = [plain_cell(field.lstrip("\ufeff")).lower() for field in fields or []]
    count = len(names)
    while len(names) > 1 and names[-1] == "":
        names.pop()
    return names, count - len(names)


def is_header(names, kind):
    return all(column in names for column in COLUMNS[kind])


def is_each_once(names):
    return len(set(names)) == len(names)


def names_a_delimiter(line):
    """`sep=;`, quoted or not, with delimiters after it."""
    text = line.strip("\r\n").lower().rstrip(",; \t\r")
    if text in ("sep=", '"sep=', '"sep="'):
        return True
    text = text.removeprefix('"').removesuffix('"')
    named = text.removeprefix("sep=")
    is_one = named == "\\t" or (len(named) == 1 and not named.isalnum() and named != "_")
    return text.startswith("sep=") and is_one


def plain_cell(text):
    """Composed, with every space a space, trimmed; what a spreadsheet's text formula shows."""
    composed = unicodedata.normalize("NFC", text)
    spaced = [" " if unicodedata.category(each) == "Zs" else each for each in composed]
    text = "".join(spaced).strip(" \t")
    if len(text) >= 3 and text.startswith('="') and text.endswith('"'):
        inside = text[2:-1].replace('""', "")
        if '"' not in inside:
            return text[2:-1].replace('""', '"').strip(" \t")
    return text


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


def read_rows(lines, line_number, layout, kind, returns_end_lines):
    """Accepted rows as tuples ending in the line, bad rows as (line, rule, column, raw)."""
    accepted, bad = [], []
    while lines:
        body = without_break(lines[0])
        fields, count = read_one(lines, 0, layout)
        if "\r" in body and not returns_end_lines and is_several(body, fields, layout):
            parts = split_lines(lines[0], True)
            good, faulty = read_rows(parts, line_number, layout, kind, True)
            accepted, bad = accepted + good, bad + faulty
            line_number += len(parts)
            lines = lines[1:]
            continue
        if body.strip(layout.blanks + "\r"):
            raw = without_break("".join(lines[:count]))
            if "\0" in raw:
                bad.append((line_number, "record.nul", None, raw))
            elif fields is None:
                bad.append((line_number, "record.quote", None, raw))
            else:
                values, faults = check_row(fields, layout.names, kind)
                if faults:
                    bad.append((line_number, *faults[0], raw))
                else:
                    accepted.append(((*values, line_number), raw))
        line_number += count
        lines = lines[count:]
    return accepted, bad


def is_several(body, fields, layout):
    """Whether the CRs in a line end lines: see services/validator/reading/segments.py."""
    if fields is None or len(fields) != len(layout.names):
        return True
    return all(is_healthy(part, layout) for part in body.split("\r") if part.strip(" \t"))


def is_healthy(line, layout):
    fields, _ = read_one([line], 0, layout)
    return fields is not None and "\0" not in line and not check_row(fields, layout.names)[1]


def without_break(line):
    return line.removesuffix("\n").removesuffix("\r")


def read_one(lines, index, layout):
    """Fields and how many lines they take; None for a record that is broken."""
    names, delimiter, blanks = layout.names, layout.delimiter, layout.blanks
    spanning = {}
    fields, current, state = [], "", "start"
    position = index
    while True:
        for character in without_break(lines[position]):
            if state == "start":
                if character in blanks:
                    current += character
                elif character == '"':
                    current, state = "", "quoted"
                elif character == delimiter:
                    fields.append(current)
                    current = ""
                elif character == "=":
                    current, state = "=", "equals"
                else:
                    current, state = current + character, "bare"
            elif state == "equals" and character == '"':
                current, state = current + '"', "formula"
            elif state == "formula":
                current, state = current + character, "formula"
                if character == '"':
                    state = "quote in formula"
            elif state == "quote in formula" and character == '"':
                current, state = current + '"', "formula"
            elif state in ("bare", "equals"):
                state = "bare"
                if character == '"':
                    return None, 1
                if character == delimiter:
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
            elif character == delimiter:
                fields.append(current)
                current, state = "", "start"
            elif character in blanks:
                state = "closed"
            else:
                return None, 1
        if state == "formula":
            return None, 1
        if state != "quoted":
            break
        spanning[len(fields)] = True
        if position + 1 == len(lines):
            return None, 1
        following = without_break(lines[position + 1])
        if any(is_healthy(part, layout) for part in [following, *following.split("\r")]):
            return None, 1
        current += lines[position][len(without_break(lines[position])) :]
        position += 1
    fields.append(current)
    fields = [field.strip(" \t") for field in fields]
    if names and not any(plain_cell(field) for field in fields[len(names) + layout.spare :]):
        fields = fields[: len(names)]
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
    columns = [name for name in names if name in DATA_COLUMNS]
    if kind:
        known = COLUMNS[kind] + OPTIONAL.get(kind, [])
        columns = sorted(set(names) & set(known), key=known.index)
    checked = [check_field(column, texts[column]) for column in columns]
    faults = [
        (f"{column}.{fault}", column)
        for column, (_, fault) in zip(columns, checked, strict=True)
        if fault
    ]
    values = dict(zip(columns, (value for value, _ in checked), strict=True))
    if kind == "order_items" and not faults:
        amount = values.pop("line_amount", None)
        if amount is None:
            amount = values["quantity"] * values["unit_price"]
        values = {**values, "line_id": values.pop("line_id", None), "line_amount": amount}
    values.pop("currency", None)
    return list(values.values()), faults


def check_field(column, cell):
    """The staged value and the broken rule; both None for nothing where that is an answer."""
    text = plain_cell(cell)
    if column in MAY_SAY_NOTHING and text in NOTHING:
        return None, None
    if text == "":
        return None, "required"
    if column.endswith("_id") and is_shortened(text):
        return None, "shortened"
    if column.endswith("_id") and is_sheet_error(text):
        return None, "error"
    if column == "order_date":
        return check_date(text)
    if column in ("total_amount", "unit_price", "price", "line_amount"):
        return check_number(text, 2, Decimal(0), Decimal("9999999999.99"))
    if column == "quantity":
        return check_number(text, 0, Decimal(1), Decimal(1_000_000))
    if column == "currency":
        is_code = len(text) == 3 and all("a" <= each.lower() <= "z" for each in text)
        return (text.upper(), None) if is_code else (None, "format")
    longest = {"name": 1024, "category": 256}.get(column, 64)
    if len(text) > longest:
        return None, "maxLength"
    joiners = "\u200c\u200d" if column == "category" else ""
    if column != "name" and any(not is_printable(each) for each in text if each not in joiners):
        return None, "pattern"
    return (text.lower() if column == "status" else text), None


def is_printable(character):
    code = ord(character)
    invisible = (0xA0, 0xAD, 0xFEFF)
    ranges = ((0, 0x1F), (0x7F, 0x9F), (0x200B, 0x200F), (0x2028, 0x202E), (0x2060, 0x2064))
    return code not in invisible and not any(low <= code <= high for low, high in ranges)


def is_sheet_error(text):
    """#N/A, #REF!, #NAME?, ###; but not #1001, which may be an id."""
    if text in ("#N/A", "#NV") or (len(text) > 2 and not text.strip("#")):
        return True
    inner = text[1:-1]
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    is_word = inner[:1] in set(letters) and not set(inner) - set(letters + "/_" + "0123456789")
    return text[:1] == "#" and text[-1:] in ("!", "?") and is_word


def is_shortened(text):
    """7.41099E+12, 1,23457E+12, 1E+12, 7.4E12; but not 1E12, which may be an id."""
    text = text.removeprefix("-") if text.startswith("-") else text.removeprefix("+")
    at = max(text.find("e"), text.find("E"))
    digits, power = text[:at], text[at + 1 :]
    if at < 1 or digits[0] not in DIGITS:
        return False
    sign = power[:1] if power[:1] in ("+", "-") else ""
    power = power[len(sign) :]
    if not 1 <= len(power) <= 3 or set(power) - DIGITS:
        return False
    if len(digits) == 1:
        return sign == "+"
    return digits[1] in ".," and len(digits) > 2 and not set(digits[2:]) - DIGITS


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
    if dot and not decimals:
        return None, "format"
    if decimals[places:].strip("0"):
        return None, "format"
    value = Decimal(text)
    if value < lowest:
        return None, "minimum"
    if value > highest:
        return None, "maximum"
    return int(value * 10**places), None
