"""KPIs of periods, computed from those of days."""
