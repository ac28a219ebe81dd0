"""The networks of the 2018 experiment and the two stages of their training."""
