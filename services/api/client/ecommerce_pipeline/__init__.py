"""The pipeline's numbers as pandas DataFrames."""
