"""Having images rated by radiologists: sheets to fill in, mean scores and agreement."""
