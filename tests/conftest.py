"""What all tests share."""

from hypothesis import settings

# No deadline: a shared machine is slow now and then. The same examples in every run.
settings.register_profile("genrelens", deadline=None, derandomize=True, max_examples=30)
settings.load_profile("genrelens")
