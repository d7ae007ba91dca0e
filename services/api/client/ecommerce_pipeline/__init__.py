"""The pipeline's numbers as pandas DataFrames: `from ecommerce_pipeline import connect`.

```python
from ecommerce_pipeline import connect

july = connect().order_kpis("2025-07-01", "2025-07-31")
```

Nothing heavy is loaded before it is needed. How to ask is in docs/python.md.
"""

from ecommerce_pipeline.client import Client
from ecommerce_pipeline.connection import connect
from ecommerce_pipeline.errors import (
    ApiError,
    Busy,
    NoAnswer,
    NotFound,
    NotLetIn,
    WrongQuestion,
)

__all__ = [
    "ApiError",
    "Busy",
    "Client",
    "NoAnswer",
    "NotFound",
    "NotLetIn",
    "WrongQuestion",
    "connect",
]
