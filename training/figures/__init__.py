"""The paper's figures for any picture."""
