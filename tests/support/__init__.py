"""What the tests share: audio, files, small models, processes."""
