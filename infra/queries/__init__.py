"""The read side that people and programs ask through `ecp`: nothing here changes anything."""
