"""What the notebooks draw. Plots return their figure."""
