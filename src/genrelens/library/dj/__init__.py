"""Write entries of the catalogue as collections of DJ programs: Rekordbox, Traktor and Serato."""
