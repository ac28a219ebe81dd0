"""Find the audio files that folders, patterns and playlists name."""
