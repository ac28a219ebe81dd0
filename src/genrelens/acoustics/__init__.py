"""Filters, rooms and codecs: what changes a recording on its way to a listener."""
