"""The pages made of the contracts, who takes part in them, and the gate on a project's sources."""
