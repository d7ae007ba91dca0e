"""Numbers and what is behind them: `ecp kpis`, `why`, `diff`, `waiting`."""
