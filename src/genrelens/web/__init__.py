"""The page and the API: recordings over HTTP. Needs the extra ``web``."""
