"""Who says and hears what, read from the sources so that nobody keeps a second list."""

from infra.contract_docs.participants.party import BUS, Parties, Party, Said
from infra.contract_docs.participants.reading import read_parties

__all__ = ["BUS", "Parties", "Party", "Said", "read_parties"]
