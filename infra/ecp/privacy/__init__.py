"""`ecp privacy`: erasing one user everywhere; new pseudonyms for all."""
