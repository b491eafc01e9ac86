"""Language modelling: next tokens of running text, of lines, and counted n-grams."""
