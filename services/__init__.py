"""The five services of the pipeline; none imports another."""
