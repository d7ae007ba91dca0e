"""What services say to each other and the plumbing that carries it; imports nothing of ours."""
