"""`ecp quarantine`: refused rows shown, exported, corrected, replayed, dismissed."""
