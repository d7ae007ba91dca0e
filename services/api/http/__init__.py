"""HTTP: what may be asked, in which form it is answered, and what is said of a wrong question."""
