"""The AWS that runs on one machine: started, found and stopped from here."""
