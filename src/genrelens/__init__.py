"""genrelens."""
