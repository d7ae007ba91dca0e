"""`ecp api`: where the HTTP API is, and its views made anew."""
