"""Cast text to dates, amounts, codes and flags."""
