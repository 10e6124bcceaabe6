"""The paper's tables: competitors, ablations, and the records that RESULTS.md is made of."""
