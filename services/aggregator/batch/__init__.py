"""A batch after it was sealed: its start, its end, its redrive, and what a rejected one leaves."""
