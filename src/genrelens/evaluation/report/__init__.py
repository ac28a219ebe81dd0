"""Reports of evaluations: an HTML page, figures, and all numbers as JSON and CSV."""
