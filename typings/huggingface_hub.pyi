# Types are checked without this package, which few need: whatever it has is taken for anything.
from typing import Any

def __getattr__(name: str) -> Any: ...
