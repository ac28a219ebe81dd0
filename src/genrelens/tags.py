"""Genres in one file's tags."""
