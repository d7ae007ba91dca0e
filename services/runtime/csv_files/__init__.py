"""How a CSV file of the file contracts is read: records, header, fields; used by more than one."""
