"""`ecp dlq`: messages that no service could take."""
