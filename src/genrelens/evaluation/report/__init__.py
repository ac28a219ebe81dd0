"""Reports of evaluations: a page, figures and all numbers."""
