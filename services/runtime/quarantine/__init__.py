"""What quarantined rows say, and what became of them: for their owner and whoever shows them."""
