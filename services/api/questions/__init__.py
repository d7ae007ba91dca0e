"""What the api asks of others: how a number came about, and the rows that a file left behind."""
