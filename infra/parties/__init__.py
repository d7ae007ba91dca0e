"""Who says and hears what, read from the sources so that nobody keeps a second list."""

from infra.parties.party import BUS, Parties, Party, Said
from infra.parties.reading import read_parties

__all__ = ["BUS", "Parties", "Party", "Said", "read_parties"]
