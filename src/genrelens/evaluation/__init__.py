"""How well a model does, and how far that can be trusted: predictions, scores, reports, leaks."""
