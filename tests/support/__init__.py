"""Helpers that several tests use: audio, files, small models, processes."""
