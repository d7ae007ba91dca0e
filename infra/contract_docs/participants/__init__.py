"""Who says and hears what, read from the sources so that nobody keeps a second list."""

from infra.contract_docs.participants.participant import BUS, Endpoint, Participant, Participants
from infra.contract_docs.participants.reading import read_participants

__all__ = ["BUS", "Endpoint", "Participant", "Participants", "read_participants"]
