"""An evaluation as a web page, figures and numbers."""
