"""Find audio files: folders, patterns and playlists become paths."""
