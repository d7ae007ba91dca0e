"""What the events of the bus come to: pure folds, whatever order and how often they came."""
