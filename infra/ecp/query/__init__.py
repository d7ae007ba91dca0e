"""`ecp query`: SQL over the published tables: what may be asked, is read, and how it is written."""
