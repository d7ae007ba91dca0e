"""`ecp demo` and `ecp sample`: an invented shop."""
