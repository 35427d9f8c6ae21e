"""Plots for the notebooks; each returns its figure."""
