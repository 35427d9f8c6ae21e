"""Function-preserving rescalings that give the course models outlier channels."""
