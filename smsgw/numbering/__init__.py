"""What a number tells: country, operator and time zones, by prefix, from data files with their source and date. Pure values."""
