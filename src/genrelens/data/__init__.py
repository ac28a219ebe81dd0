"""Labelled clips: folders, splits, checks, and GTZAN."""
