"""Filters, rooms and codecs, for augmentation in training and for robustness tests."""
