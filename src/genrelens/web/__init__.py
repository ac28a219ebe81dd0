"""The HTTP API and the web page. Needs the extra ``web``."""
