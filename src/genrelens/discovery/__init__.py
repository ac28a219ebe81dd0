"""Find audio files: from folders, patterns and playlists to the files that they name."""
