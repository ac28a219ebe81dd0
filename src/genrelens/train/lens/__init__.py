"""Classification heads on a frozen, pre-trained network."""
