"""The read side: views of what happened, made of events, and the published KPIs, over HTTP."""
