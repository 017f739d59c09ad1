"""Claims of equivariance theory: a sentence, a formula, and a measurement that could refute it."""
