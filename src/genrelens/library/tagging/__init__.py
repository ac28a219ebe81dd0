"""Plan, write and undo genre tags of a library."""
