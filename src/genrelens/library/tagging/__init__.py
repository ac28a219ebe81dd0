"""Plan, write and undo genres in the tags of a library."""
