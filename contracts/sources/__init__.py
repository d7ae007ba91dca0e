"""Sources: how a file of a shop's export becomes orders, order lines and products.

A source is a YAML document (docs/design.md, Sources). This package reads it and says what is wrong
with it as a document; what its expressions may be is judged by services/runtime/sources.
"""
