"""Training. The only part of genrelens that imports torch and Lightning."""
