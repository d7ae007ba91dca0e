"""Not here: images and functions hold no pandas, and Arrow loads it, slowly, wherever it finds it.

This folder is first on the path of processes that run the pipeline's own code, never of a client.
"""

raise ImportError(
    "pandas is for the Python client and for tests; no image and no function holds it"
)
